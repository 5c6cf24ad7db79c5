// What the control thread wants the heartbeater (dataplane/lease/heartbeater.h) to do: part of the snapshot, immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

enum class HeartbeatRole : uint8_t {
  kSilent,  // alone, or no master known: heartbeats are neither sent nor acknowledged
  kFollow,  // member: acknowledge the heartbeats of `peer`, the master; the member that gets binding heartbeats is its
            // deputy
  kOffer,   // master, solo: send offers to `peer`, the deputy to be, until it is ready
  kLead,    // master under lease: send binding heartbeats to `peer`, transmit only while they are acknowledged
};

struct HeartbeatKey {
  uint32_t id = 0;
  SessionKey key{};
  friend bool operator==(const HeartbeatKey&, const HeartbeatKey&) = default;
};

struct HeartbeatPeer {
  NodeId node{};
  BootId boot{};
  MacAddress mac;  // hop 0
  Ipv4Address address;
  std::vector<HeartbeatKey> keys;  // under which its heartbeats may be sealed: several while keys rotate
  friend bool operator==(const HeartbeatPeer&, const HeartbeatPeer&) = default;
};

struct HeartbeatPlan {
  HeartbeatRole role = HeartbeatRole::kSilent;
  Term term;             // kFollow: of the master followed; kOffer, kLead: our own
  bool ready = false;    // kFollow: stated in acknowledgements
  uint64_t opening = 0;  // kLead: the opening of the gate (LeaseGate::OpenSolo) that this plan binds

  NodeId self{};
  BootId boot{};
  HeartbeatKey send_key;
  MacAddress mac;       // our hop 0
  Ipv4Address address;  // source of cluster frames
  uint16_t port = kDefaultClusterPort;
  HeartbeatPeer peer;

  Duration interval = Milliseconds(3);
  Duration min_lease = Milliseconds(10);
  Duration max_lease = Milliseconds(200);
  Duration first_lease = Milliseconds(15);
  friend bool operator==(const HeartbeatPlan&, const HeartbeatPlan&) = default;
};

}  // namespace qure
