#include "dataplane/pipeline/flow_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "proto/net/ip.h"

namespace qure {

namespace {

constexpr Duration kOpeningIdle = Seconds(10);
// A kernel probes a connection that has been silent for two hours (keepalive); ten minutes for the answer.
constexpr Duration kOwnIdle = Seconds(7800);
constexpr Duration kOthersIdle = Seconds(300);
constexpr Duration kPinnedFlowIdle = Seconds(300);  // its owner reports it more often than that
constexpr Duration kClosingIdle = Seconds(20);
constexpr Duration kDatagramsIdle = Seconds(60);

// Buckets for so many flows: 4.25 of the seven slots are taken when the table is as full as was asked for. At that load
// 1 of 10,000 flows is refused, and a flow takes 60 bytes.
constexpr size_t kBuckets = 4;
constexpr size_t kFlows = 17;
// Up to this many a flow goes to its first bucket without a look at the second. At that load 6 % are then in their
// second, and each of those costs a lookup one line more; with the plain rule, the emptier of both, it were 31 %.
constexpr int kFillFirst = 6;

// How long an entry stays when there is no room.
enum class Tenure : uint8_t { kProvisional, kCached, kStays };

Tenure TenureOf(const FlowEntry& entry) {
  if (entry.state == FlowState::kOpening || entry.state == FlowState::kFragments) return Tenure::kProvisional;
  const bool cached = entry.owner != kSelfSlot && !entry.pinned;
  return cached || entry.state == FlowState::kClosing ? Tenure::kCached : Tenure::kStays;
}

uint64_t NextKey(uint64_t* state) {  // splitmix64 (Steele et al. 2014)
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Duration IdleLimit(const FlowEntry& entry) {
  if (entry.state == FlowState::kClosing) return kClosingIdle;
  if (entry.pinned) return kPinnedFlowIdle;
  switch (entry.state) {
    case FlowState::kEstablished:
      return entry.owner == kSelfSlot ? kOwnIdle : kOthersIdle;
    case FlowState::kDatagrams:
      return kDatagramsIdle;
    case FlowState::kOpening:
      return entry.key.protocol == kProtocolUdp ? kDatagramsIdle : kOpeningIdle;
    default:
      return kOpeningIdle;
  }
}

FlowTable::FlowTable(size_t flows, uint64_t seed)
    : bucket_count_(std::max<size_t>(1, (flows * kBuckets + kFlows - 1) / kFlows)) {
  static_assert(kShortestIdle <= FlowTicks(kOpeningIdle) && kShortestIdle <= FlowTicks(kClosingIdle));
  for (uint64_t& key : hash_keys_) key = NextKey(&seed) | 1;
  // Zero is free, in tags and states. A page is taken up by the first flow that comes to lie in it; huge ones spare
  // each lookup in a large table a walk through page tables that do not fit the caches either.
  void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  madvise(memory, bytes(), MADV_HUGEPAGE);  // without them it is slower and no less right
  buckets_ = static_cast<Bucket*>(memory);
}

void FlowTable::Populate() {
  madvise(buckets_, bytes(), MADV_POPULATE_WRITE);  // an older kernel cannot: then flows take up the pages
}

FlowTable::~FlowTable() {
  munmap(buckets_, bytes());
}

bool FlowTable::IdleForLong(const FlowEntry& entry, FlowTime now) {
  // A worker's clock may be behind that of the one who wrote `seen`.
  return now > entry.seen && now.ticks - entry.seen.ticks > FlowTicks(IdleLimit(entry));
}

FlowTable::Choice FlowTable::ChoiceOf(uint64_t hash) const {
  Bucket* first = FirstOf(hash);
  return {first, SecondOf(hash, first), TagOf(hash)};
}

FlowTable::Bucket* FlowTable::BucketOf(const FlowEntry* entry) const {
  const ptrdiff_t offset = reinterpret_cast<const char*>(entry) - reinterpret_cast<const char*>(buckets_);
  return &buckets_[static_cast<size_t>(offset) / sizeof(Bucket)];
}

void FlowTable::SetTag(const FlowEntry* entry, uint16_t tag) {
  Bucket* bucket = BucketOf(entry);
  bucket->tags[static_cast<size_t>(entry - bucket->entries.data())] = tag;
}

FlowEntry* FlowTable::FreeEntry(const Choice& choice) {
  const uint32_t first = FreeSlots(*choice.first);
  const uint32_t second = FreeSlots(*choice.second);
  const int first_free = std::popcount(first);
  const bool take_first = first_free > static_cast<int>(kSlots) - kFillFirst || first_free >= std::popcount(second);
  const uint32_t slots = take_first ? first : second;
  if (slots == 0) return nullptr;
  return &(take_first ? choice.first : choice.second)->entries[std::countr_zero(slots)];
}

FlowEntry* FlowTable::IdleEntry(const Choice& choice, FlowTime now) {
  for (Bucket* bucket : {choice.first, choice.second}) {
    for (FlowEntry& entry : bucket->entries) {
      if (Idle(entry, now)) return &entry;
    }
  }
  return nullptr;
}

uint16_t* FlowTable::NoteOf(const FlowEntry* entry) {
  Bucket* bucket = BucketOf(entry);
  return &bucket->notes[static_cast<size_t>(entry - bucket->entries.data())];
}

FlowEntry* FlowTable::DisplaceableEntry(const Choice& choice) {
  FlowEntry* best = nullptr;
  Tenure least = Tenure::kStays;
  for (Bucket* bucket : {choice.first, choice.second}) {
    for (FlowEntry& entry : bucket->entries) {
      const Tenure tenure = TenureOf(entry);
      if (tenure == Tenure::kStays || tenure > least) continue;
      if (tenure == least && entry.seen >= best->seen) continue;
      best = &entry;
      least = tenure;
    }
  }
  return best;
}

FlowEntry* FlowTable::MakeRoom(const Choice& choice, FlowTime now) {
  if (FlowEntry* entry = FreeEntry(choice)) {
    ++counts_.flows;
    return entry;
  }
  if (FlowEntry* entry = IdleEntry(choice, now)) {
    ++counts_.expired;
    return entry;
  }
  FlowEntry* entry = DisplaceableEntry(choice);
  ++(entry == nullptr ? counts_.refused : counts_.displaced);
  return entry;
}

FlowEntry* FlowTable::Insert(const FlowKey& key, uint64_t hash, FlowTime now) {
  const Choice choice = ChoiceOf(hash);
  FlowEntry* entry = FindIn(choice.first, choice.tag, key);
  if (entry == nullptr) entry = FindIn(choice.second, choice.tag, key);
  if (entry != nullptr) {
    if (!Idle(*entry, now)) return entry;
    ++counts_.expired;
  } else {
    entry = MakeRoom(choice, now);
    if (entry == nullptr) return nullptr;
    SetTag(entry, choice.tag);
  }
  *entry = FlowEntry{.key = key, .state = FlowState::kOpening, .seen = now};
  ++counts_.inserted;
  return entry;
}

void FlowTable::Remove(FlowEntry* entry) {
  SetTag(entry, 0);
  *entry = FlowEntry{};
  --counts_.flows;
}

bool FlowTable::Sweep(FlowTime now, size_t buckets, const std::function<void(FlowEntry*)>& visit) {
  const size_t end = std::min(cursor_ + buckets, bucket_count_);
  for (; cursor_ < end; ++cursor_) {
    Bucket* bucket = &buckets_[cursor_];
    for (uint32_t taken = ~FreeSlots(*bucket) & ((1U << kSlots) - 1); taken != 0; taken &= taken - 1) {
      FlowEntry* entry = &bucket->entries[std::countr_zero(taken)];
      const bool idle = Idle(*entry, now);
      if (idle) ++counts_.expired;
      if (!idle) visit(entry);
      if (idle || entry->state == FlowState::kFree) Remove(entry);
    }
  }
  if (cursor_ < bucket_count_) return false;
  cursor_ = 0;
  return true;
}

}  // namespace qure
