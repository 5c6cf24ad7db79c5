// The control core: time, events and configuration in, actions out. It reads no clock and touches nothing; the
// appliance drives it with real time, tests and the simulator with virtual time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/claim.h"
#include "control/core/config.h"
#include "control/core/identity.h"
#include "proto/event.h"
#include "proto/snapshot.h"
#include "proto/time.h"

namespace qure {

// What does not change while the process runs.
struct NodeFacts {
  NodeId node_id{};
  MacAddress lan_mac;
  LanMode lan_mode = LanMode::kDedicated;
  uint16_t vlan = 0;
};

struct ControllerStatus {
  std::string role;  // "master" while at least one service address is held, "standby" otherwise
  MacAddress node_mac;
  uint64_t snapshot_revision = 0;
  std::vector<ClaimStatus> claims;
};

class Controller {
 public:
  // `random` outlives the controller.
  Controller(const NodeFacts& facts, absl::BitGenRef random);

  // The cluster configuration, first or changed. Claims that can go on under it do (Claim::CanContinue) and are served
  // without a gap; others start anew, and those no longer wanted vanish.
  Actions OnConfig(MonoTime now, const ClusterConfig& config);
  Actions OnEvent(MonoTime now, const Event& event);
  Actions Tick(MonoTime now);

  // The earliest time at which Tick has something to do.
  MonoTime NextDeadline() const;
  ControllerStatus status() const;

 private:
  // The actions of a step: the state the claims are in, in an order that is safe for the LAN, then what they want sent
  // and logged.
  Actions Conclude(bool changed, Actions from_claims);
  void Publish(Actions* out);
  void PublishHostAddresses(Actions* out);
  ClaimContext ContextFor(const AddressConfig& address) const;
  MacAddress OwnMac(int hop) const;

  const NodeFacts facts_;
  absl::BitGenRef random_;
  ClusterConfig config_;
  std::vector<Claim> claims_;
  std::shared_ptr<const ServicePorts> ports_;
  std::shared_ptr<const DnsTable> dns_;
  std::vector<IpPrefix> host_addresses_;
  uint64_t revision_ = 0;
  bool gate_open_ = false;
};

}  // namespace qure
