#include "control/qurectl/config_edit.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <utility>

#include "control/base/text.h"
#include "control/config/config_file.h"
#include "control/config/shared_part.h"
#include "control/qurectl/child.h"
#include "control/qurectl/client.h"
#include "control/qurectl/config_tables.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr char kUsualEditor[] =
    "if command -v sensible-editor >/dev/null; then sensible-editor \"$1\"; else vi \"$1\"; fi";

// A line of the shell, since the operator's editor may have options.
std::string EditorLine() {
  for (const char* const name : {"VISUAL", "EDITOR"}) {
    const char* const editor = std::getenv(name);
    if (editor != nullptr && *editor != '\0') return Concat(editor, " \"$1\"");
  }
  return kUsualEditor;
}

absl::StatusOr<std::string> Edited(const std::string& path) {
  std::cout.flush();
  const absl::StatusOr<Ended> ended = RunChild({"sh", "-c", EditorLine(), "sh", path}, Output::kShown);
  if (!ended.ok()) return ended.status();
  if (ended->status != 0) {
    return absl::AbortedError(
        Concat("the editor ended with status ", ended->status, ": nothing is changed; $VISUAL or $EDITOR names it"));
  }
  return ReadConfigFile(path);
}

absl::StatusOr<ordered_json> InEffect(const std::string& socket) {
  return AskForAnswer(socket, {{"command", "shared_config"}, {"action", "text"}, {"number", 0}});
}

absl::StatusOr<ordered_json> Apply(const std::string& socket, json request, const std::string& path,
                                   const std::string& text) {
  absl::StatusOr<std::string> shared = SharedPart(text, path);
  if (!shared.ok()) return shared.status();
  request.update({{"command", "shared_config"}, {"action", "apply"}, {"file", path}, {"text", *std::move(shared)}});
  return AskForAnswer(socket, request);
}

bool AskWhetherToEditAgain(const absl::Status& refusal) {
  if (isatty(STDIN_FILENO) == 0) return false;
  std::cerr << "qurectl: " << refusal.message() << "\nedit it again? [Y/n] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer.empty() || answer.starts_with('y') || answer.starts_with('Y'));
}

bool IsBlank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

bool IsAsBefore(const std::string& path, const std::string& old_text) {
  const absl::StatusOr<std::string> text = ReadConfigFile(path);
  return text.ok() && *text == old_text;
}

// Refused, and what is in effect is not any more what was edited.
bool HasChanged(const std::string& socket, const std::string& base) {
  const absl::StatusOr<ordered_json> now = InEffect(socket);
  return now.ok() && now->at("version") != base;
}

absl::Status Kept(const absl::Status& refusal, const std::string& path, PrivateDirectory* directory) {
  directory->Keep();
  return {refusal.code(), Concat(refusal.message(), "\nwhat you have written is in ", path)};
}

}  // namespace

absl::StatusOr<ordered_json> ConfigEdit(const std::string& socket, const json& proposal) {
  const absl::StatusOr<ordered_json> before = InEffect(socket);
  if (!before.ok()) return before.status();
  const auto base = before->at("version").get<std::string>();
  const auto old_text = before->at("text").get<std::string>();
  PrivateDirectory directory;
  if (absl::Status made = directory.Make(); !made.ok()) return made;
  const absl::StatusOr<std::string> path = directory.Write("cluster.toml", old_text);
  if (!path.ok()) return path.status();
  json request = proposal;
  request["base"] = base;
  while (true) {
    const absl::StatusOr<std::string> text = Edited(*path);
    if (!text.ok() && IsAsBefore(*path, old_text)) return text.status();
    if (!text.ok()) return Kept(text.status(), *path, &directory);
    if (IsBlank(*text) || *text == old_text) return ordered_json{{"unchanged", true}};
    absl::StatusOr<ordered_json> answer = Apply(socket, request, *path, *text);
    if (answer.ok()) {
      if (!proposal.value("dry_run", false)) return answer;
      directory.Keep();
      (*answer)["file"] = *path;
      return answer;
    }
    if (HasChanged(socket, base)) {
      const std::string why =
          Concat(answer.status().message(), "\nanother change is in effect since you began: `qurectl config diff ",
                 *path, "` shows how yours differs from it, and `qurectl config apply ", *path, "` replaces it");
      return Kept(absl::AbortedError(why), *path, &directory);
    }
    if (!AskWhetherToEditAgain(answer.status())) return Kept(answer.status(), *path, &directory);
  }
}

std::string ConfigEditText(const ordered_json& answer) {
  if (answer.contains("unchanged")) return "nothing was changed in the text: nothing is done\n";
  std::string text = SharedConfigText(answer);
  if (answer.contains("file"))
    text += Concat("what you have written is in ", answer.at("file").get<std::string>(), "\n");
  return text;
}

}  // namespace qure
