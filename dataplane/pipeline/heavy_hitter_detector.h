// Finds the remote addresses that open very many flows, by the new flows of a window that are certain to be theirs
// (dataplane/pipeline/space_saving.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/pipeline/space_saving.h"
#include "proto/flow.h"
#include "proto/time.h"

namespace qure {

// Flows are counted for so long, then from zero again.
inline constexpr Duration kHeavyHitterWindow = Seconds(5);
// An address that opens a quarter of what makes a heavy hitter is still reported: it stays a heavy hitter if it is one.
inline constexpr uint32_t kHeavyHitterStays = 4;

struct HeavyHitterSighting {
  RemoteAddress remote{};
  bool many = false;  // as many as make a heavy hitter; otherwise as many as keep one
};

class HeavyHitterDetector {
 public:
  // `seed`: random, unknown to remote hosts.
  explicit HeavyHitterDetector(uint64_t seed);

  // From how many new flows in a window on an address is reported; 0: never.
  void SetThreshold(uint32_t flows) { threshold_ = flows; }
  // A flow has been opened from this address.
  void Note(const RemoteAddress& remote);
  // Once a round. Ends the window when it is over.
  void Round(MonoTime now);
  // What was found since the last call; valid until the next one.
  const std::vector<HeavyHitterSighting>& Take();

  // Flows of this address in this window that are certain.
  uint32_t Sure(const RemoteAddress& remote) const { return opened_.Sure(remote); }

 private:
  static constexpr size_t kMostFound = 64;  // more in a round are left for the next window

  void Report(const RemoteAddress& remote, bool many);

  uint32_t threshold_ = 0;
  MonoTime window_end_;
  SpaceSaving opened_;
  std::vector<HeavyHitterSighting> found_;
  std::vector<HeavyHitterSighting> taken_;
};

}  // namespace qure
