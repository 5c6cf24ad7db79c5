// The cluster's life as this node knows it: joining or beginning an era, uptime, the merge of two lineages.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/random/bit_gen_ref.h"
#include "control/core/cluster/membership.h"
#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

enum class LifeChange : uint8_t {
  kNone,
  kJoined,   // another node is active: its era is ours
  kFounded,  // no other node is active: era = greatest known + 1 has begun with us
  kMerged,   // another lineage, or another era, won: era and lineage have changed
};

class Lifetime {
 public:
  // `random` outlives the lifetime. Listening starts at `now` (if `alone`, it is over at once).
  Lifetime(const StoredLife& stored, absl::BitGenRef random, MonoTime now, bool alone);

  // An active or booting node spoke. One of another era or lineage: the lineage of greater uptime wins
  // (tie: the greater lineage id); the era of both becomes the greater of the two, so that terms do not go back. The
  // same when we boot, with the life that is stored.
  LifeChange OnHello(MonoTime now, const wire::Hello& hello);
  // Booting: no node has answered in time, and no better ranked node boots: found. `unproven`: boots speak of which it
  // is not known yet whether they are active.
  LifeChange Tick(MonoTime now, const Membership& members, const Rank& own_rank, bool unproven);
  MonoTime deadline() const;

  bool booting() const { return booting_; }
  uint32_t era() const { return life_.era; }
  uint64_t lineage() const { return life_.lineage; }
  uint64_t UptimeMs(MonoTime now) const;  // monotone within a lineage
  StoredLife Stored(MonoTime now) const;

 private:
  bool Yields(MonoTime now, const StoredLife& own, const StoredLife& theirs);
  bool MustListen(MonoTime now, const Membership& members, const Rank& own_rank, bool unproven);
  void ListenUntil(MonoTime until);
  void Begin(MonoTime now, const StoredLife& life);

  absl::BitGenRef random_;
  const bool alone_;
  StoredLife life_;
  bool booting_ = true;
  MonoTime since_;  // life_.uptime_ms counts from here
  MonoTime listen_until_;
  MonoTime found_by_;            // even if a better ranked node boots …
  MonoTime prove_by_;            // … or others that speak have not proven that they are active
  bool listened_again_ = false;  // after a stall of ours
  uint32_t greatest_era_ = 0;
  StoredLife booting_best_;  // of the lineages that others who boot remember
  std::optional<MonoTime> disputed_since_;
};

}  // namespace qure
