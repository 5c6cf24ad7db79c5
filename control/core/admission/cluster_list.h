// The clusters that take nodes in on this LAN, as their masters announce them (CLUSTER). It is shown and never
// believed: anybody can announce anything. What is not signed is left out, and the checks of signatures are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "control/core/admission/budgets.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/signing.h"
#include "proto/bytes.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr size_t kMaxClustersHeard = 16;
inline constexpr Duration kClusterHeardLife = Seconds(35);  // three announcements were missed
inline constexpr int kClusterChecksPerSecond = 4;           // signatures

struct HeardCluster {
  std::string name;
  uint32_t nodes = 0;
  MacAddress mac;  // of the node that announced it
  MonoTime heard;
};

class ClusterList {
 public:
  // A CLUSTER. In a full list it takes the place of the one that was not heard for longest.
  void OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload);
  void Tick(MonoTime now);

  // By the cluster's fingerprint.
  const std::map<Fingerprint, HeardCluster>& all() const { return heard_; }

 private:
  std::map<Fingerprint, HeardCluster> heard_;
  Budget checks_{kClusterChecksPerSecond, kClusterChecksPerSecond};
};

}  // namespace qure::admission
