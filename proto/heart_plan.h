// What the control thread wants the heart (dataplane/heart.h) to do: part of the snapshot, immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/address.h"
#include "proto/envelope.h"
#include "proto/node.h"
#include "proto/time.h"

namespace qure {

enum class HeartRole : uint8_t {
  kSilent,  // alone, or no master known: beats are neither sent nor acknowledged
  kFollow,  // member: acknowledge the beats of `peer`, the master; whoever gets binding beats is its deputy
  kOffer,   // master, solo: send offers to `peer`, the deputy to be, until it is ready
  kLead,    // master under lease: send binding beats to `peer`, transmit only while they are acknowledged
};

struct HeartKey {
  uint32_t id = 0;
  SessionKey key{};
  friend bool operator==(const HeartKey&, const HeartKey&) = default;
};

struct HeartPeer {
  NodeId node{};
  BootId boot{};
  MacAddress mac;  // hop 0
  Ipv4Address address;
  std::vector<HeartKey> keys;  // under which its heartbeats may be sealed: several while keys rotate
  friend bool operator==(const HeartPeer&, const HeartPeer&) = default;
};

struct HeartPlan {
  HeartRole role = HeartRole::kSilent;
  Term term;             // kFollow: of the master followed; kOffer, kLead: our own
  bool ready = false;    // kFollow: said in acknowledgements
  uint64_t opening = 0;  // kLead: the opening of the gate (LeaseGate::OpenSolo) that this plan binds

  NodeId self{};
  BootId boot{};
  HeartKey send_key;
  MacAddress mac;       // our hop 0
  Ipv4Address address;  // source of cluster frames
  uint16_t port = kDefaultClusterPort;
  HeartPeer peer;

  Duration interval = Milliseconds(3);
  Duration min_lease = Milliseconds(10);
  Duration max_lease = Milliseconds(200);
  Duration first_lease = Milliseconds(15);
  friend bool operator==(const HeartPlan&, const HeartPlan&) = default;
};

}  // namespace qure
