#include "control/operator/cluster_status.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "control/core/admission/codes.h"
#include "control/operator/balance_status.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostSteps = 5000;    // of "nodes online" in an answer
constexpr unsigned kCounterBits = 16;  // of a hybrid logical time

std::string Hex64(uint64_t number) {
  return absl::StrCat(absl::Hex(number, absl::kZeroPad16));
}

uint64_t ToMilliseconds(uint64_t logical) {
  return logical >> kCounterBits;
}

// Ids to the names that nodes give themselves.
class Names {
 public:
  explicit Names(const ControllerStatus& status) {
    for (const NodeRow& row : status.nodes) names_.emplace(row.node, row.name);
  }
  // Null for no node.
  static ordered_json Id(const NodeId& node) {
    return node == NodeId{} ? ordered_json(nullptr) : ordered_json(ToHex(node));
  }
  // Null if it is not known, or has none.
  ordered_json Name(const NodeId& node) const {
    const auto found = names_.find(node);
    return found == names_.end() || found->second.empty() ? ordered_json(nullptr) : ordered_json(found->second);
  }
  ordered_json Both(const std::optional<NodeId>& node) const {
    if (!node) return nullptr;
    return {{"node", ToHex(*node)}, {"name", Name(*node)}};
  }

 private:
  std::map<NodeId, std::string> names_;
};

ordered_json NodeJson(const NodeRow& row) {
  return {{"node", ToHex(row.node)},
          {"name", row.name},
          {"role", row.role == NodeRole::kNone ? ordered_json(nullptr) : ordered_json(NameOf(row.role))},
          {"state", NameOf(row.state)},
          {"age", row.age},
          {"era", row.era},
          {"revision", row.revision},
          {"address", row.addresses.empty() ? ordered_json(nullptr) : ordered_json(ToString(row.addresses.front()))},
          {"priority", row.priority},
          {"weight", row.weight},
          {"maintenance", row.maintenance},
          {"draining", row.draining},
          {"drain_left_seconds", DrainLeftJson(row)},
          {"config_differs", row.config_differs},
          {"heard_ago_seconds", ToSeconds(row.heard_ago)},
          {"uptime_seconds", ToSeconds(row.uptime)}};
}

// A boot's text is the last sign of life of the one before.
std::string EventText(const HistoryEvent& event) {
  uint64_t alive_ms = 0;
  if (event.kind != HistoryKind::kBoot || !absl::SimpleAtoi(event.text, &alive_ms)) return event.text;
  return absl::StrCat("was alive until ", WallText(alive_ms << kCounterBits));
}

ordered_json EventJson(const HistoryEvent& event, const Names& names, uint64_t now_ms) {
  return {{"time", WallText(event.time)},
          {"time_ms", ToMilliseconds(event.time)},
          {"node", Names::Id(event.node)},
          {"name", names.Name(event.node)},
          {"age", event.age},
          {"seq", event.seq},
          {"era", event.era},
          {"lineage", Hex64(event.lineage)},
          {"term", TermJson(event.term)},
          {"kind", NameOf(event.kind)},
          {"subject", Names::Id(event.subject)},
          {"subject_name", names.Name(event.subject)},
          {"text", EventText(event)},
          {"clock_ahead", History::IsAhead(event.time, now_ms)}};
}

ordered_json EraJson(const EraSummary& era, const Names& names) {
  return {{"era", era.era},
          {"lineage", Hex64(era.lineage)},
          {"began", WallText(era.began)},
          {"began_ms", ToMilliseconds(era.began)},
          {"ended", WallText(era.ended)},
          {"ended_ms", ToMilliseconds(era.ended)},
          {"boots", era.boots},
          {"takeovers", era.takeovers},
          {"kept_from", era.until == 0 ? ordered_json(nullptr) : ordered_json(WallText(era.until))},
          {"most_online", era.most_online},
          {"founder", Names::Id(era.founder)},
          {"founder_name", names.Name(era.founder)}};
}

}  // namespace

std::string WallText(uint64_t logical) {
  const absl::Time time = absl::FromUnixMillis(static_cast<int64_t>(ToMilliseconds(logical)));
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

ordered_json TermJson(const Term& term) {
  if (term == Term{}) return nullptr;
  return {{"era", term.era}, {"epoch", term.epoch}, {"holder", Hex64(term.holder)}};
}

ordered_json NodesJson(const ControllerStatus& status) {
  ordered_json nodes = ordered_json::array();
  for (const NodeRow& row : status.nodes) nodes.push_back(NodeJson(row));
  return {{"nodes", nodes}};
}

ordered_json TermAnswer(const ControllerStatus& status) {
  const Names names(status);
  return {{"term", TermJson(status.term)},
          {"role", NameOf(status.role)},
          {"master", names.Both(status.master)},
          {"deputy", names.Both(status.deputy)}};
}

ordered_json CandidatesJson(const ControllerStatus& status, MonoTime now) {
  const admission::AdoptionStatus& adoption = status.adoption;
  ordered_json candidates = ordered_json::array();
  for (const admission::ListedCandidate& candidate : adoption.candidates) {
    const admission::Fingerprint fingerprint = admission::FingerprintOf(candidate.identity);
    candidates.push_back({{"code", admission::CodeOf(fingerprint)},
                          {"fingerprint", admission::ToText(fingerprint)},
                          {"name", candidate.name},
                          {"node", ToHex(candidate.node)},
                          {"mac", ToString(candidate.mac)},
                          {"revision", candidate.revision},
                          {"state", NameOf(candidate.state)},
                          {"heard_ago_seconds", ToSeconds(now - candidate.heard)}});
  }
  ordered_json answer = {{"candidates", candidates}, {"all_for_seconds", nullptr}, {"joining", nullptr}};
  if (adoption.all_until > now) answer["all_for_seconds"] = ToSeconds(adoption.all_until - now);
  if (!adoption.joining) return answer;
  ordered_json clusters = ordered_json::array();
  for (const auto& offering : adoption.ambiguous) {
    clusters.push_back({{"fingerprint", admission::ToText(offering.cluster)}, {"name", offering.name}});
  }
  answer["joining"] = {{"state", NameOf(*adoption.joining)},
                       {"code", status.roll.own ? admission::CodeOf(*status.roll.own) : ""},
                       {"clusters", clusters}};
  return answer;
}

ordered_json RollJson(const ControllerStatus& status) {
  const admission::RollStatus& roll = status.roll;
  const auto text = [](const std::optional<admission::Fingerprint>& fingerprint) {
    return fingerprint ? ordered_json(admission::ToText(*fingerprint)) : ordered_json(nullptr);
  };
  const Names names(status);
  ordered_json nodes = ordered_json::array();
  for (const admission::RollStatus::Row& row : roll.nodes) {
    const auto known = std::ranges::find(status.nodes, row.node, &NodeRow::node);
    const bool here = known != status.nodes.end();
    nodes.push_back({{"node", ToHex(row.node)},
                     {"name", row.name.empty() ? names.Name(row.node) : ordered_json(row.name)},
                     {"fingerprint", admission::ToText(row.identity)},
                     {"state", here ? ordered_json(NameOf(known->state)) : ordered_json(nullptr)},
                     {"forgotten", row.forgotten}});
  }
  ordered_json outside = ordered_json::array();
  for (const NodeId& node : roll.outside) outside.push_back(names.Both(node));
  ordered_json behind = ordered_json::array();
  for (const NodeId& node : roll.behind) behind.push_back(names.Both(node));
  return {{"fingerprint", text(roll.own)},
          {"cluster", text(roll.cluster)},
          {"generation", roll.generation},
          {"expelled", roll.expelled},
          {"nodes", nodes},
          {"outside", outside},
          {"behind", behind},
          {"founded_otherwise", names.Both(roll.founded_otherwise)}};
}

ordered_json ClustersJson(const ControllerStatus& status, const std::string& name, MonoTime now) {
  ordered_json clusters = ordered_json::array();
  const std::optional<admission::Fingerprint>& own = status.roll.cluster;
  if (own) {
    clusters.push_back({{"name", name},
                        {"fingerprint", admission::ToText(*own)},
                        {"nodes", status.roll.nodes.size()},
                        {"own", true},
                        {"mac", nullptr},
                        {"heard_ago_seconds", nullptr}});
  }
  for (const auto& [fingerprint, heard] : status.adoption.clusters) {
    if (fingerprint == own) continue;
    clusters.push_back({{"name", heard.name},
                        {"fingerprint", admission::ToText(fingerprint)},
                        {"nodes", heard.nodes},
                        {"own", false},
                        {"mac", ToString(heard.mac)},
                        {"heard_ago_seconds", ToSeconds(now - heard.heard)}});
  }
  return {{"clusters", clusters}};
}

ordered_json TokensJson(const ControllerStatus& status) {
  ordered_json tokens = ordered_json::array();
  for (const admission::RollStatus::OpenToken& token : status.roll.tokens) {
    if (token.until_uptime <= status.cluster_uptime_ms) continue;
    tokens.push_back({{"id", admission::ToText(token.id)},
                      {"uses_left", token.uses},
                      {"used_by", token.used_by},
                      {"expires_in_seconds", (token.until_uptime - status.cluster_uptime_ms) / 1000}});
  }
  return {{"tokens", tokens}};
}

ordered_json KeysJson(const ControllerStatus& status) {
  ordered_json keys = ordered_json::array();
  for (const uint32_t id : status.key_ids) keys.push_back({{"id", id}, {"in_use", id == status.key_in_use}});
  return {{"open", status.open}, {"keys", keys}};
}

ordered_json HistoryJson(const History& history, const ControllerStatus& status, size_t limit, uint64_t now_ms) {
  const Names names(status);
  const std::vector<HistoryEvent> timeline = history.Timeline();
  ordered_json events = ordered_json::array();
  for (size_t i = timeline.size() - std::min(timeline.size(), limit); i < timeline.size(); ++i) {
    events.push_back(EventJson(timeline[i], names, now_ms));
  }
  ordered_json eras = ordered_json::array();
  for (const EraSummary& era : history.summaries()) eras.push_back(EraJson(era, names));
  const std::vector<OnlineStep> steps = history.Online(now_ms);
  ordered_json online = ordered_json::array();
  for (size_t i = steps.size() - std::min(steps.size(), kMostSteps); i < steps.size(); ++i) {
    online.push_back({{"time_ms", ToMilliseconds(steps[i].time)}, {"era", steps[i].era}, {"online", steps[i].online}});
  }
  const std::string revision = status.nodes.empty() ? "" : status.nodes.front().revision;
  return {{"era", status.era},
          {"lineage", Hex64(status.lineage)},
          {"cluster_uptime_seconds", static_cast<double>(status.cluster_uptime_ms) / 1e3},
          {"revision", revision},
          {"reboots_since_revision", history.RebootsSince(revision)},
          {"now_ms", now_ms},
          {"events_total", timeline.size()},
          {"events", events},
          {"eras", eras},
          {"online", online}};
}

ordered_json TakeoverJson(const std::optional<TakeoverRecord>& takeover, MonoTime now) {
  if (!takeover) return nullptr;
  return {{"cause", NameOf(takeover->cause)},
          {"term", TermJson(takeover->term)},
          {"took_seconds", ToSeconds(takeover->took)},
          {"ago_seconds", ToSeconds(now - takeover->at)}};
}

}  // namespace qure
