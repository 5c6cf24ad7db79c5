#include "control/qurectl/config_diff.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "control/config/config_file.h"
#include "control/config/shared_part.h"
#include "control/qurectl/child.h"
#include "control/qurectl/client.h"
#include "nlohmann/json.hpp"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kSame = 0;  // of diff
constexpr int kDiffers = 1;

// `which`: its number or version.
absl::StatusOr<LabelledText> TextOf(const std::string& socket, const std::string& name, json which) {
  which.update({{"command", "shared_config"}, {"action", "text"}});
  const absl::StatusOr<ordered_json> answer = AskForAnswer(socket, which);
  if (!answer.ok()) return answer.status();
  return LabelledText{.label = Concat(name, " ", answer->at("version").get<std::string>()),
                      .text = answer->at("text").get<std::string>()};
}

absl::StatusOr<LabelledText> SharedTextOf(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadConfigFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::string> shared = SharedPart(*text, path);
  if (!shared.ok()) return shared.status();
  return LabelledText{.label = path, .text = *std::move(shared)};
}

// The versions that were lost and wait to be acknowledged.
absl::StatusOr<std::vector<std::string>> LostVersions(const std::string& socket) {
  const absl::StatusOr<ordered_json> state = AskForAnswer(socket, {{"command", "shared_config"}, {"action", "show"}});
  if (!state.ok()) return state.status();
  std::vector<std::string> versions;
  for (const ordered_json& lost : state->at("lost")) versions.push_back(lost.at("version").get<std::string>());
  return versions;
}

absl::StatusOr<std::string> DiffFromNumber(const std::string& socket, uint32_t number, const LabelledText& in_effect) {
  const absl::StatusOr<LabelledText> from = TextOf(socket, Concat("number ", number, ","), {{"number", number}});
  return from.ok() ? UnifiedDiff(*from, in_effect) : from.status();
}

}  // namespace

absl::StatusOr<std::string> UnifiedDiff(const LabelledText& from, const LabelledText& to) {
  PrivateDirectory directory;
  if (absl::Status made = directory.Make(); !made.ok()) return made;
  const absl::StatusOr<std::string> left = directory.Write("from", from.text);
  const absl::StatusOr<std::string> right = directory.Write("to", to.text);
  for (const auto* const written : {&left, &right}) {
    if (!written->ok()) return written->status();
  }
  absl::StatusOr<Ended> ended =
      RunChild({"diff", "-u", "--label", from.label, "--label", to.label, *left, *right}, Output::kTaken);
  if (!ended.ok()) return absl::NotFoundError(Concat(ended.status().message(), "; install diffutils"));
  if (ended->status != kSame && ended->status != kDiffers) {
    return absl::UnknownError(Concat("diff ended with status ", ended->status));
  }
  return std::move(ended->output);
}

absl::StatusOr<std::string> ConfigDiff(const std::string& socket, const std::string& what) {
  const absl::StatusOr<LabelledText> in_effect = TextOf(socket, "in effect,", {{"number", 0}});
  if (!in_effect.ok()) return in_effect.status();
  if (const std::optional<uint32_t> number = ParseUnsigned(what); number) {
    return DiffFromNumber(socket, *number, *in_effect);
  }
  if (!what.empty()) {
    const absl::StatusOr<LabelledText> file = SharedTextOf(what);
    return file.ok() ? UnifiedDiff(*in_effect, *file) : file.status();
  }
  const absl::StatusOr<std::vector<std::string>> versions = LostVersions(socket);
  if (!versions.ok()) return versions.status();
  if (versions->empty()) return DiffFromNumber(socket, 1, *in_effect);
  std::string all;
  for (const std::string& version : *versions) {
    const absl::StatusOr<LabelledText> lost = TextOf(socket, "lost,", {{"version", version}});
    if (!lost.ok()) return lost.status();
    const absl::StatusOr<std::string> diff = UnifiedDiff(*in_effect, *lost);
    if (!diff.ok()) return diff.status();
    all += *diff;
  }
  return all;
}

}  // namespace qure
