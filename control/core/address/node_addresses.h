// The node's own addresses on the host port (dedicated mode): after a start they are probed for and announced
// (RFC 5227 §2), so that neighbours do not go on sending to the MAC that the machine had before. Another host that uses
// one is logged and shown, and we are silent about that address as long as it does. IPv6 addresses are probed for by
// the kernel (RFC 4862 §5.4) and only announced here. A pure state machine.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

class NodeAddresses {
 public:
  // `random` outlives it.
  explicit NodeAddresses(absl::BitGenRef random) : random_(random) {}

  struct Status {
    IpAddress address;
    MacAddress rival;  // who uses it, too
  };

  // The first time: begins to probe.
  void Configure(MonoTime now, const NodeFacts& facts, const ClusterConfig& config);
  // kNodeAddressUsed. `who`: what else is known of that host, for the log.
  void OnUsed(MonoTime now, const Event& event, std::string_view who, Actions* out);
  void Tick(MonoTime now, Actions* out);
  MonoTime deadline() const;

  std::vector<Status> conflicts() const;

 private:
  struct Own {
    IpAddress address;
    int probes = 0;         // sent
    int announcements = 0;  // sent
    MonoTime next = kNever;
    std::optional<MacAddress> rival;
  };

  void Step(MonoTime now, Own* own, Actions* out);
  Duration UpTo(Duration span);

  absl::BitGenRef random_;
  MacAddress mac_;
  Duration probe_interval_;
  bool configured_ = false;
  std::vector<Own> own_;
};

}  // namespace qure
