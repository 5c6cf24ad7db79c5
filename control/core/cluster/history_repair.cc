// How two histories become equal: what each reports that it has, and what the other makes of it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "control/core/cluster/history.h"
#include "control/core/cluster/transport.h"
#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {
namespace {

// Of protobuf in one sealed datagram, less what wire::Message puts around a Pull or a Chunk.
constexpr size_t kRoom = kMaxMessage - 16;
constexpr size_t kAround = 3;      // tag and length of an element of at most kRoom bytes
constexpr size_t kNewest = 8;      // boots that a Pull of a long history names in any case
constexpr size_t kMaxWanted = 12;  // and boots that the other has more of
constexpr uint64_t kSkip = 16;     // boots

// Spreads the number of a round: two nodes that ask by turns must not for ever get the halves that they know.
uint64_t Mix(uint64_t round) {
  round = (round ^ (round >> 31)) * 0x9e3779b97f4a7c15;  // Fibonacci hashing
  return round ^ (round >> 29);
}

wire::HistoryEvent Write(const HistoryEvent& event, bool first) {
  wire::HistoryEvent out;
  out.set_node(WriteId(event.node));
  out.set_age(event.age);
  out.set_seq(event.seq);
  out.set_era(event.era);
  out.set_lineage(event.lineage);
  if (event.term != Term{}) WriteTerm(event.term, out.mutable_term());
  out.set_kind(static_cast<uint32_t>(event.kind));
  out.set_time(event.time);
  if (event.subject != NodeId{}) out.set_subject(WriteId(event.subject));
  out.set_text(event.text);
  if (first && event.seq > 1) out.set_first(true);
  return out;
}

wire::EraSummary Write(const EraSummary& summary) {
  wire::EraSummary out;
  out.set_era(summary.era);
  out.set_lineage(summary.lineage);
  out.set_began(summary.began);
  out.set_ended(summary.ended);
  out.set_boots(summary.boots);
  out.set_takeovers(summary.takeovers);
  out.set_most_online(summary.most_online);
  if (summary.founder != NodeId{}) out.set_founder(WriteId(summary.founder));
  out.set_until(summary.until);
  return out;
}

wire::BootCount WriteKey(const std::pair<NodeId, uint64_t>& boot) {
  wire::BootCount out;
  out.set_node(WriteId(boot.first));
  out.set_age(boot.second);
  return out;
}

std::optional<std::pair<NodeId, uint64_t>> ReadKey(const wire::BootCount& count) {
  const std::optional<NodeId> node = ReadId(count.node());
  if (!node) return std::nullopt;
  return std::pair{*node, count.age()};
}

// The first of `events` that is left when those below `floor` are dropped.
size_t FirstAbove(const std::vector<HistoryEvent>& events, const HistoryFloor& floor) {
  size_t from = events.size();
  while (from > 0 && PlaceOf(events[from - 1]) >= floor) --from;
  return from;
}

// Fills chunks one after the other.
class ChunkFiller {
 public:
  explicit ChunkFiller(size_t limit) : limit_(limit) {}

  // A chunk with room for a part of so many bytes; null if that would be one too many.
  wire::Chunk* RoomFor(size_t bytes) {
    if (used_ + bytes + kAround > kRoom) {
      if (chunks_.size() == limit_) return nullptr;
      chunks_.emplace_back();
      used_ = 0;
    }
    used_ += bytes + kAround;
    return &chunks_.back();
  }
  std::vector<wire::Chunk> Take() { return std::move(chunks_); }

 private:
  const size_t limit_;
  std::vector<wire::Chunk> chunks_;
  size_t used_ = kRoom;
};

}  // namespace

// The events from index `from` on up to number `until`.
History::Have History::HaveOf(const BootKey& boot, uint64_t until, size_t from) const {
  const std::vector<HistoryEvent>& events = boots_.at(boot);
  const std::vector<uint64_t>& hashes = hashes_.at(boot);
  uint64_t sum = 0;
  for (size_t i = from; i < events.size() && events[i].seq <= until; ++i) sum += hashes[i];
  return {.count = events.back().seq, .digest = static_cast<uint32_t>(sum ^ sum >> 32)};
}

// Boots that a Pull of a part names wherever it stands.
std::vector<History::BootKey> History::Named() const {
  std::vector<std::pair<uint64_t, BootKey>> by_time;
  by_time.reserve(boots_.size());
  for (const auto& [boot, events] : boots_) by_time.emplace_back(events.back().time, boot);
  const auto middle = by_time.begin() + static_cast<ptrdiff_t>(std::min(kNewest, by_time.size()));
  std::ranges::partial_sort(by_time, middle, std::greater<>());
  std::vector<BootKey> named = wanted_;
  for (auto it = by_time.begin(); it != middle; ++it) {
    if (std::ranges::find(named, it->second) == named.end()) named.push_back(it->second);
  }
  return named;
}

wire::Pull History::MakePull(bool answer) {
  wire::Pull pull;
  pull.set_answer(answer);
  pull.set_floor(floor_.era);
  pull.set_floor_time(floor_.time);
  pull.set_summaries(summaries_digest_);
  const size_t bounds = 2 * (WriteKey({self_, kAgeLimit}).ByteSizeLong() + kAround);
  const size_t room = kRoom - pull.ByteSizeLong() - bounds;
  size_t left = room;
  if (!std::ranges::all_of(boots_, [&](const auto& entry) { return AddTo(&pull, entry.first, &left); })) {
    pull.clear_have();
    AddPart(&pull, room);
  }
  wanted_.clear();
  return pull;
}

bool History::AddTo(wire::Pull* pull, const BootKey& boot, size_t* room) const {
  wire::BootCount entry = WriteKey(boot);
  if (boots_.contains(boot)) {
    const Have have = HaveOf(boot, UINT64_MAX, 0);
    entry.set_count(have.count);
    entry.set_digest(have.digest);
  }
  const size_t size = entry.ByteSizeLong() + kAround;
  if (size > *room) return false;
  *room -= size;
  *pull->add_have() = std::move(entry);
  return true;
}

// The named boots, of which there are few enough to leave room; then as many of all as fit, after those of the last
// Pull. Now and then some are passed over: who asks two others by turns must not for ever ask each for the same half.
void History::AddPart(wire::Pull* pull, size_t room) {
  const std::vector<BootKey> named = Named();
  for (const BootKey& boot : named) AddTo(pull, boot, &room);
  auto it = pulled_ ? boots_.lower_bound(*pulled_) : boots_.begin();
  const uint64_t mixed = Mix(++rounds_);
  for (uint64_t skip = mixed % 4 == 0 ? mixed / 4 % kSkip : 0; skip > 0 && it != boots_.end(); --skip) ++it;
  if (it == boots_.end()) it = boots_.begin();
  if (it != boots_.begin()) *pull->mutable_from() = WriteKey(it->first);
  pulled_.reset();
  for (; it != boots_.end(); ++it) {
    const bool said = std::ranges::find(named, it->first) != named.end();
    if (said || AddTo(pull, it->first, &room)) continue;
    *pull->mutable_until() = WriteKey(it->first);
    pulled_ = it->first;
    return;
  }
}

History::Difference History::Compare(const wire::Pull& pull) const {
  std::map<BootKey, Have> theirs;
  Difference difference;
  for (const wire::BootCount& entry : pull.have()) {
    const auto boot = ReadKey(entry);
    if (!boot || boot->second == 0 || boot->second >= kAgeLimit) continue;
    theirs[*boot] = {.count = entry.count(), .digest = entry.digest()};
    if (entry.count() > 0 && !boots_.contains(*boot)) difference.ours.push_back(*boot);
  }
  const auto from = pull.has_from() ? ReadKey(pull.from()) : std::nullopt;
  const auto until = pull.has_until() ? ReadKey(pull.until()) : std::nullopt;
  for (const auto& [boot, events] : boots_) {
    const auto found = theirs.find(boot);
    const bool covered = (!from || boot >= *from) && (!until || boot < *until);
    if (found != theirs.end()) {
      CompareBoot(boot, found->second, pull, &difference);
    } else if (covered) {
      CompareBoot(boot, Have{}, pull, &difference);
    }
  }
  return difference;
}

// Digests separate a boot that was written twice from one that goes on, once both have summarised alike.
void History::CompareBoot(const BootKey& boot, const Have& theirs, const wire::Pull& pull, Difference* out) const {
  const std::vector<HistoryEvent>& events = boots_.at(boot);
  const HistoryFloor floor{.era = pull.floor(), .time = pull.floor_time()};
  const size_t from = FirstAbove(events, floor);
  const uint32_t last = events.back().seq;
  const bool nothing = from == events.size() || theirs.count < events[from].seq;
  const bool differs =
      !nothing && floor >= floor_ && theirs.count <= last && HaveOf(boot, theirs.count, from).digest != theirs.digest;
  if (theirs.count > last || differs) out->ours.push_back(boot);
  if (from == events.size()) return;
  if (nothing || differs) {
    out->theirs.push_back({.boot = boot, .from = from, .whole = true});
  } else if (theirs.count < last) {
    out->theirs.push_back({.boot = boot, .from = from + (theirs.count + 1 - events[from].seq)});
  }
}

std::vector<wire::Chunk> History::Answer(const wire::Pull& pull, size_t limit, bool* querier_has_more) {
  Difference difference = Compare(pull);
  const bool summaries_differ = pull.summaries() != summaries_digest_;
  *querier_has_more = summaries_differ || !difference.ours.empty();
  for (const BootKey& boot : difference.ours) {
    if (wanted_.size() < kMaxWanted && std::ranges::find(wanted_, boot) == wanted_.end()) wanted_.push_back(boot);
  }

  // Begins elsewhere each time: what one client never takes must not keep the rest from it.
  const uint64_t mixed = Mix(++rounds_);
  if (!difference.theirs.empty()) {
    const auto start = static_cast<ptrdiff_t>(mixed % difference.theirs.size());
    std::rotate(difference.theirs.begin(), difference.theirs.begin() + start, difference.theirs.end());
  }
  const std::vector<wire::Chunk> summaries = ChunksOfSummaries(summaries_differ ? (limit + (mixed & 1)) / 2 : 0);
  // Events first: a summary is believed by who knows of enough eras after it.
  std::vector<wire::Chunk> chunks = ChunksOf(difference.theirs, limit - summaries.size());
  chunks.insert(chunks.end(), summaries.begin(), summaries.end());
  return chunks;
}

std::vector<wire::Chunk> History::ChunksOf(const std::vector<Segment>& segments, size_t limit) const {
  ChunkFiller filler(limit);
  for (const Segment& segment : segments) {
    const std::vector<HistoryEvent>& events = boots_.at(segment.boot);
    for (size_t i = segment.from; i < events.size(); ++i) {
      wire::HistoryEvent event = Write(events[i], segment.whole && i == segment.from);
      wire::Chunk* const chunk = filler.RoomFor(event.ByteSizeLong());
      if (chunk == nullptr) return filler.Take();
      *chunk->add_events() = std::move(event);
    }
  }
  return filler.Take();
}

std::vector<wire::Chunk> History::ChunksOfSummaries(size_t limit) const {
  ChunkFiller filler(limit);
  for (size_t i = 0; i < summaries_.size(); ++i) {
    wire::EraSummary summary = Write(summaries_[(Mix(rounds_) + i) % summaries_.size()]);
    wire::Chunk* const chunk = filler.RoomFor(summary.ByteSizeLong());
    if (chunk == nullptr) return filler.Take();
    *chunk->add_summaries() = std::move(summary);
  }
  return filler.Take();
}

wire::Chunk History::ChunkOf(const HistoryEvent& event) {
  wire::Chunk chunk;
  *chunk.add_events() = Write(event, /*first=*/false);
  return chunk;
}

}  // namespace qure
