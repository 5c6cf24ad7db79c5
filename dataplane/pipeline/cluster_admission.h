// What of the cluster's port may go on to the control thread. A boot that the control core knows has an allowance of
// its own, which junk under other names cannot use up, and all others share a small one. Who sends under the name and
// from the MAC of a known boot uses up its allowance. What is beyond must then be genuine, and has a second one.
#pragma once

#include <array>
#include <cstdint>

#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

class ClusterAdmission {
 public:
  // A second, and at once: of one known boot, each of its two allowances; proofs that are looked at; of one other boot;
  // of all other boots together.
  static constexpr int kKnownRate = 2'000;
  static constexpr int kKnownBurst = 512;
  static constexpr int kProofRate = 200'000;  // of all known boots: at most a sixth of a core's time
  static constexpr int kProofBurst = 1'024;
  static constexpr int kStrangerRate = 40;
  static constexpr int kStrangerBurst = 16;
  static constexpr int kStrangersRate = 4'000;
  static constexpr int kStrangersBurst = 1'024;

  // Before each burst of frames.
  void Begin(MonoTime now) { now_ = now; }
  // Whether another datagram of this boot is within its allowance.
  bool TakeKnown(const BootId& boot);
  bool TakeStranger(const BootId& boot);
  // Whether it is worth the time to see if a datagram with this counter, beyond the allowance of a known boot, is
  // genuine. Not if it is a repetition.
  bool MayProve(const BootId& boot, uint64_t counter);
  // Whether that datagram, which has proven to be genuine, is within the second allowance.
  bool TakeProven(const BootId& boot, uint64_t counter);

 private:
  // Paid for with the time that has passed since; a burst with time saved up.
  struct Allowance {
    MonoTime spent_until;
    bool Take(MonoTime now, int rate, int burst);
  };
  struct Proven {
    BootId boot{};        // whose counters these are
    ReplayWindow window;  // anybody can repeat what is genuine, again and again
    Allowance allowance;
  };

  // By a hash of the boot id. Ids are random, so few share one; who makes ids up to share one hurts that one only.
  std::array<Allowance, 256> known_{};
  std::array<Proven, 256> proven_{};
  Allowance proofs_;
  std::array<Allowance, 1'024> strangers_{};
  Allowance all_strangers_;
  MonoTime now_;
};

}  // namespace qure
