#include "control/operator/commands.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "control/base/kernel_random.h"
#include "control/base/request.h"
#include "control/base/text.h"
#include "control/config/cluster_key.h"
#include "control/core/admission/adoption.h"
#include "control/core/timers.h"

namespace qure {
namespace {

using nlohmann::json;

constexpr size_t kLeastIdDigits = 4;  // of a node's id, that name it

absl::StatusOr<Command> ReadMaintenance(const json& request) {
  const auto on = request.find("on");
  if (on == request.end() || !on->is_boolean()) return absl::InvalidArgumentError("maintenance is on or off");
  return SetMaintenance{.on = on->get<bool>()};
}

// {"node": …}: this one if it is not named.
absl::StatusOr<NodeId> ReadNode(const json& request, const ControllerStatus& status) {
  if (!request.contains("node")) return status.node_id;
  const std::string* const node = TextIn(request, "node");
  if (node == nullptr) return absl::InvalidArgumentError("the node is a name or the beginning of an id");
  return FindNode(*node, status);
}

absl::StatusOr<Command> ReadHandover(const json& request, const ControllerStatus& status) {
  if (!request.contains("node")) return HandOver{};
  const absl::StatusOr<NodeId> node = ReadNode(request, status);
  if (!node.ok()) return node.status();
  return HandOver{.successor = *node};
}

absl::StatusOr<Command> ReadDraining(const json& request, const ControllerStatus& status) {
  const auto on = request.find("on");
  if (on == request.end() || !on->is_boolean()) return absl::InvalidArgumentError("drain: on is true or false");
  const absl::StatusOr<NodeId> node = ReadNode(request, status);
  if (!node.ok()) return node.status();
  SetDraining command{.node = *node, .on = on->get<bool>(), .deadline = std::nullopt};
  if (const auto deadline = request.find("deadline"); deadline != request.end()) {
    constexpr uint64_t kLeast = kLeastDrainDeadline.ns / Seconds(1).ns;
    constexpr uint64_t kMost = kMostDrainDeadline.ns / Seconds(1).ns;
    const bool none = deadline->is_null();
    const bool sound = deadline->is_number_unsigned() && *deadline >= kLeast && *deadline <= kMost;
    if (!command.on || (!none && !sound)) {
      return absl::InvalidArgumentError(
          Concat("drain: the deadline is none, or a number of seconds from ", kLeast, " to ", kMost));
    }
    command.deadline = none ? Duration{} : Seconds(deadline->get<int64_t>());
  }
  return command;
}

absl::StatusOr<Command> ReadForget(const json& request, const ControllerStatus& status) {
  const std::string* const name = TextIn(request, "node");
  if (name == nullptr) return absl::InvalidArgumentError("the node is a name or the beginning of an id");
  const absl::StatusOr<NodeId> node = FindNode(*name, status, Meant::kGone);
  if (!node.ok()) return node.status();
  return ForgetNode{.node = *node};
}

absl::StatusOr<Command> ReadWeight(const json& request, const ControllerStatus& status) {
  const std::string* const service = TextIn(request, "service");
  if (service == nullptr) return absl::InvalidArgumentError("weight: name a service; `qurectl services` lists them");
  const absl::StatusOr<NodeId> node = ReadNode(request, status);
  if (!node.ok()) return node.status();
  SetWeight command{.node = *node, .service = *service, .weight = std::nullopt};
  if (const auto weight = request.find("weight"); weight != request.end()) {
    if (!weight->is_number_unsigned() || weight->get<uint64_t>() > UINT8_MAX) {
      return absl::InvalidArgumentError("a weight is a number from 0 to 255");
    }
    command.weight = weight->get<uint32_t>();
  }
  return command;
}

absl::StatusOr<Command> ReadKeyCommand(const json& request) {
  if (TextIn(request, "action", "") == "rotate") return RotateKey{};
  const std::string* const action = TextIn(request, "action");
  const auto id = request.find("id");
  if (action == nullptr) return absl::InvalidArgumentError("key: add, use, remove or list");
  // 0 is the key of an open cluster.
  if (id == request.end() || !id->is_number_unsigned() || id->get<uint64_t>() == 0 || id->get<uint64_t>() > UINT32_MAX)
    return absl::InvalidArgumentError("a key's id is a number from 1 to 4294967295");
  const auto number = id->get<uint32_t>();
  if (*action == "use") return UseKey{.id = number};
  if (*action == "remove") return RemoveKey{.id = number};
  if (*action != "add") return absl::InvalidArgumentError("key: add, use, remove or list");
  const std::string* const text = TextIn(request, "key");
  const std::optional<ClusterKey> key = text == nullptr ? std::nullopt : ParseClusterKey(*text);
  if (!key) return absl::InvalidArgumentError("a key is 64 hexadecimal digits; make one with `qurectl key new`");
  return AddKey{.id = number, .key = *key};
}

// {"lifetime": …}: a number of seconds; `otherwise` if it is left out. `bounds`: in words.
absl::StatusOr<Duration> ReadLifetime(const json& request, Duration otherwise, Duration longest,
                                      std::string_view bounds) {
  const auto seconds = request.find("lifetime");
  if (seconds == request.end()) return otherwise;
  const auto most = static_cast<uint64_t>(longest.ns / Seconds(1).ns);
  if (!seconds->is_number_unsigned() || *seconds > most) return absl::InvalidArgumentError(std::string(bounds));
  return Seconds(seconds->get<int64_t>());
}

bool IsSet(const json& request, const char* member) {
  const auto found = request.find(member);
  return found != request.end() && found->is_boolean() && found->get<bool>();
}

absl::StatusOr<Command> ReadAdmit(const json& request) {
  const std::string* const code = TextIn(request, "code");
  const bool all = IsSet(request, "all");
  if (all == (code != nullptr)) {
    return absl::InvalidArgumentError("admit: the code or the fingerprint of a node, or --all without one");
  }
  if (!all && request.contains("lifetime")) {
    return absl::InvalidArgumentError("admit: --for belongs to --all; a node that is named is waited for 1 h");
  }
  if (!all) return AdmitNode{.code = *code};
  const absl::StatusOr<Duration> lifetime = ReadLifetime(request, admission::kAdmitAll, admission::kLongestAdmitAll,
                                                         "all that ask are taken in for at most 24 h; 0 ends it");
  if (!lifetime.ok()) return lifetime.status();
  return AdmitAll{.lifetime = *lifetime};
}

// Of the cluster's records: a node that is revoked need not be there.
absl::StatusOr<admission::Fingerprint> FindMember(const std::string& wanted, const ControllerStatus& status) {
  // A member that is not known has no name.
  if (wanted.empty()) return absl::InvalidArgumentError("the node is a name, the beginning of an id or a fingerprint");
  const absl::StatusOr<std::string> digits = admission::ParseCode(wanted);
  std::vector<admission::Fingerprint> found;
  for (const admission::RollStatus::Row& row : status.roll.nodes) {
    const auto known = std::ranges::find(status.nodes, row.node, &NodeRow::node);
    const std::string& name = row.name.empty() && known != status.nodes.end() ? known->name : row.name;
    const bool by_id = wanted.size() >= kLeastIdDigits && ToHex(row.node).starts_with(wanted);
    const bool by_code = digits.ok() && admission::Matches(*digits, row.identity);
    if (name == wanted || by_id || by_code) found.push_back(row.identity);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::NotFoundError(Concat("no node \"", wanted, "\" belongs to the cluster; `qurectl cluster` lists them"));
  }
  return absl::InvalidArgumentError(
      Concat("\"", wanted, "\" is more than one node; name it by its fingerprint, as `qurectl cluster` shows it"));
}

absl::StatusOr<Command> ReadRevoke(const json& request, const ControllerStatus& status) {
  const absl::StatusOr<admission::Fingerprint> node = FindMember(TextIn(request, "node", ""), status);
  if (!node.ok()) return node.status();
  const absl::StatusOr<admission::RecoveryCode> code = admission::ParseRecoveryCode(TextIn(request, "code", ""));
  if (!code.ok()) return code.status();
  return RevokeNodes{.nodes = {*node}, .code = *code, .why = "by command"};
}

// Bytes that nobody can predict.
template <size_t kSize>
void Draw(std::array<uint8_t, kSize>* out) {
  static_assert(kSize % sizeof(uint64_t) == 0);
  const KernelRandom random;
  for (size_t i = 0; i < kSize; i += sizeof(uint64_t)) {
    const uint64_t drawn = random();
    std::memcpy(out->data() + i, &drawn, sizeof(drawn));
  }
}

absl::StatusOr<Command> ReadInvite(const json& request) {
  if (TextIn(request, "action", "") == "close") {
    const std::optional<admission::TokenId> id = admission::ParseTokenId(TextIn(request, "token", ""));
    if (!id) return absl::InvalidArgumentError("invite close: the id of a token, as `qurectl invite list` shows it");
    return CloseToken{.id = *id};
  }
  const auto uses = request.find("uses");
  constexpr std::string_view kBounds = "a token is open for 1 s to 30 days";
  const absl::StatusOr<Duration> lifetime =
      ReadLifetime(request, admission::kTokenLife, admission::kLongestToken, kBounds);
  if (!lifetime.ok()) return lifetime.status();
  if (*lifetime == Duration{}) return absl::InvalidArgumentError(std::string(kBounds));
  OpenToken open{.lifetime = *lifetime};
  if (uses != request.end()) {
    if (!uses->is_number_unsigned() || *uses == 0 || *uses > admission::kMaxTokenUses) {
      return absl::InvalidArgumentError(Concat("a token is for 1 to ", admission::kMaxTokenUses, " nodes"));
    }
    open.uses = uses->get<uint32_t>();
  }
  Draw(&open.id);
  Draw(&open.secret);
  return open;
}

absl::StatusOr<Command> ReadClusterCommand(std::string_view action) {
  if (action == "enrol") return EnrolMembers{};
  if (action != "found") return absl::InvalidArgumentError("cluster: found, enrol or show");
  FoundCluster command;
  Draw(&command.code);
  return command;
}

}  // namespace

absl::StatusOr<NodeId> FindNode(std::string_view name_or_prefix, const ControllerStatus& status, Meant meant) {
  std::vector<const NodeRow*> named;
  std::vector<const NodeRow*> begun;
  for (const NodeRow& row : status.nodes) {
    if (row.name == name_or_prefix) named.push_back(&row);
    if (!name_or_prefix.empty() && ToHex(row.node).starts_with(name_or_prefix)) begun.push_back(&row);
  }
  std::vector<const NodeRow*>& found = named.empty() ? begun : named;
  const auto is_meant = [&](const NodeRow* row) { return IsPresent(row->state) == (meant == Meant::kPresent); };
  if (std::ranges::any_of(named, is_meant)) std::erase_if(named, std::not_fn(is_meant));
  if (found.size() == 1) return found.front()->node;
  if (found.empty()) {
    return absl::NotFoundError(Concat("no node \"", name_or_prefix, "\"; `qurectl nodes` lists them"));
  }
  std::string ids;
  for (const NodeRow* row : found) ids += Concat(" ", ToHex(row->node), " (", NameOf(row->state), ")");
  return absl::InvalidArgumentError(Concat("\"", name_or_prefix, "\" is more than one node:", ids));
}

std::optional<absl::StatusOr<Command>> ReadCommand(RequestKind kind, const json& request,
                                                   const ControllerStatus& status) {
  switch (kind) {
    case RequestKind::kAdmit:
      return ReadAdmit(request);
    case RequestKind::kMaintenance:
      return ReadMaintenance(request);
    case RequestKind::kHandover:
      return ReadHandover(request, status);
    case RequestKind::kDrain:
      return ReadDraining(request, status);
    case RequestKind::kForget:
      return ReadForget(request, status);
    case RequestKind::kLeave:
      return LeaveCluster{.last = IsSet(request, "last")};
    case RequestKind::kRevoke:
      return ReadRevoke(request, status);
    case RequestKind::kWeight:
      return ReadWeight(request, status);
    case RequestKind::kCluster:
      if (TextIn(request, "action", "") == "show") return std::nullopt;
      return ReadClusterCommand(TextIn(request, "action", ""));
    case RequestKind::kInvite:
      if (TextIn(request, "action", "") == "list") return std::nullopt;
      return ReadInvite(request);
    case RequestKind::kKey:
      if (TextIn(request, "action", "") == "list") return std::nullopt;
      return ReadKeyCommand(request);
    default:
      return std::nullopt;
  }
}

}  // namespace qure
