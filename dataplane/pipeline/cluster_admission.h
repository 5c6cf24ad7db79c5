// What of the cluster's port may go on to the control thread. Nothing is authenticated here: a boot that the control
// core knows has an allowance of its own, which junk under other names cannot use up, and all others share a small one.
#pragma once

#include <array>
#include <cstdint>

#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

class ClusterAdmission {
 public:
  // A second, and at once: of one known boot; of one other boot; of all other boots together.
  static constexpr int kKnownRate = 2'000;
  static constexpr int kKnownBurst = 512;
  static constexpr int kStrangerRate = 40;
  static constexpr int kStrangerBurst = 16;
  static constexpr int kStrangersRate = 4'000;
  static constexpr int kStrangersBurst = 1'024;

  // Before each burst of frames.
  void Begin(MonoTime now) { now_ = now; }
  // Whether another datagram of this boot is within its allowance.
  bool TakeKnown(const BootId& boot);
  bool TakeStranger(const BootId& boot);

 private:
  // Paid for with the time that has passed since; a burst with time saved up.
  struct Allowance {
    MonoTime spent_until;
    bool Take(MonoTime now, int rate, int burst);
  };

  // By a hash of the boot id. Ids are random, so few share one; who makes ids up to share one hurts that one only.
  std::array<Allowance, 256> known_{};
  std::array<Allowance, 1'024> strangers_{};
  Allowance all_strangers_;
  MonoTime now_;
};

}  // namespace qure
