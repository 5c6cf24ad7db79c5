#include "control/qurectl/request.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "control/base/text.h"
#include "control/config/cluster_key.h"

namespace qure {
namespace {

using nlohmann::json;
using Words = std::vector<std::string_view>;
using Request = std::optional<absl::StatusOr<json>>;

constexpr std::array<std::string_view, 9> kPlainCommands = {"status", "nodes", "term",     "history", "counters",
                                                            "reload", "ports", "services", "flows"};

// A key, or the name of a file that holds one.
absl::StatusOr<std::string> KeyFrom(std::string_view word) {
  if (ParseClusterKey(word)) return std::string(word);
  const std::string path(word);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  if (!ParseClusterKey({stripped.data(), stripped.size()})) {
    return absl::InvalidArgumentError(
        Concat(WithoutKeys(word), ": neither a key of 64 hexadecimal digits nor a file that holds one"));
  }
  return std::string(stripped.data(), stripped.size());
}

Request KeyRequest(const Words& words) {
  if (words.size() == 2 && words[1] == "list") return json{{"command", "key"}, {"action", "list"}};
  const bool add = words.size() == 4 && words[1] == "add";
  if (!add && (words.size() != 3 || (words[1] != "use" && words[1] != "remove"))) return std::nullopt;
  const std::optional<uint32_t> id = ParseUnsigned(words[2]);
  if (!id) return std::nullopt;
  json request = {{"command", "key"}, {"action", words[1]}, {"id", *id}};
  if (!add) return request;
  const absl::StatusOr<std::string> key = KeyFrom(words[3]);
  if (!key.ok()) return key.status();
  request["key"] = *key;
  return request;
}

// drain [NODE], undrain [NODE], weight NODE SERVICE W|default
Request BalanceRequest(const Words& words) {
  if (words[0] == "weight") {
    if (words.size() != 4) return std::nullopt;
    json request = {{"command", "weight"}, {"node", words[1]}, {"service", words[2]}};
    if (words[3] == "default") return request;
    const std::optional<uint32_t> weight = ParseUnsigned(words[3]);
    if (!weight) return std::nullopt;
    request["weight"] = *weight;
    return request;
  }
  if (words.size() > 2) return std::nullopt;
  json request = {{"command", "drain"}, {"on", words[0] == "drain"}};
  if (words.size() == 2) request["node"] = words[1];
  return request;
}

constexpr std::array<std::string_view, 7> kDnsParts = {"zones",   "server",       "cache", "upstreams",
                                                       "aliases", "registration", "mdns"};

// dns PART, dns lookup NAME [TYPE], dns reload
Request DnsRequest(const Words& words) {
  if (words.size() == 2 && words[1] == "reload") return json{{"command", "reload"}};
  const bool part = words.size() == 2 && std::ranges::find(kDnsParts, words[1]) != kDnsParts.end();
  if (part) return json{{"command", "dns"}, {"what", words[1]}};
  if (words.size() != 3 && words.size() != 4) return std::nullopt;
  if (words[1] != "lookup") return std::nullopt;
  return json{{"command", "dns"}, {"what", "lookup"}, {"name", words[2]}, {"type", words.size() == 4 ? words[3] : "A"}};
}

}  // namespace

Request RequestFor(const Words& words) {
  if (words.empty()) return std::nullopt;
  const std::string_view command = words[0];
  if (command == "key") return KeyRequest(words);
  if (command == "drain" || command == "undrain" || command == "weight") return BalanceRequest(words);
  if (command == "explain" && (words.size() == 3 || words.size() == 4)) {
    return json{
        {"command", command}, {"from", words[1]}, {"to", words[2]}, {"protocol", words.size() == 4 ? words[3] : "tcp"}};
  }
  if (command == "dns") return DnsRequest(words);
  if (command == "handover" && words.size() <= 2) {
    json request = {{"command", "handover"}};
    if (words.size() == 2) request["node"] = words[1];
    return request;
  }
  if (words.size() == 2) {
    if (command == "config" && words[1] == "show") return json{{"command", "config"}};
    const bool on = words[1] == "on";
    if (command == "maintenance" && (on || words[1] == "off")) return json{{"command", command}, {"on", on}};
    return std::nullopt;
  }
  if (std::find(kPlainCommands.begin(), kPlainCommands.end(), command) == kPlainCommands.end()) return std::nullopt;
  return words.size() == 1 ? Request(json{{"command", command}}) : std::nullopt;
}

}  // namespace qure
