// What the operator asks of this node.
#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "control/core/admission/codes.h"
#include "control/core/balance/remote_command.h"
#include "control/core/controller.h"
#include "control/core/keyring.h"

namespace qure {

absl::Status Controller::OnCommand(MonoTime now, const Command& command, Actions* out) {
  if (!active()) return absl::UnavailableError("this node is only starting, or about to end");
  Actions decided;
  absl::Status result = std::visit([&](const auto& order) { return Do(now, order, &decided); }, command);
  std::ranges::move(Conclude(now, std::move(decided)), std::back_inserter(*out));
  return result;
}

absl::Status Controller::Do(MonoTime now, const SetMaintenance& command, Actions* out) {
  stored_.maintenance = command.on;
  ledger_.Store({.maintenance = command.on}, out);
  HelloBy(now);
  election_.Tick(now, Input(), out);
  return absl::OkStatus();
}

absl::Status Controller::Do(MonoTime now, const HandOver& command, Actions* out) {
  const std::string error = election_.HandOver(now, Input(), command.successor, out);
  return error.empty() ? absl::OkStatus() : absl::FailedPreconditionError(error);
}

absl::Status Controller::Do(MonoTime now, const SetDraining& command, Actions* out) {
  return SendOrCarryOut(now, command.node, ToRemote(command), out);
}

absl::Status Controller::Do(MonoTime now, const SetWeight& command, Actions* out) {
  if (std::ranges::find(config_.services, command.service, &ServiceConfig::name) == config_.services.end()) {
    return absl::NotFoundError(absl::StrCat("no service \"", command.service, "\"; `qurectl services` lists them"));
  }
  return SendOrCarryOut(now, command.node, ToRemote(command), out);
}

absl::Status Controller::Do(MonoTime now, const ForgetNode& command, Actions* out) {
  const Member* const gone = members_.Find(command.node);
  const uint64_t age = gone == nullptr ? 0 : gone->hello.age();
  if (!members_.Forget(command.node)) {
    return absl::FailedPreconditionError("only a node that is down or has left can be forgotten");
  }
  snapshots_.Touch();
  out->push_back(MakeLog(LogLevel::kInfo, "node ", ToHex(command.node), " is forgotten, by command"));
  roll_.Forget(ViewForRoll(now), command.node, age, OccasionAt(now), out);
  for (const auto& [node, member] : members_.all()) {
    if (member.present()) balancing_.SendCommand(now, node, ToRemote(command));
  }
  return absl::OkStatus();
}

absl::Status Controller::SendOrCarryOut(MonoTime now, const NodeId& node, const wire::RemoteCommand& command,
                                        Actions* out) {
  if (node == facts_.node_id) {
    OnRemoteCommand(now, command, out);
    return absl::OkStatus();
  }
  const Member* const member = members_.Find(node);
  if (member == nullptr || !member->present()) return absl::UnavailableError("that node is not there now");
  balancing_.SendCommand(now, node, command);
  return absl::OkStatus();
}

absl::Status Controller::Do(MonoTime now, const AddKey& command, Actions* out) {
  return ChangeKeys(now, Changed(stored_.keyring, command), out);
}

absl::Status Controller::Do(MonoTime now, const UseKey& command, Actions* out) {
  return ChangeKeys(now, Changed(stored_.keyring, command), out);
}

absl::Status Controller::Do(MonoTime now, const RemoveKey& command, Actions* out) {
  return ChangeKeys(now, Changed(stored_.keyring, command), out);
}

absl::Status Controller::ChangeKeys(MonoTime now, const absl::StatusOr<Keyring>& next, Actions* out) {
  if (roll_.records() != nullptr) {
    return absl::FailedPreconditionError("this cluster keeps records, and makes its keys itself: `qurectl key rotate`");
  }
  if (!next.ok()) return next.status();
  UseKeys(*next, out);
  FollowKeys(now, out);
  return absl::OkStatus();
}

absl::Status Controller::Do(MonoTime now, const QueryFlow& command, Actions* out) {
  flow_questions_.Ask(now, command, balancing_.balancer(), transport_.enabled(), out);
  return absl::OkStatus();
}

absl::Status Controller::Do(MonoTime now, const BeginCluster& command, Actions* out) {
  return adoption_.Begin(ViewForAdoption(now), command.name, command.first, out);
}

absl::Status Controller::Do(MonoTime now, const FoundCluster& command, Actions* out) {
  if (!transport_.enabled()) return absl::FailedPreconditionError("this node has no key, so it is in no cluster");
  absl::Status founded = roll_.Found(ViewForRoll(now), command.code, OccasionAt(now), out);
  if (founded.ok()) HelloBy(now);
  return founded;
}

absl::Status Controller::Do(MonoTime now, const EnrolMembers&, Actions* out) {
  absl::Status enrolled = roll_.EnrolPresent(ViewForRoll(now), OccasionAt(now), out);
  if (enrolled.ok()) HelloBy(now);
  return enrolled;
}

absl::Status Controller::Do(MonoTime now, const AdmitNode& command, Actions* out) {
  return adoption_.Admit(ViewForAdoption(now), command.code, out);
}

absl::Status Controller::Do(MonoTime now, const AdmitAll& command, Actions* out) {
  return adoption_.AdmitAll(ViewForAdoption(now), command.lifetime, out);
}

absl::Status Controller::Do(MonoTime now, const OpenToken& command, Actions* out) {
  return adoption_.Open(ViewForAdoption(now), command, out);
}

absl::Status Controller::Do(MonoTime now, const CloseToken& command, Actions* out) {
  return adoption_.Close(ViewForAdoption(now), command.id, out);
}

absl::Status Controller::Do(MonoTime now, const RotateKey&, Actions* out) {
  return adoption_.Rotate(ViewForAdoption(now), out);
}

// Whether the node that leads is one of these, or none that belongs to the cluster.
bool Controller::IsLeaderIn(const std::set<admission::Fingerprint>& nodes) const {
  const auto leads = [this](const auto& member) { return member.second.node == election_.master(); };
  const auto& members = roll_.view().members;
  const auto leader = std::ranges::find_if(members, leads);
  return leader == members.end() || nodes.contains(admission::FingerprintOf(leader->first));
}

// What one that goes has numbered of the configuration would fall with it: first it is numbered anew, which only a
// master can do. Where the one that leads goes itself, or nobody leads that belongs to the cluster, nobody can, and
// any node makes the roster: a thief that leads would not let itself be revoked.
absl::Status Controller::Do(MonoTime now, const RevokeNodes& command, Actions* out) {
  if (!leads() && !IsLeaderIn(command.nodes)) {
    return absl::FailedPreconditionError("nodes are revoked at the master; `qurectl term` names it");
  }
  const absl::StatusOr<admission::Record> roster =
      roll_.MakeRoster(command.code, command.nodes, command.why, OccasionAt(now));
  if (!roster.ok()) return roster.status();
  // Who goes may have begun a change, and again whenever one ends: that must not keep it in.
  if (leads() && !shared_config_.Renumber(ViewForConfig(now), out)) {
    out->push_back(MakeLog(LogLevel::kWarning,
                           "a change of the configuration is under way, so that it is not numbered "
                           "anew: what a node that is revoked has numbered ends"));
  }
  return adoption_.Revoke(ViewForAdoption(now), *roster, out);
}

absl::Status Controller::Do(MonoTime now, const LeaveCluster& command, Actions* out) {
  if (!roll_.belongs()) {
    return absl::FailedPreconditionError("this node does not belong to a cluster with records: there is none to leave");
  }
  if (config_.network.key) {
    return absl::FailedPreconditionError(
        "the file of this node has the key of a cluster, by which it would be in it again: remove cluster.key first");
  }
  const bool alone = std::ranges::none_of(
      members_.all(), [this](const auto& each) { return each.second.present() && roll_.Knows(each.second); });
  if (alone && !command.last) {
    return absl::FailedPreconditionError(
        "no other node of the cluster is there: its records and its configuration would go with this one; `qurectl "
        "leave --last` leaves nevertheless");
  }
  stopping_.Leave();
  out->push_back(MakeLog(LogLevel::kWarning, "this node leaves its cluster, by command"));
  return Do(now, Stop{}, out);
}

absl::Status Controller::Do(MonoTime now, const Stop&, Actions* out) {
  if (stopping_.begun()) return absl::OkStatus();
  stopping_.Begin(now);
  const std::string error = election_.HandOver(now, Input(), std::nullopt, out);
  if (!error.empty()) stopping_.DoNotWait(now);  // there is no successor
  return absl::OkStatus();
}

}  // namespace qure
