#include "control/qurectl/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string_view>;

constexpr char kDigits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

std::optional<absl::StatusOr<json>> RequestOf(const Words& words) {
  const OperatorCommand* const command = FindCommand(words);
  return command == nullptr ? std::nullopt : RequestFor(*command, words);
}

json Request(const Words& words) {
  const auto request = RequestOf(words);
  return request && request->ok() ? **request : json(nullptr);
}

TEST(RequestFor, PutsWordsIntoRequests) {
  const std::vector<std::pair<Words, const char*>> cases = {
      {{"status"}, R"({"command": "status"})"},
      {{"nodes"}, R"({"command": "nodes"})"},
      {{"term"}, R"({"command": "term"})"},
      {{"history"}, R"({"command": "history"})"},
      {{"config", "show"}, R"({"command": "config"})"},
      {{"maintenance", "on"}, R"({"command": "maintenance", "on": true})"},
      {{"maintenance", "off"}, R"({"command": "maintenance", "on": false})"},
      {{"handover"}, R"({"command": "handover"})"},
      {{"handover", "n2"}, R"({"command": "handover", "node": "n2"})"},
      {{"services"}, R"({"command": "services"})"},
      {{"flows"}, R"({"command": "flows"})"},
      {{"drain"}, R"({"command": "drain", "on": true})"},
      {{"drain", "n2"}, R"({"command": "drain", "on": true, "node": "n2"})"},
      {{"undrain", "n2"}, R"({"command": "drain", "on": false, "node": "n2"})"},
      {{"weight", "n2", "web", "3"}, R"({"command": "weight", "node": "n2", "service": "web", "weight": 3})"},
      {{"weight", "n2", "web", "default"}, R"({"command": "weight", "node": "n2", "service": "web"})"},
      {{"explain", "a:1", "b:2"}, R"({"command": "explain", "from": "a:1", "to": "b:2", "protocol": "tcp"})"},
      {{"explain", "a:1", "b:2", "udp"}, R"({"command": "explain", "from": "a:1", "to": "b:2", "protocol": "udp"})"},
      {{"dns", "zones"}, R"({"command": "dns", "what": "zones"})"},
      {{"dns", "registration"}, R"({"command": "dns", "what": "registration"})"},
      {{"dns", "lookup", "a.test"}, R"({"command": "dns", "what": "lookup", "name": "a.test", "type": "A"})"},
      {{"dns", "lookup", "a.test", "MX"}, R"({"command": "dns", "what": "lookup", "name": "a.test", "type": "MX"})"},
      {{"dns", "reload"}, R"({"command": "reload"})"},
      {{"key", "list"}, R"({"command": "key", "action": "list"})"},
      {{"key", "use", "2"}, R"({"command": "key", "action": "use", "id": 2})"},
      {{"key", "remove", "1"}, R"({"command": "key", "action": "remove", "id": 1})"},
      {{"config"}, R"({"command": "shared_config", "action": "show"})"},
      {{"config", "text"}, R"({"command": "shared_config", "action": "text"})"},
      {{"config", "text", "2"}, R"({"command": "shared_config", "action": "text", "number": 2})"},
      {{"config", "history"}, R"({"command": "shared_config", "action": "history"})"},
      {{"config", "rollback"}, R"({"command": "shared_config", "action": "rollback", "number": 1})"},
      {{"config", "rollback", "3"}, R"({"command": "shared_config", "action": "rollback", "number": 3})"},
      {{"config", "diff"}, "{}"},
      {{"config", "diff", "1"}, R"({"what": "1"})"},
      {{"config", "diff", "a.toml"}, R"({"what": "a.toml"})"},
      {{"config", "edit"}, "{}"},
      {{"config", "adopt"}, R"({"command": "shared_config", "action": "adopt"})"},
      {{"config", "confirm"}, R"({"command": "shared_config", "action": "confirm"})"},
      {{"config", "abort"}, R"({"command": "shared_config", "action": "abort"})"},
      {{"config", "check", "a.toml"}, R"({"file": "a.toml"})"},
      {{"help"}, "{}"},
  };
  for (const auto& [words, request] : cases) EXPECT_EQ(Request(words), json::parse(request)) << request;
}

TEST(RequestFor, RefusesWhatIsNoCommand) {
  for (const Words& words : std::vector<Words>{{},
                                               {"stauts"},
                                               {"status", "now"},
                                               {"configure"},
                                               {"config", "hide"},
                                               {"config", "set", "a.toml"},
                                               {"config", "apply"},
                                               {"config", "text", "first"},
                                               {"config", "rollback", "-1"},
                                               {"config", "diff", "1", "2"},
                                               {"config", "edit", "a.toml"},
                                               {"maintenance"},
                                               {"maintenance", "maybe"},
                                               {"maintenance", "on", "off"},
                                               {"handover", "n2", "n3"},
                                               {"drain", "n2", "n3"},
                                               {"weight", "n2", "web"},
                                               {"dns"},
                                               {"dns", "lookup"},
                                               {"dns", "everything"},
                                               {"weight", "n2", "web", "much"},
                                               {"explain", "a:1"},
                                               {"key"},
                                               {"key", "use"},
                                               {"key", "use", "two"},
                                               {"key", "add", "2"},
                                               {"key", "drop", "2"}}) {
    EXPECT_FALSE(RequestOf(words).has_value()) << testing::PrintToString(words);
  }
}

TEST(RequestFor, TakesAKeyAsItIsOrFromAFile) {
  const TemporaryDirectory directory;
  const std::string file = directory / "key";
  std::ofstream(file) << kDigits << "\n";
  const json expected = {{"command", "key"}, {"action", "add"}, {"id", 2}, {"key", kDigits}};
  EXPECT_EQ(Request({"key", "add", "2", kDigits}), expected);
  EXPECT_EQ(Request({"key", "add", "2", file}), expected);
}

TEST(RequestFor, NamesAFileWithoutAKey) {
  const auto missing = RequestOf({"key", "add", "2", "/nowhere/key"});
  ASSERT_TRUE(missing.has_value());
  EXPECT_THAT(std::string(missing->status().message()), HasSubstr("/nowhere/key"));
}

TEST(RequestFor, DoesNotShowAKeyThatIsAlmostRight) {
  const auto wrong = RequestOf({"key", "add", "2", std::string_view(kDigits).substr(1)});
  ASSERT_TRUE(wrong.has_value());
  EXPECT_THAT(std::string(wrong->status().message()), Not(HasSubstr("0102")));
}

TEST(RequestFor, SendsWhatOfAFileIsTheClusters) {
  const TemporaryDirectory directory;
  const std::string path = directory / "new.toml";
  std::ofstream(path) << "[node]\nname = \"n1\"\n[cluster]\nkey = \"" << kDigits << "\"\ndefault = \"drop\"\n";
  EXPECT_EQ(Request({"config", "apply", path}), json({{"command", "shared_config"},
                                                      {"action", "apply"},
                                                      {"file", path},
                                                      {"text", "\n\n[cluster]\n\ndefault = \"drop\"\n"}}));
  std::ofstream(path) << "[cluster\n";
  const auto broken = RequestOf({"config", "apply", path});
  ASSERT_TRUE(broken);
  EXPECT_THAT(std::string(broken->status().message()), HasSubstr("new.toml:1: "));
  EXPECT_FALSE(RequestOf({"config", "apply", directory / "none"})->ok());
  std::ofstream(path) << "[cluster]\nport = 0\ndefault = \"drop\"\n";
  EXPECT_THAT(std::string(RequestOf({"config", "apply", path})->status().message()),
              HasSubstr("new.toml:2: cluster.port: "));
}

}  // namespace
}  // namespace qure
