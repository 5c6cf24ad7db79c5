// What qured can be asked over the control socket: the member "command" of a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace qure {

enum class RequestKind : uint8_t {
  kAdmit,
  kBegin,
  kCandidates,
  kCluster,
  kClusters,
  kConfig,
  kConfirm,
  kCounters,
  kDns,
  kDrain,
  kExplain,
  kFlows,
  kForget,
  kHandover,
  kHistory,
  kInvite,
  kKey,
  kLeave,
  kMaintenance,
  kNodes,
  kPorts,
  kReload,
  kRevoke,
  kServices,
  kSharedConfig,
  kStatus,
  kTerm,
  kWeight,
};

// In the order of the kinds.
inline constexpr std::pair<RequestKind, std::string_view> kRequestKinds[] = {
    {RequestKind::kAdmit, "admit"},
    {RequestKind::kBegin, "begin"},
    {RequestKind::kCandidates, "candidates"},
    {RequestKind::kCluster, "cluster"},
    {RequestKind::kClusters, "clusters"},
    {RequestKind::kConfig, "config"},
    {RequestKind::kConfirm, "confirm"},
    {RequestKind::kCounters, "counters"},
    {RequestKind::kDns, "dns"},
    {RequestKind::kDrain, "drain"},
    {RequestKind::kExplain, "explain"},
    {RequestKind::kFlows, "flows"},
    {RequestKind::kForget, "forget"},
    {RequestKind::kHandover, "handover"},
    {RequestKind::kHistory, "history"},
    {RequestKind::kInvite, "invite"},
    {RequestKind::kKey, "key"},
    {RequestKind::kLeave, "leave"},
    {RequestKind::kMaintenance, "maintenance"},
    {RequestKind::kNodes, "nodes"},
    {RequestKind::kPorts, "ports"},
    {RequestKind::kReload, "reload"},
    {RequestKind::kRevoke, "revoke"},
    {RequestKind::kServices, "services"},
    {RequestKind::kSharedConfig, "shared_config"},
    {RequestKind::kStatus, "status"},
    {RequestKind::kTerm, "term"},
    {RequestKind::kWeight, "weight"},
};

constexpr std::string_view NameOf(RequestKind kind) {
  return kRequestKinds[static_cast<size_t>(kind)].second;
}
constexpr bool RequestKindsAreInOrder() {
  for (size_t i = 0; i < std::size(kRequestKinds); ++i) {
    if (static_cast<size_t>(kRequestKinds[i].first) != i) return false;
  }
  return kRequestKinds[std::size(kRequestKinds) - 1].first == RequestKind::kWeight;
}
static_assert(RequestKindsAreInOrder());

constexpr std::optional<RequestKind> RequestKindOf(std::string_view name) {
  for (const auto& [kind, known] : kRequestKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

}  // namespace qure
