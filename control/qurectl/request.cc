#include "control/qurectl/request.h"

#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <variant>

#include "absl/strings/ascii.h"
#include "control/base/text.h"
#include "control/config/cluster_key.h"
#include "control/config/config_file.h"
#include "control/config/shared_part.h"

namespace qure {
namespace {

using nlohmann::json;

// A key, or the name of a file that holds one.
absl::StatusOr<std::string> KeyFrom(std::string_view word) {
  if (ParseClusterKey(word)) return std::string(word);
  const std::string path(word);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  if (!ParseClusterKey({stripped.data(), stripped.size()})) {
    return absl::InvalidArgumentError(
        Concat(WithoutKeys(word), ": neither a key of 64 hexadecimal digits nor a file that contains one"));
  }
  return std::string(stripped.data(), stripped.size());
}

// The value of the member; null: without it. Nothing: wrong usage.
std::optional<absl::StatusOr<json>> ValueOf(const CommandArgument& argument, std::string_view word) {
  using Kind = CommandArgument::Kind;
  switch (argument.kind) {
    case Kind::kText:
      return json(word);
    case Kind::kSwitch:
      if (word != "on" && word != "off") return std::nullopt;
      return json(word == "on");
    case Kind::kWeight:
      if (word == "default") return json(nullptr);
      [[fallthrough]];
    case Kind::kNumber: {
      const std::optional<uint32_t> number = ParseUnsigned(word);
      if (!number) return std::nullopt;
      return json(*number);
    }
    case Kind::kShared: {
      const std::string path(word);
      const absl::StatusOr<std::string> text = ReadConfigFile(path);
      absl::StatusOr<std::string> shared = text.ok() ? SharedPart(*text, path) : text.status();
      if (!shared.ok()) return shared.status();
      if (absl::Status own = CheckOwnKeys(*text, path); !own.ok()) return own;
      return json(*std::move(shared));
    }
    case Kind::kKey: {
      absl::StatusOr<std::string> key = KeyFrom(word);
      if (!key.ok()) return key.status();
      return json(*std::move(key));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<absl::StatusOr<json>> RequestFor(const OperatorCommand& command,
                                               const std::vector<std::string_view>& line) {
  const CommandSyntax syntax = SyntaxOf(command.usage);
  const auto given = std::span(line).subspan(syntax.words.size());
  if (given.size() > syntax.arguments.size()) return std::nullopt;
  const auto* const kind = std::get_if<RequestKind>(&command.action);
  json request = json::parse(Concat("{", command.fixed, "}"));
  if (kind != nullptr) request["command"] = NameOf(*kind);
  for (size_t i = 0; i < syntax.arguments.size(); ++i) {
    const CommandArgument& argument = command.arguments[i];
    const bool left_out = i >= given.size();
    if (left_out && !syntax.arguments[i].starts_with('[')) return std::nullopt;
    if (left_out && argument.otherwise.empty()) continue;
    std::optional<absl::StatusOr<json>> value = ValueOf(argument, left_out ? argument.otherwise : given[i]);
    if (!value || !value->ok()) return value;
    if (argument.kind == CommandArgument::Kind::kShared) request["file"] = given[i];
    if (!(*value)->is_null()) request[argument.member] = **std::move(value);
  }
  return request;
}

}  // namespace qure
