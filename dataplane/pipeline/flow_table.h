// The flows of one worker in fixed memory: found by their whole key, forgotten when they have been idle for as long as
// their state allows. It is a cache of who serves a flow; what finds no room is forwarded by the Maglev lookup table.
//
// Two choices of a bucket for each flow, seven flows a bucket, no moves: a bucket is a line that begins with the tags,
// and three lines more of entries. A flow is put into its second bucket only when that is the emptier one and the first
// is filling up, so nine of ten are found in the first with two lines read, both of which can be on their way before.
// Source of the bound on load: Azar, Broder, Karlin, Upfal, Balanced Allocations, 1994.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "proto/flow.h"
#include "proto/time.h"

namespace qure {

// How long a flow may be silent before it is forgotten. Our own are kept as long as a kernel keeps a silent connection
// before it asks (RFC 9293 §3.8.4: two hours); what others serve is a cache.
Duration IdleLimit(const FlowEntry& entry);

struct FlowTableCounts {
  uint64_t flows = 0;  // entries that are not free, forgotten ones included until the sweep comes by
  uint64_t inserted = 0;
  uint64_t expired = 0;    // freed, or replaced after their time
  uint64_t displaced = 0;  // of no proven flow, or another node's: gave way
  uint64_t refused = 0;    // no room: both buckets are full of active flows
};

class FlowTable {
 public:
  // Room for `flows` flows with next to none refused. `seed`: random, unknown to remote hosts.
  FlowTable(size_t flows, uint64_t seed);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // Takes up all memory now, so that no insertion has to wait for a page: milliseconds each, if it is a huge one.
  void Populate();

  uint64_t HashOf(const FlowKey& key) const;
  // In this order, some frames apart: the lines of tags, then those of the entries that the tags point to.
  void PrefetchTags(uint64_t hash) const;
  void PrefetchEntry(uint64_t hash) const;

  // The active entry of `key`, or null. It stays where it is until the next Insert, Remove or Sweep.
  FlowEntry* Find(const FlowKey& key, uint64_t hash, FlowTime now);
  // The entry of `key`, made kOpening and seen now if there was none; null if there is no room. Takes a free entry, an
  // idle one, or of those that may give way the one that has been silent for longest: first provisional ones and
  // fragments, then closing ones and others' that nobody vouches for. A flow of ours that the kernel has answered is
  // never displaced, nor a pinned one.
  FlowEntry* Insert(const FlowKey& key, uint64_t hash, FlowTime now);
  void Remove(FlowEntry* entry);
  // Two bytes that belong to an entry, and mean nothing to the table.
  uint16_t* NoteOf(const FlowEntry* entry);

  // Looks at the next `buckets` buckets: frees what is idle, shows the rest to `visit`, which may change an entry but
  // for its key and may free it by setting kFree. Returns true when it has come round to the first bucket.
  bool Sweep(FlowTime now, size_t buckets, const std::function<void(FlowEntry*)>& visit);

  // Buckets until Sweep comes round.
  size_t unswept() const { return bucket_count_ - cursor_; }

  size_t buckets() const { return bucket_count_; }
  size_t bytes() const { return bucket_count_ * sizeof(Bucket); }
  const FlowTableCounts& counts() const { return counts_; }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr size_t kSlots = 7;

  struct alignas(256) Bucket {
    std::array<uint16_t, 8> tags;  // 0: free. The last has no entry and stays 0.
    std::array<uint16_t, 8> notes;
    std::array<FlowEntry, kSlots> entries;  // two a line, none across lines; the first is in the line of the tags
  };
  static_assert(sizeof(Bucket) == 256);

  struct Choice {
    Bucket* first;
    Bucket* second;
    uint16_t tag;
  };

  static uint64_t Fold(uint64_t a, uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  // A bit for each slot whose tag it is. `tag` may be 0: the free slots.
  static uint32_t Matches(const Bucket& bucket, uint16_t tag);
  static uint32_t FreeSlots(const Bucket& bucket) { return Matches(bucket, 0) & ((1U << kSlots) - 1); }
  static FlowEntry* FindIn(Bucket* bucket, uint16_t tag, const FlowKey& key);
  static FlowEntry* FreeEntry(const Choice& choice);
  static FlowEntry* DisplaceableEntry(const Choice& choice);
  static FlowEntry* IdleEntry(const Choice& choice, FlowTime now);
  static bool IdleForLong(const FlowEntry& entry, FlowTime now);
  static bool Idle(const FlowEntry& entry, FlowTime now) {
    return now.ticks - entry.seen.ticks > kShortestIdle && IdleForLong(entry, now);
  }
  Bucket* BucketOf(const FlowEntry* entry) const;
  void SetTag(const FlowEntry* entry, uint16_t tag);

  Bucket* FirstOf(uint64_t hash) const;
  Bucket* SecondOf(uint64_t hash, const Bucket* first) const;
  // From bits that choose nothing as long as there are less than 2^24 buckets.
  static uint16_t TagOf(uint64_t hash) {
    const auto tag = static_cast<uint16_t>((hash & 0xff) | (hash >> 24 & 0xff00));
    return tag == 0 ? 1 : tag;
  }
  Choice ChoiceOf(uint64_t hash) const;
  FlowEntry* MakeRoom(const Choice& choice, FlowTime now);

  // No state allows less, so that a flow seen lately is not asked for its state.
  static constexpr uint32_t kShortestIdle = FlowTicks(Seconds(10));

  Bucket* buckets_ = nullptr;
  size_t bucket_count_ = 0;
  std::array<uint64_t, 4> hash_keys_{};
  size_t cursor_ = 0;
  FlowTableCounts counts_;
};

// Multiplications folded onto themselves, as in wyhash (Wang Yi 2019), with secret words: without them, which keys meet
// in a bucket cannot be computed.
inline uint64_t FlowTable::HashOf(const FlowKey& key) const {
  const uint64_t address = Fold(key.word(0) ^ hash_keys_[0], key.word(1) ^ hash_keys_[1]);
  // The ports go through two of them too: those of one address are as near to each other as addresses are.
  return Fold(Fold(address ^ key.word(2), hash_keys_[2]), hash_keys_[3]);
}

inline FlowTable::Bucket* FlowTable::FirstOf(uint64_t hash) const {
  return buckets_ + ((hash & 0xffffffff) * bucket_count_ >> 32);
}

// Some way on from the first, and not all the way round.
inline FlowTable::Bucket* FlowTable::SecondOf(uint64_t hash, const Bucket* first) const {
  const size_t at = static_cast<size_t>(first - buckets_) + 1 + ((hash >> 32) * (bucket_count_ - 1) >> 32);
  return buckets_ + (at < bucket_count_ ? at : at - bucket_count_);
}

inline uint32_t FlowTable::Matches(const Bucket& bucket, uint16_t tag) {
#ifdef __SSE2__
  const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tags.data()));
  const __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(static_cast<int16_t>(tag)));
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#else
  uint32_t matches = 0;
  for (size_t i = 0; i < bucket.tags.size(); ++i) matches |= uint32_t{bucket.tags[i] == tag} << i;
  return matches;
#endif
}

inline FlowEntry* FlowTable::FindIn(Bucket* bucket, uint16_t tag, const FlowKey& key) {
  for (uint32_t matches = Matches(*bucket, tag); matches != 0; matches &= matches - 1) {
    FlowEntry* entry = &bucket->entries[std::countr_zero(matches)];
    if (entry->key == key) return entry;
  }
  return nullptr;
}

inline void FlowTable::PrefetchTags(uint64_t hash) const {
  __builtin_prefetch(FirstOf(hash));
}

inline void FlowTable::PrefetchEntry(uint64_t hash) const {
  const Bucket* first = FirstOf(hash);
  const uint32_t matches = Matches(*first, TagOf(hash));
  if (matches != 0) {
    __builtin_prefetch(&first->entries[std::countr_zero(matches)]);
    return;
  }
  __builtin_prefetch(SecondOf(hash, first));
  // Where a new flow will most likely be written.
  if (const uint32_t free = FreeSlots(*first)) __builtin_prefetch(&first->entries[std::countr_zero(free)], 1);
}

inline FlowEntry* FlowTable::Find(const FlowKey& key, uint64_t hash, FlowTime now) {
  Bucket* first = FirstOf(hash);
  const uint16_t tag = TagOf(hash);
  FlowEntry* entry = FindIn(first, tag, key);
  if (entry == nullptr) entry = FindIn(SecondOf(hash, first), tag, key);
  return entry == nullptr || Idle(*entry, now) ? nullptr : entry;
}

}  // namespace qure
