// A node's state as the tests of its pictures need it.
#pragma once

#include "control/operator/status.h"

namespace qure {

inline NodeId SampleId(uint8_t first, uint8_t second) {
  NodeId node{};
  node[0] = first;
  node[1] = second;
  return node;
}
inline const NodeId kSampleSelf = SampleId(0xab, 0xcd);
inline const NodeId kSampleDeputy = SampleId(0xab, 0x12);
inline const NodeId kSampleDown = SampleId(0x77, 0x00);

inline ClaimStatus SampleClaim(const char* address, ClaimState state) {
  ClaimStatus claim;
  claim.address = *ParsePrefix(address);
  claim.mac = MacAddress{{0xa2, 0, 0, 0, 0, 1}};
  claim.state = state;
  if (state == ClaimState::kTaken) claim.holder = MacAddress{{0x52, 0x54, 0, 0, 0, 9}};
  claim.verified = state == ClaimState::kHeld;
  claim.conflicts = 2;
  claim.defenses = 1;
  claim.verify_failures = 4;
  return claim;
}

// A node alone.
inline NodeStatus SampleNode() {
  NodeStatus node;
  node.name = "n1";
  node.started = absl::FromUnixSeconds(1'700'000'000);
  node.uptime = absl::Milliseconds(61'500);
  node.now = MonoTime{Seconds(1000).ns};
  node.gate_open = true;
  node.last_reload.time = absl::FromUnixSeconds(1'700'000'050);
  node.controller.node_id = kSampleSelf;
  node.controller.age = 3;
  node.controller.role = NodeRole::kMaster;
  node.controller.node_mac = MacAddress{{0xa6, 1, 2, 3, 4, 0}};
  node.controller.snapshot_revision = 7;
  node.controller.claims = {SampleClaim("198.51.100.50/24", ClaimState::kHeld),
                            SampleClaim("2001:db8:2::50/64", ClaimState::kTaken)};
  return node;
}

inline NodeRow SampleRow(const NodeId& node, const char* name, NodeRole role, NodeState state) {
  NodeRow row;
  row.node = node;
  row.name = name;
  row.role = role;
  row.state = state;
  row.age = 3;
  row.era = 2;
  row.revision = "v1-5-gabcdef";
  row.addresses = {*ParseIp("198.51.100.11")};
  row.priority = -5;
  row.weight = 7;
  row.heard_ago = Milliseconds(2500);
  row.uptime = Seconds(3700);
  return row;
}

// The master of a cluster of three, one of which is down.
inline NodeStatus SampleMaster() {
  NodeStatus node = SampleNode();
  ControllerStatus& core = node.controller;
  core.phase = MasterPhase::kLeased;
  core.clustered = true;
  core.era = 2;
  core.lineage = 0xfedcba9876543210;
  core.cluster_uptime_ms = 18'180'000;
  core.term = {2, 17, 0xabcd};
  core.master = kSampleSelf;
  core.deputy = kSampleDeputy;
  core.nodes = {SampleRow(kSampleSelf, "n1", NodeRole::kMaster, NodeState::kSelf),
                SampleRow(kSampleDeputy, "n2", NodeRole::kDeputy, NodeState::kAlive),
                SampleRow(kSampleDown, "n3", NodeRole::kNone, NodeState::kDown)};
  core.nodes[1].maintenance = true;
  core.key_ids = {1, 4};
  core.key_in_use = 4;
  core.takeovers[static_cast<size_t>(Cause::kSilence)] = 2;
  core.last_takeover = TakeoverRecord{core.term, Cause::kSilence, MonoTime{Seconds(700).ns}, Microseconds(12'345)};
  core.rejected[static_cast<size_t>(Reject::kReplayed)] = 6;
  core.persist_failures = 1;
  core.history_events = 40;
  node.takeovers.Add(Milliseconds(4));
  node.takeovers.Add(Milliseconds(18));
  node.heartbeater = {.heartbeats_sent = 100, .acks_sent = 1, .heartbeats_received = 2, .acks_received = 99};
  node.heartbeater.rejected[static_cast<size_t>(HeartbeatReject::kOtherTerm)] = 5;
  node.lease = {.lease = Milliseconds(15), .longest_gap = Microseconds(4500), .round_trip = Microseconds(250)};
  return node;
}

}  // namespace qure
