#include "control/qurectl/command_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "nlohmann/json.hpp"

namespace qure {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

constexpr size_t kHelpColumn = 21;

// The usages that the help text lists: lines that begin with two spaces and a word.
std::vector<std::string> UsagesInHelp() {
  std::vector<std::string> usages;
  std::istringstream lines{std::string(kUsage)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  ") || line[2] < 'a' || line[2] > 'z') continue;
    const bool has_help = line.size() > kHelpColumn && line[kHelpColumn - 1] == ' ' && line[kHelpColumn] != '[';
    if (has_help) line.resize(kHelpColumn);
    line.erase(line.find_last_not_of(' ') + 1);
    usages.push_back(line.substr(2));
  }
  return usages;
}

TEST(CommandTable, HelpListsEachCommand) {
  std::vector<std::string> usages;
  for (const OperatorCommand& command : OperatorCommands()) usages.emplace_back(command.usage);
  EXPECT_THAT(UsagesInHelp(), UnorderedElementsAreArray(usages));
}

TEST(CommandTable, EachArgumentHasAMember) {
  for (const OperatorCommand& command : OperatorCommands()) {
    const CommandSyntax syntax = SyntaxOf(command.usage);
    EXPECT_EQ(syntax.arguments.size(), command.arguments.size()) << command.usage;
    EXPECT_FALSE(syntax.words.empty()) << command.usage;
    EXPECT_TRUE(nlohmann::json::accept("{" + std::string(command.fixed) + "}")) << command.usage;
  }
}

TEST(CommandTable, EachRequestHasACommand) {
  std::set<RequestKind> asked = {RequestKind::kBegin};  // by `init`, which asks for more than that
  for (const OperatorCommand& command : OperatorCommands()) {
    if (const auto* const kind = std::get_if<RequestKind>(&command.action)) asked.insert(*kind);
  }
  for (const auto& [kind, name] : kRequestKinds) {
    EXPECT_TRUE(asked.contains(kind)) << name;
    EXPECT_EQ(RequestKindOf(name), kind);
  }
  EXPECT_EQ(RequestKindOf("stauts"), std::nullopt);
}

TEST(CommandTable, CommandsAreFoundByTheirWords) {
  for (const OperatorCommand& command : OperatorCommands()) {
    EXPECT_EQ(FindCommand(SyntaxOf(command.usage).words), &command) << command.usage;
  }
  EXPECT_EQ(FindCommand({"dns", "lookup", "a.test", "MX"})->usage, "dns lookup NAME [TYPE]");
  EXPECT_EQ(FindCommand({"dns"}), nullptr);
  EXPECT_EQ(FindCommand({}), nullptr);
}

TEST(CommandTable, UsagesAreTakenApart) {
  const CommandSyntax drain = SyntaxOf("drain [NODE] [--deadline SECONDS|none]");
  EXPECT_THAT(drain.words, ElementsAre("drain"));
  EXPECT_THAT(drain.arguments, ElementsAre("[NODE]"));
  EXPECT_THAT(drain.options, ElementsAre("--deadline"));
  const CommandSyntax history = SyntaxOf("history [--limit N] [--plot] [--svg FILE]");
  EXPECT_THAT(history.arguments, IsEmpty());
  EXPECT_THAT(history.options, ElementsAre("--limit", "--plot", "--svg"));
  const CommandSyntax rollback = SyntaxOf("config rollback [N] [--confirm TIME] [--dry-run]");
  EXPECT_THAT(rollback.words, ElementsAre("config", "rollback"));
  EXPECT_THAT(rollback.arguments, ElementsAre("[N]"));
  EXPECT_THAT(SyntaxOf("config diff [N|FILE]").arguments, ElementsAre("[N|FILE]"));
  EXPECT_THAT(SyntaxOf("maintenance on|off").arguments, ElementsAre("on|off"));
  EXPECT_THAT(SyntaxOf("flows [--top [N]]").options, ElementsAre("--top"));
}

TEST(CommandTable, HelpNamesTheExitStatuses) {
  EXPECT_THAT(kUsage, HasSubstr("Exit status: 0 "));
}

}  // namespace
}  // namespace qure
