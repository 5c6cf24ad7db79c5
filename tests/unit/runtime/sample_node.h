// A node's state as the tests of its pictures need it.
#pragma once

#include "control/io/status.h"

namespace qure {

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

inline NodeStatus SampleNode() {
  NodeStatus node;
  node.name = "n1";
  node.node_id = {0xab, 0xcd};
  node.age = 3;
  node.started = absl::FromUnixSeconds(1'700'000'000);
  node.uptime = absl::Milliseconds(61'500);
  node.gate_open = true;
  node.last_reload.time = absl::FromUnixSeconds(1'700'000'050);
  node.controller.role = "master";
  node.controller.node_mac = MacAddress{{0xa6, 1, 2, 3, 4, 0}};
  node.controller.snapshot_revision = 7;
  node.controller.claims = {SampleClaim("198.51.100.50/24", ClaimState::kHeld),
                            SampleClaim("2001:db8:2::50/64", ClaimState::kTaken)};
  return node;
}

}  // namespace qure
