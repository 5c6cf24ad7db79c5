// The node as a listener of multicast groups: reports what it listens to, so that snooping switches let it through.
// IGMPv3 (RFC 3376) and IGMPv2 (RFC 2236) for the cluster's group; MLDv2 (RFC 3810) and MLDv1 (RFC 2710) for the
// solicited-node groups of the service addresses, which a node without a cluster has, too. Always sourced from the node
// MAC.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/net/group_query.h"
#include "proto/time.h"

namespace qure {

class GroupListener {
 public:
  // `random` outlives the listener.
  explicit GroupListener(absl::BitGenRef random) : random_(random) {}

  // Listens to exactly these from now on: joins what is new (reported at once and again, RFC 3376 §5.1), leaves what
  // is gone. `mac` and `address` are the node's: sources of the reports (IPv6: the link-local address of `mac`).
  void SetGroups(MonoTime now, const MacAddress& mac, const Ipv4Address& address, std::vector<IpAddress> groups,
                 Actions* out);
  // kGroupQuery: answers after a random part of the time that it allows; falls back to IGMPv2 or MLDv1 while such a
  // querier is about (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
  void OnEvent(MonoTime now, const Event& event);
  void Tick(MonoTime now, Actions* out);
  MonoTime deadline() const;

 private:
  struct Group {
    IpAddress address;
    bool left = false;     // only still to be reported
    int reports_left = 0;  // of the unsolicited ones
    MonoTime next_report = kNever;
    MonoTime answer_at = kNever;  // a query is to be answered
    MonoTime due() const { return std::min(next_report, answer_at); }
  };

  void Change(MonoTime now, const IpAddress& address, bool left);
  GroupRecord Report(MonoTime now, Group* group);
  void Send(MonoTime now, const std::vector<GroupRecord>& records, Actions* out) const;
  Duration Within(Duration span);

  absl::BitGenRef random_;
  MacAddress mac_;
  Ipv4Address address_;
  std::vector<Group> groups_;
  // Of each family: a querier is about that knows the version before the latest only.
  std::optional<MonoTime> older_until_v4_;
  std::optional<MonoTime> older_until_v6_;
};

}  // namespace qure
