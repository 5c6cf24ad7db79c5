// The commands of qurectl, once: how each is written, what it asks qured. The help text is checked against it
// (tests/unit/qurectl/command_table_test.cc), and requests are made from it (request.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "control/operator/request_kind.h"

namespace qure {

// A word of a command line that becomes a member of the request.
struct CommandArgument {
  enum class Kind : uint8_t {
    kText,
    kNumber,
    kSwitch,  // on, off: true, false
    kWeight,  // a number; "default": without the member
    kKey,     // the digits of a key, or a file that holds them
    kShared,  // a file: what of it is the cluster's, and its name as "file"
  };
  std::string_view member;
  Kind kind = Kind::kText;
  std::string_view otherwise = "";  // what stands for an argument that is left out; empty: without the member
};

// What qurectl does by itself.
enum class LocalAction : uint8_t { kHelp, kCheckConfig, kDiffConfig, kEditConfig, kInit, kNewKey };

struct OperatorCommand {
  // "drain [NODE] [--deadline SECONDS|none]": words, arguments, options, as in the help text.
  std::string_view usage;
  std::variant<RequestKind, LocalAction> action;
  std::string_view fixed = "";  // members of each such request, as JSON without its braces
  std::vector<CommandArgument> arguments = {};
};

std::span<const OperatorCommand> OperatorCommands();

// A usage, taken apart.
struct CommandSyntax {
  std::vector<std::string_view> words;      // "dns", "lookup"
  std::vector<std::string_view> arguments;  // "NAME", "[TYPE]"
  std::vector<std::string_view> options;    // "--limit"
};
CommandSyntax SyntaxOf(std::string_view usage);

// The command that a command line begins with; null: none.
const OperatorCommand* FindCommand(const std::vector<std::string_view>& line);

// Of qurectl --help.
extern const char kUsage[];

}  // namespace qure
