#include "control/qured/start_config.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "control/base/log.h"
#include "control/config/config_file.h"
#include "control/config/shared_part.h"

namespace qure {

void WarnOfIgnored(std::string_view path, std::string_view text) {
  const std::vector<std::string> ignored = SharedKeysIn(text);
  if (ignored.empty()) return;
  LogLine(LogLevel::kWarning, path,
          ": ignored, since the cluster has one configuration (`qurectl config`): ", absl::StrJoin(ignored, ", "),
          "; remove them here, and change them with `qurectl config apply`");
}

StartConfig WithStored(StartConfig own, const StoredState& stored) {
  own.joined = stored.joined;
  if (own.joined) {
    absl::StatusOr<Config> config = ParseConfig(own.text, own.path, {.joined = own.joined, .shared = nullptr});
    if (config.ok()) {
      own.config = *std::move(config);
    } else {
      LogLine(LogLevel::kError, "what this node's cluster was begun with cannot be run any more:\n",
              config.status().message());
    }
  }
  std::optional<clusterconfig::StoredEffect> effect = clusterconfig::InEffectAtStart(stored, own.config.cluster.id());
  if (!effect) return own;
  absl::StatusOr<Config> config = ParseConfig(own.text, own.path, {.joined = own.joined, .shared = effect->body});
  if (!config.ok()) {
    LogLine(LogLevel::kError, "the cluster's configuration ", clusterconfig::ToText(effect->version),
            " cannot be run by this node:\n", config.status().message());
    return own;
  }
  WarnOfIgnored(own.path, own.text);
  own.config = *std::move(config);
  own.shared = std::move(effect);
  return own;
}

}  // namespace qure
