// This node's HELLOs: what is in them, and when the next one is due.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/admission/roll.h"
#include "control/core/balance/balancing.h"
#include "control/core/cluster/election.h"
#include "control/core/cluster/lifetime.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/config.h"
#include "control/core/config/shared_config.h"
#include "control/core/node_facts.h"
#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

// What a HELLO is made from. Nothing is null.
struct HelloView {
  MonoTime now;
  const NodeFacts* facts = nullptr;
  const StoredState* stored = nullptr;
  const ClusterConfig* config = nullptr;
  const Lifetime* life = nullptr;
  const Election* election = nullptr;
  const Membership* members = nullptr;
  const Balancing* balancing = nullptr;
  const admission::Roll* roll = nullptr;
  const clusterconfig::SharedConfig* shared_config = nullptr;
  ElectionInput input;
  std::vector<IpPrefix> held;  // service addresses that this node holds
  Duration uptime;             // of the node
  uint32_t newest_key = 0;     // Adoption::newest_key
  uint64_t history_digest = 0;
  uint32_t highest_era = 0;  // that the history knows; used while booting only
};

// At most kMaxHello bytes long, however many services and addresses there are within the limits of a configuration.
wire::Hello MakeHello(const HelloView& view);

// With what carries it, the longest is CLAIM, a HELLO fits one datagram.
inline constexpr size_t kMaxHello = kMaxMessage - 64;

// Turns what grows with the configuration into its compact form, if the HELLO is longer than kMaxHello.
void CompactIfLong(wire::Hello* hello);
// The HELLO in a message; null: it has none. What is compact in it is written out, but for the addresses.
const wire::Hello* UnfoldHello(wire::Message* message);
// The addresses of the configuration that the sender of the HELLO holds.
std::vector<IpPrefix> HeldBy(const wire::Hello& hello, const ClusterConfig& config);

// When HELLOs to all are sent: each at nine to ten tenths of the interval after the one before, or earlier if there is
// something new.
class HelloTimer {
 public:
  // `random` outlives it.
  explicit HelloTimer(absl::BitGenRef random) : random_(random) {}

  // The next one, at the latest.
  void By(MonoTime at);
  bool Due(MonoTime now) const { return now >= next_; }
  void OnSent(MonoTime now, Duration interval);
  MonoTime deadline() const { return next_; }

 private:
  absl::BitGenRef random_;
  MonoTime next_ = kNever;
};

}  // namespace qure
