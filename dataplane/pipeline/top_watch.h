// Which remote addresses have the most flows in a worker's table, counted while the table is swept, in fixed memory
// (dataplane/pipeline/space_saving.h).
//
// Its error: with F flows in the table and not few of them, an address that has more than about F/1024 of them is
// found; how many it has is given as what is certain and what is possible, which are the same for those that have very
// many. Its freshness: what the last whole pass over the table has found, so each flow was looked at within the last
// two.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/pipeline/space_saving.h"
#include "proto/flow.h"

namespace qure {

// Flows of one remote address that are of one service and have one owner.
struct TopPart {
  uint32_t flows = 0;
  uint16_t local_port = 0;  // of one of them: services may have another number by now
  uint8_t protocol = 0;
  uint8_t local_address = 0;
  uint8_t service = 0;
  NodeSlot owner = kSelfSlot;
};
inline constexpr size_t kTopParts = 8;

struct TopRemote {
  RemoteAddress remote{};
  uint32_t flows = 0;                      // that are certain
  uint32_t at_most = 0;                    // that are possible
  std::array<TopPart, kTopParts> parts{};  // of `flows`; those without flows are last. More than these are in none.
};

struct TopRemotes {
  static constexpr size_t kMost = 100;
  uint32_t others = 0;  // no address that is not among these has more
  uint32_t count = 0;
  std::array<TopRemote, kMost> remotes{};  // the first `count`, those with the most certain flows first
};

class TopWatch {
 public:
  // `seed`: random, unknown to remote hosts.
  explicit TopWatch(uint64_t seed);

  // A flow in the pass under way.
  void Note(const FlowEntry& flow, uint8_t service);
  // The pass is over.
  void Finish();
  // What the last pass found.
  const TopRemotes& top() const { return top_; }

 private:
  using Parts = std::array<TopPart, kTopParts>;

  SpaceSaving seen_;
  std::array<Parts, SpaceSaving::kCounters> parts_{};  // in parallel to the counters
  std::vector<uint16_t> order_;                        // of the counters in use; kept for its memory
  TopRemotes top_;
};

}  // namespace qure
