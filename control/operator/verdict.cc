#include "control/operator/verdict.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/core/admission/codes.h"
#include "control/core/cluster/identity.h"
#include "control/operator/shared_config.h"

namespace qure {
namespace {

class Findings {
 public:
  void Add(VerdictState state, std::string reason) {
    if (state < verdict_.state) return;
    if (state > verdict_.state) verdict_ = {.state = state, .reasons = {}};
    verdict_.reasons.push_back(std::move(reason));
  }
  ClusterVerdict Take() { return std::move(verdict_); }

 private:
  ClusterVerdict verdict_;
};

std::string NameOf(const NodeRow& row) {
  return row.name.empty() ? ToHex(row.node) : row.name;
}

const NodeRow* FindRow(const ControllerStatus& core, const std::optional<NodeId>& node) {
  const auto row = std::ranges::find(core.nodes, node, [](const NodeRow& r) { return std::optional(r.node); });
  return row == core.nodes.end() ? nullptr : &*row;
}

bool IsHere(const NodeRow& row) {
  return IsPresent(row.state);
}

// This node holds the addresses, or would have to.
void JudgeOwnClaims(const NodeStatus& status, Findings* out) {
  bool held = false;
  for (const ClaimStatus& claim : status.controller.claims) {
    const std::string address = ToString(claim.address.address);
    if (claim.state == ClaimState::kHeld) {
      held = true;
      if (claim.alarm) out->Add(VerdictState::kDegraded, Concat("the gateway does not answer to ", address));
      if (claim.rival)
        out->Add(VerdictState::kDegraded, Concat(address, " is used by ", ToString(*claim.rival), " too"));
    } else if (claim.state == ClaimState::kTaken && claim.holder) {
      out->Add(VerdictState::kNotServing, Concat(address, " is held by ", ToString(*claim.holder)));
    } else if (claim.state == ClaimState::kProbing) {
      out->Add(VerdictState::kNotServing, Concat(address, " is being probed"));
    } else {
      out->Add(VerdictState::kNotServing, Concat(address, " is not held"));
    }
  }
  if (held && !status.gate_open) out->Add(VerdictState::kNotServing, "the gate of this node is shut");
}

// Another node leads, and has reported which addresses it holds.
void JudgeMaster(const ControllerStatus& core, const NodeRow& master, Findings* out) {
  for (const ClaimStatus& claim : core.claims) {
    if (std::ranges::find(core.held, claim.address.address, &IpPrefix::address) != core.held.end()) continue;
    out->Add(VerdictState::kNotServing, Concat(ToString(claim.address.address), " is not held by ", NameOf(master)));
  }
}

void JudgeAddresses(const NodeStatus& status, Findings* out) {
  const ControllerStatus& core = status.controller;
  if (core.claims.empty()) return out->Add(VerdictState::kNotServing, "no service address is configured");
  if (!core.clustered || core.role == NodeRole::kMaster) return JudgeOwnClaims(status, out);
  const NodeRow* const master = FindRow(core, core.master);
  if (master == nullptr) return out->Add(VerdictState::kNotServing, "no node leads");
  if (!IsHere(*master)) {
    return out->Add(VerdictState::kNotServing, Concat("no node leads: ", NameOf(*master), " ", NameOf(master->state)));
  }
  JudgeMaster(core, *master, out);
}

// A machine that died and was replaced under its name is not missed.
void JudgeNodes(const ControllerStatus& core, Findings* out) {
  for (const NodeRow& row : core.nodes) {
    if (row.config_differs && IsHere(row)) {
      out->Add(VerdictState::kDegraded, Concat(NameOf(row), " has another configuration"));
    }
    if (row.state == NodeState::kDeaf) out->Add(VerdictState::kDegraded, Concat(NameOf(row), " deaf"));
    if (row.state != NodeState::kDown) continue;
    const bool replaced = !row.name.empty() && std::ranges::any_of(core.nodes, [&row](const NodeRow& other) {
      return other.name == row.name && IsHere(other);
    });
    if (!replaced) out->Add(VerdictState::kDegraded, Concat(NameOf(row), " down"));
  }
  if (core.clustered && !core.deputy && std::ranges::count_if(core.nodes, IsHere) > 1) {
    out->Add(VerdictState::kDegraded, "no deputy");
  }
}

// On which of the nodes that are here the check of `service` is `state`; empty: on none.
std::string NodesWhere(const ControllerStatus& core, const ServiceRow& service, CheckState state) {
  std::string where;
  bool everywhere = true;
  for (const NodeRow& row : core.nodes) {
    if (!IsHere(row)) continue;
    const bool here = service.CheckAt(row.node) == state;
    everywhere = everywhere && here;
    if (here) where += Concat(where.empty() ? "" : ", ", NameOf(row));
  }
  return everywhere && !where.empty() ? "every node" : where;
}

void JudgeServices(const ControllerStatus& core, Findings* out) {
  for (const ServiceRow& service : core.services) {
    const std::string failing = NodesWhere(core, service, CheckState::kFails);
    if (!failing.empty()) out->Add(VerdictState::kDegraded, Concat(service.name, " fails its check on ", failing));
    const std::string unreached = NodesWhere(core, service, CheckState::kUnreached);
    if (unreached.empty()) continue;
    out->Add(VerdictState::kDegraded, Concat(service.name, " is kept from clients by the firewall of ", unreached));
  }
}

// Another cluster on the same LAN is no fault.
void JudgeStrangers(const ControllerStatus& core, Findings* out) {
  for (const Stranger& stranger : core.strangers) {
    if (stranger.cause == StrangerCause::kOtherCluster) continue;
    out->Add(VerdictState::kDegraded,
             Concat("a node at ", ToString(stranger.mac), " is not believed: ", NameOf(stranger.cause)));
  }
}

// Of a machine that has the key though it does not belong to the cluster: one that was away when that was written down,
// or a thief.
void JudgeRoll(const ControllerStatus& core, Findings* out) {
  for (const NodeId& node : core.roll.outside) {
    const NodeRow* const row = FindRow(core, node);
    out->Add(VerdictState::kDegraded,
             Concat(row == nullptr ? ToHex(node) : NameOf(*row), " does not belong to the cluster"));
  }
  if (core.roll.expelled && !core.adoption.joining) {
    out->Add(VerdictState::kNotServing, "this node was revoked; with a new, empty data_directory it can be admitted");
  } else if (core.adoption.joining && core.roll.own) {
    const char* const state = core.roll.expelled ? "was revoked" : "has no key";
    out->Add(VerdictState::kNotServing, Concat("this node ", state, " and waits: `qurectl admit ",
                                               admission::CodeOf(*core.roll.own), "` on a node of the cluster"));
  }
  if (core.roll.founded_otherwise) out->Add(VerdictState::kDegraded, "the cluster was founded twice");
}

void JudgeConfig(const ControllerStatus& core, Findings* out) {
  if (const std::string unable = UnableNodes(core); !unable.empty()) {
    out->Add(VerdictState::kDegraded,
             Concat(unable, " cannot run the cluster's configuration: `qurectl config` there"));
  }
  const auto& pending = core.config.pending;
  if (pending && pending->left) {
    out->Add(VerdictState::kDegraded, Concat("a change of the configuration is rolled back in ",
                                             pending->left->ns / Seconds(1).ns, " s unless it is confirmed"));
  }
  if (!core.config.lost.empty()) {
    out->Add(VerdictState::kDegraded, "a change of the configuration was lost: `qurectl config`");
  }
}

void JudgeSelf(const NodeStatus& status, Findings* out) {
  const ControllerStatus& core = status.controller;
  if (core.ineligible) out->Add(VerdictState::kDegraded, "another machine has this node's identity");
  if (!core.namesakes.empty()) out->Add(VerdictState::kDegraded, "another node has this node's name or address");
  for (const NodeAddresses::Status& conflict : core.address_conflicts) {
    out->Add(VerdictState::kDegraded,
             Concat(ToString(conflict.address), " of this node is used by ", ToString(conflict.rival), " too"));
  }
  if (core.without_gateway) out->Add(VerdictState::kDegraded, "the gateway is away");
  if (!core.link_up) out->Add(VerdictState::kDegraded, "the link of the LAN port of this node is down");
  if (!core.clock_fit || core.clocks_differ) out->Add(VerdictState::kDegraded, "the clock of this node is unfit");
  if (!status.store_alarm.empty()) out->Add(VerdictState::kDegraded, "the store of this node cannot be written");
  if (!status.last_reload.error.empty()) out->Add(VerdictState::kDegraded, "the last configuration was refused");
}

}  // namespace

std::string_view NameOf(VerdictState state) {
  switch (state) {
    case VerdictState::kServing:
      return "serving";
    case VerdictState::kDegraded:
      return "degraded";
    case VerdictState::kNotServing:
      return "not_serving";
  }
  return "";
}

ClusterVerdict VerdictOf(const NodeStatus& status) {
  Findings findings;
  JudgeAddresses(status, &findings);
  JudgeNodes(status.controller, &findings);
  JudgeServices(status.controller, &findings);
  JudgeStrangers(status.controller, &findings);
  JudgeRoll(status.controller, &findings);
  JudgeConfig(status.controller, &findings);
  JudgeSelf(status, &findings);
  return findings.Take();
}

nlohmann::ordered_json VerdictJson(const ClusterVerdict& verdict) {
  return {{"state", NameOf(verdict.state)}, {"reasons", verdict.reasons}};
}

}  // namespace qure
