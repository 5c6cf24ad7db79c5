// What an operator can ask a running node to do (qurectl).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "control/core/admission/codes.h"
#include "control/core/config/effects.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/flow.h"
#include "proto/time.h"

namespace qure {

struct SetMaintenance {
  bool on = false;  // on: hands the mastership over if this node has it, and is not chosen again
};
struct HandOver {
  std::optional<NodeId> successor;  // the deputy, or the best, if not named
};
// A node that drains takes no new flows and keeps those that it has, until they end or the deadline passes.
struct SetDraining {
  NodeId node{};  // this one or another
  bool on = false;
  std::optional<Duration> deadline;  // zero: none; absent: as configured at that node
};
// Of one node for one service; absent: as configured.
struct SetWeight {
  NodeId node{};
  std::string service;
  std::optional<uint32_t> weight;
};
// A node that is down or has left is shown no more, here and on the nodes that are present.
struct ForgetNode {
  NodeId node{};
};
// Rotation in three steps: add on all nodes, use on all nodes, remove the old one on all nodes.
struct AddKey {
  uint32_t id = 0;
  ClusterKey key{};
};
struct UseKey {
  uint32_t id = 0;
};
struct RemoveKey {
  uint32_t id = 0;
};
// What do a node's workers know of this flow? Ends with FlowAnswered, at once or within kFlowQueryTries.
struct QueryFlow {
  uint64_t id = 0;            // any: the answer has it, too
  NodeSlot whom = kSelfSlot;  // the node that decides about it
  FlowKey key;
};
// Begins a cluster at a node without a key that would be taken in by one.
struct BeginCluster {
  std::string name;
  std::string first;  // JoinedCluster::first
};
// Begins the records of who belongs to this cluster, and admits the members that are there: once in a cluster's life.
struct FoundCluster {
  admission::RecoveryCode code{};  // drawn by who asks, who shows it to the operator and keeps it nowhere
};
// Admits the members that are there and do not belong to the cluster yet.
struct EnrolMembers {};
// Takes in the node without a key whose code or fingerprint this is, now or when it is heard.
struct AdmitNode {
  std::string code;
};
// Takes in every node without a key that asks, for so long; zero: from now on none.
struct AdmitAll {
  Duration lifetime;
};
// Opens a token: a node that carries it is taken in without a command.
struct OpenToken {
  admission::TokenId id{};  // drawn by who asks, who shows the token to the operator and keeps it nowhere
  admission::TokenSecret secret{};
  uint32_t uses = 1;  // nodes
  Duration lifetime;  // in the cluster's uptime
};
struct CloseToken {
  admission::TokenId id{};
};
// A new session key for the cluster, which all members that are present come for.
struct RotateKey {};
// These belong to the cluster no more: a roster without them, and a key that they do not get.
struct RevokeNodes {
  std::set<admission::Fingerprint> nodes;
  admission::RecoveryCode code{};
  std::string why;  // at most kMaxWhy bytes
};
// This node belongs to the cluster no more, by its own word: it hands over, says so, and begins anew without a key.
struct LeaveCluster {
  bool last = false;  // also if no other node of the cluster is there
};
// A change of the cluster's configuration, made at any node. Ends with clusterconfig::Answered.
struct ProposeConfig {
  uint64_t id = 0;  // any: the answer has it, too
  clusterconfig::Body body;
  std::optional<Duration> confirm;             // rolled back unless it is confirmed within this
  bool canary = true;                          // one node tries it first
  bool dry_run = false;                        // all nodes are asked, and nothing is changed
  std::string by;                              // who asks, for logs
  std::optional<clusterconfig::Version> base;  // refused unless this is in effect
};
// Keeps the change that waits for it. Ends with clusterconfig::Answered.
struct ConfirmConfig {
  uint64_t id = 0;  // as above
};
// Gives up the change that is being prepared, or rolls back the one that waits to be confirmed.
struct AbortConfig {};
// The operator has seen which changes were lost.
struct AcknowledgeConfig {};
// SIGTERM: hand over, send GOODBYE, then Finished.
struct Stop {};

using Command =
    std::variant<SetMaintenance, HandOver, SetDraining, SetWeight, ForgetNode, AddKey, UseKey, RemoveKey, QueryFlow,
                 BeginCluster, FoundCluster, EnrolMembers, AdmitNode, AdmitAll, OpenToken, CloseToken, RotateKey,
                 RevokeNodes, LeaveCluster, ProposeConfig, ConfirmConfig, AbortConfig, AcknowledgeConfig, Stop>;

}  // namespace qure
