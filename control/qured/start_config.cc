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
          "; remove them here, and change them with `qurectl config set`");
}

StartConfig WithStored(StartConfig own, const StoredState& stored) {
  std::optional<clusterconfig::StoredEffect> effect = clusterconfig::InEffectAtStart(stored, own.config.cluster.name);
  if (!effect) return own;
  absl::StatusOr<Config> config = ParseConfig(own.text, own.path, *effect->body);
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
