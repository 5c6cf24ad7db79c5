#include "control/operator/shared_config.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/request.h"
#include "control/base/text.h"
#include "control/config/shared_part.h"
#include "control/core/admission/records.h"
#include "control/operator/cluster_status.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kMostSeconds = admission::kMaxConfirmTimeoutMs / 1000;

std::string NameIn(const ControllerStatus& status, const NodeId& node) {
  const auto row = std::ranges::find(status.nodes, node, &NodeRow::node);
  return row == status.nodes.end() || row->name.empty() ? ToHex(node) : row->name;
}

ordered_json ChangeJson(const std::optional<clusterconfig::ConfigStatus::Change>& change) {
  if (!change) return nullptr;
  return {{"version", clusterconfig::ToText(change->version)},
          {"stage", clusterconfig::NameOf(change->stage)},
          {"by", change->by},
          {"time", WallText(change->time)},
          {"bytes", change->size},
          {"left_seconds", change->left ? ordered_json(ToSeconds(*change->left)) : ordered_json(nullptr)}};
}

// The file's own name in place of how nodes call the text.
std::string WhereIn(const clusterconfig::Finding& finding, const std::string& file) {
  const std::string prefix = absl::StrCat(std::string(kSharedName), ":");
  return finding.where.starts_with(prefix) ? absl::StrCat(file, finding.where.substr(prefix.size() - 1))
                                           : finding.where;
}

ordered_json FindingJson(const clusterconfig::Finding& finding, const std::string& file) {
  return {{"where", WhereIn(finding, file)}, {"reason", finding.reason}, {"remedy", finding.remedy}};
}

std::string Sentence(const clusterconfig::Finding& finding, const std::string& file) {
  const std::string where = WhereIn(finding, file);
  return absl::StrCat(where, where.empty() ? "" : ": ", finding.reason, finding.remedy.empty() ? "" : "; ",
                      finding.remedy);
}

ConfigHistory::const_iterator FindVersion(const std::string& version, const ConfigHistory& history) {
  return std::ranges::find_if(history,
                              [&](const auto& past) { return clusterconfig::ToText(past.version.version) == version; });
}

// The last one with this number: of 0 what is in effect. All of a number have one text.
ConfigHistory::const_iterator FindNumber(uint64_t number, const ConfigHistory& history) {
  return std::ranges::find_if(history, [&](const auto& past) { return past.version.number == number; });
}

std::string_view RunsAt(const NodeRow& row, uint64_t in_effect) {
  if (row.config_running == 0) return "none";
  return row.config_running == in_effect ? "same" : "other";
}

}  // namespace

absl::StatusOr<ProposeConfig> ReadProposal(const json& request, std::string text, const ConfigHistory& history) {
  ProposeConfig proposal;
  if (const std::string* const base = TextIn(request, "base"); base != nullptr) {
    const auto past = FindVersion(*base, history);
    if (past == history.end()) {
      return absl::InvalidArgumentError(Concat("version ", *base, ", which it was made from, is not known any more"));
    }
    proposal.base = past->version.version;
  }
  if (const auto confirm = request.find("confirm"); confirm != request.end()) {
    if (!confirm->is_number_unsigned() || *confirm > kMostSeconds) {
      return absl::InvalidArgumentError(Concat("--confirm: is no time of at most ", kMostSeconds,
                                               " s; give 1s to 24h, or 0 for a change that needs no confirmation"));
    }
    if (*confirm > 0) proposal.confirm = Seconds(confirm->get<int64_t>());
  }
  for (const auto& [key, value] : {std::pair("canary", &proposal.canary), std::pair("dry_run", &proposal.dry_run)}) {
    const auto given = request.find(key);
    if (given == request.end()) continue;
    if (!given->is_boolean()) return absl::InvalidArgumentError(Concat(key, " is true or false"));
    *value = given->get<bool>();
  }
  if (text.empty() || text.size() > admission::kMaxConfigBody) {
    return absl::InvalidArgumentError(
        Concat(kSharedName, ":1: cluster: has ", text.size(), " bytes; use 1 to ", admission::kMaxConfigBody));
  }
  proposal.body = std::make_shared<const std::string>(std::move(text));
  return proposal;
}

absl::StatusOr<ProposeConfig> ReadRollback(const json& request, const ConfigHistory& history) {
  const absl::StatusOr<clusterconfig::PastVersion> past = FindText(request, history);
  if (!past.ok()) return past.status();
  const auto in_effect = FindNumber(0, history);
  const bool counted = in_effect != history.end();
  if (counted && in_effect->version.body != nullptr && *in_effect->version.body == *past->body) {
    return absl::FailedPreconditionError(
        Concat("version ", clusterconfig::ToText(past->version),
               " has the text that is in effect; `qurectl config history` lists the others"));
  }
  absl::StatusOr<ProposeConfig> proposal = ReadProposal(request, *past->body, history);
  if (proposal.ok() && counted) proposal->base = in_effect->version.version;
  return proposal;
}

ConfigOrder OrderOf(const json& request, const ProposeConfig& proposal) {
  return {.file = TextIn(request, "file", kSharedName), .confirm = proposal.confirm, .dry_run = proposal.dry_run};
}

ordered_json SharedConfigJson(const ControllerStatus& status) {
  const clusterconfig::ConfigStatus& config = status.config;
  const uint64_t in_effect = config.in_effect ? config.in_effect->version.check : 0;
  ordered_json nodes = ordered_json::array();
  for (const NodeRow& row : status.nodes) {
    if (!IsPresent(row.state)) continue;
    nodes.push_back({{"node", ToHex(row.node)},
                     {"name", row.name},
                     {"runs", RunsAt(row, in_effect)},
                     {"unable", row.config_unable}});
  }
  ordered_json lost = ordered_json::array();
  for (const auto& change : config.lost) lost.push_back(ChangeJson(change));
  ordered_json unable;
  if (config.unable) unable = FindingJson(config.unable->finding, std::string(kSharedName));
  return {{"possible", config.possible},
          {"in_effect", ChangeJson(config.in_effect)},
          {"pending", ChangeJson(config.pending)},
          {"on_trial", config.on_trial},
          {"unable", unable},
          {"nodes", nodes},
          {"lost", lost}};
}

ordered_json ConfigHistoryJson(const ConfigHistory& history) {
  ordered_json rows = ordered_json::array();
  for (const clusterconfig::ConfigStatus::Past& past : history) {
    const auto& number = past.version.number;
    rows.push_back({{"number", number ? ordered_json(*number) : ordered_json(nullptr)},
                    {"version", clusterconfig::ToText(past.version.version)},
                    {"stage", clusterconfig::NameOf(past.version.fate)},
                    {"by", past.change.by},
                    {"time", WallText(past.change.time)},
                    {"bytes", past.change.size},
                    {"text_here", past.version.body != nullptr}});
  }
  return {{"history", rows}};
}

absl::StatusOr<clusterconfig::PastVersion> FindText(const json& request, const ConfigHistory& history) {
  const auto number = request.find("number");
  const bool by_number = number != request.end() && number->is_number_unsigned();
  const std::string version = TextIn(request, "version", "");
  if (!by_number && version.empty())
    return absl::InvalidArgumentError("a number of the history, or a version, is missing");
  const std::string name = by_number ? Concat("number ", number->get<uint64_t>()) : Concat("version ", version);
  const auto past = by_number ? FindNumber(number->get<uint64_t>(), history) : FindVersion(version, history);
  if (past == history.end() && FindNumber(0, history) == history.end()) {
    return absl::NotFoundError(
        "no configuration of the cluster is in effect; `qurectl config adopt` on the master makes the first one");
  }
  if (past == history.end()) {
    return absl::NotFoundError(Concat("the configuration has no ", name, "; `qurectl config history` lists them"));
  }
  if (past->version.body == nullptr) {
    return absl::NotFoundError(
        Concat("the text of ", name, " is not at this node; `qurectl config history` lists those that are"));
  }
  return past->version;
}

ordered_json ConfigTextJson(const clusterconfig::Version& version, const clusterconfig::Body& text) {
  return {{"version", clusterconfig::ToText(version)}, {"text", *text}};
}

ordered_json AnsweredJson(const clusterconfig::Answered& answered, const ConfigOrder& order,
                          const ControllerStatus& status) {
  if (answered.refusal) {
    ordered_json answer;
    const std::string by = answered.node ? absl::StrCat(" (", NameIn(status, *answered.node), " refused)") : "";
    answer["error"] = absl::StrCat(Sentence(*answered.refusal, order.file), by);
    answer.update(FindingJson(*answered.refusal, order.file));
    answer["node"] = answered.node ? ordered_json(NameIn(status, *answered.node)) : ordered_json(nullptr);
    return answer;
  }
  const char* const open = order.confirm ? "open" : "confirmed";
  return {{"version", clusterconfig::ToText(answered.version)},
          {"stage", order.dry_run ? "checked" : open},
          {"confirm_within_seconds", order.confirm ? ordered_json(ToSeconds(*order.confirm)) : ordered_json(nullptr)}};
}

ordered_json RefusalJson(const absl::Status& refusal) {
  ordered_json answer = {{"error", std::string(refusal.message())}};
  answer.update(FindingJson(FindingOf(refusal), std::string(kSharedName)));
  return answer;
}

std::string UnableNodes(const ControllerStatus& status) {
  std::string names;
  for (const NodeRow& row : status.nodes) {
    if (!row.config_unable || !IsPresent(row.state)) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", row.name.empty() ? ToHex(row.node) : row.name);
  }
  return names;
}

}  // namespace qure
