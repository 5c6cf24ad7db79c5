#include "control/core/cluster/history.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {
namespace {

constexpr int kCounterBits = 16;  // of a hybrid logical time, below its milliseconds
constexpr uint64_t kMaxWallMs = (uint64_t{1} << (64 - kCounterBits)) - 1;

bool IsPlain(char c) {
  return c >= ' ' && c <= '~';
}

// Text goes to terminals, into JSON and SVG, and protobuf refuses what is not UTF-8: printable ASCII only.
std::string Plain(std::string text) {
  if (text.size() > kMaxHistoryText) text.resize(kMaxHistoryText);
  std::ranges::replace_if(
      text, [](char c) { return !IsPlain(c); }, '?');
  return text;
}

std::optional<HistoryEvent> Read(const wire::HistoryEvent& event) {
  const std::optional<NodeId> node = ReadId(event.node());
  const std::optional<NodeId> subject = event.subject().empty() ? NodeId{} : ReadId(event.subject());
  if (!node || !subject) return std::nullopt;
  if (event.age() == 0 || event.age() >= kAgeLimit || event.seq() == 0 || event.era() > kEraLimit) return std::nullopt;
  if (event.kind() == 0 || event.kind() > UINT8_MAX) return std::nullopt;
  if (event.text().size() > kMaxHistoryText || !std::ranges::all_of(event.text(), IsPlain)) return std::nullopt;
  return HistoryEvent{.node = *node,
                      .age = event.age(),
                      .seq = event.seq(),
                      .era = event.era(),
                      .lineage = event.lineage(),
                      .term = ReadTerm(event.term()),
                      .kind = static_cast<HistoryKind>(event.kind()),
                      .time = event.time(),
                      .subject = *subject,
                      .text = event.text()};
}

EraSummary Read(const wire::EraSummary& summary) {
  return {.era = summary.era(),
          .lineage = summary.lineage(),
          .began = summary.began(),
          .ended = summary.ended(),
          .boots = summary.boots(),
          .takeovers = summary.takeovers(),
          .most_online = summary.most_online(),
          .founder = ReadId(summary.founder()).value_or(NodeId{}),
          .until = summary.until()};
}

// SipHash under a fixed key: it only has to separate events, alike on all nodes; what comes in is authenticated.
class Hash {
 public:
  void Add(const NodeId& id) {
    std::ranges::copy(id, bytes_.begin() + static_cast<ptrdiff_t>(size_));
    size_ += id.size();
  }
  void Add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) bytes_[size_++] = static_cast<uint8_t>(number >> shift);
  }
  uint64_t Of(std::string_view text) {
    text = text.substr(0, kMaxHistoryText);
    std::ranges::copy(text, bytes_.begin() + static_cast<ptrdiff_t>(size_));
    constexpr std::array<uint8_t, crypto_shorthash_KEYBYTES> kKey = {'Q', 'u', 'R', 'e'};
    std::array<uint8_t, crypto_shorthash_BYTES> digest;
    crypto_shorthash(digest.data(), bytes_.data(), size_ + text.size(), kKey.data());
    uint64_t hash = 0;
    for (const uint8_t byte : digest) hash = hash << 8 | byte;
    return hash;
  }

 private:
  std::array<uint8_t, 2 * sizeof(NodeId) + 9 * sizeof(uint64_t) + kMaxHistoryText> bytes_{};
  size_t size_ = 0;
};

}  // namespace

std::string_view NameOf(HistoryKind kind) {
  switch (kind) {
    case HistoryKind::kBoot:
      return "boot";
    case HistoryKind::kEra:
      return "era";
    case HistoryKind::kMaster:
      return "master";
    case HistoryKind::kDown:
      return "down";
    case HistoryKind::kLeft:
      return "left";
    case HistoryKind::kMerge:
      return "merge";
    case HistoryKind::kHandover:
      return "handover";
    case HistoryKind::kStalled:
      return "stalled";
    case HistoryKind::kRevision:
      return "revision";
    case HistoryKind::kConfig:
      return "config";
  }
  return "unknown";  // of a later version: kept and passed on all the same
}

History::History(const NodeId& self, uint64_t age, std::vector<HistoryEvent> events,
                 const std::vector<EraSummary>& summaries)
    : self_(self), age_(age) {
  for (const EraSummary& summary : summaries) {
    if (summary.era == 0 || summary.era > kEraLimit) continue;
    TakeSummary(summary);
    floor_ = std::max(floor_, EndOf(summary));
  }
  std::ranges::sort(events, {}, [](const HistoryEvent& e) { return std::tuple(e.node, e.age, e.seq); });
  for (const HistoryEvent& event : events) {
    if (event.node == self_) last_time_ = std::max(last_time_, event.time);  // others' times may be absurd
    if (PlaceOf(event) < floor_) drop_due_ = true;
    Take(event, !boots_.contains({event.node, event.age}));
  }
}

// ------------------------------------------------------------------------------------------------------------- times

void History::SetWallClock(MonoTime now, uint64_t wall_ms) {
  const bool first = !wall_ms_.has_value();
  wall_ms_ = std::min(wall_ms, kMaxWallMs);
  wall_at_ = now;
  if (!first) return;
  // An earlier boot of ours was far ahead: its clock was wrong if the others agree with ours of now.
  if (const uint64_t others = LatestOfOthers(); IsFar(last_time_) && others != 0 && !IsFar(others)) last_time_ = 0;
  for (const auto& [boot, events] : boots_) {
    for (const HistoryEvent& event : events) Follow(event.time);
  }
}

// Hybrid logical time follows the greatest time heard, so that effects sort after their causes; but one node with a
// clock years ahead must not take all others there.
void History::Follow(uint64_t time) {
  if (wall_ms_ && !IsFar(time)) last_time_ = std::max(last_time_, time);
}

// The latest time of others that is believed.
uint64_t History::LatestTime() const {
  if (!wall_ms_) return UINT64_MAX;
  const uint64_t limit = std::min(*wall_ms_ + static_cast<uint64_t>(kMaxAhead.ns / Milliseconds(1).ns), kMaxWallMs);
  return limit << kCounterBits | ((uint64_t{1} << kCounterBits) - 1);
}

// The latest time of other nodes' events; 0: there are none.
uint64_t History::LatestOfOthers() const {
  uint64_t latest = 0;
  for (const auto& [boot, events] : boots_) {
    if (boot.first == self_) continue;
    for (const HistoryEvent& event : events) latest = std::max(latest, event.time);
  }
  return latest;
}

// Too far ahead of the wall clock to be believed.
bool History::IsFar(uint64_t time) const {
  return time > LatestTime();
}

uint64_t History::TimeAt(MonoTime now) const {
  return WallMs(now) << kCounterBits;
}

uint64_t History::WallMs(MonoTime now) const {
  if (!wall_ms_) return 0;
  const int64_t since = std::max<int64_t>((now - wall_at_).ns / Milliseconds(1).ns, 0);
  return std::min(*wall_ms_ + static_cast<uint64_t>(since), kMaxWallMs);
}

const HistoryEvent& History::Add(MonoTime now, HistoryEvent event) {
  const uint64_t time = WallMs(now) << kCounterBits;
  last_time_ = std::max(time, last_time_ + 1);
  if (event.era == floor_.era) last_time_ = std::max(last_time_, floor_.time);  // it is later than what was folded
  event.node = self_;
  event.age = age_;
  event.seq = ++own_seq_;
  event.time = last_time_;
  event.text = Plain(std::move(event.text));
  added_ = std::move(event);
  // Of an era that others have summarised: we are behind them, and shall merge soon. What follows is a new beginning.
  if (PlaceOf(added_) >= floor_) {
    Append(added_);
  } else if (const auto own = boots_.find({self_, age_}); own != boots_.end()) {
    Drop(own->first, own->second.size());
  }
  return added_;
}

std::vector<HistoryEvent> History::Rekey(uint64_t age) {
  if (age <= age_) return {};
  const auto found = boots_.find({self_, age_});
  std::vector<HistoryEvent> moved = found == boots_.end() ? std::vector<HistoryEvent>{} : found->second;
  Drop({self_, age_}, moved.size());
  age_ = age;
  own_age_is_foreign_ = false;
  if (const auto there = boots_.find({self_, age_}); there != boots_.end()) Drop(there->first, there->second.size());
  for (HistoryEvent& event : moved) {
    event.age = age_;
    Append(event);
  }
  added_.age = age_;
  return moved;
}

// ------------------------------------------------------------------------------------------------------------ events

uint64_t History::HashOf(const HistoryEvent& event) {
  Hash hash;
  hash.Add(event.node);
  hash.Add(event.subject);
  for (const uint64_t number :
       {event.age, uint64_t{event.seq}, uint64_t{event.era}, event.lineage, uint64_t{event.term.era}, event.term.epoch,
        event.term.holder, static_cast<uint64_t>(event.kind), event.time}) {
    hash.Add(number);
  }
  return hash.Of(event.text);
}

uint64_t History::HashOf(const EraSummary& summary) {
  Hash hash;
  hash.Add(summary.founder);
  for (const uint64_t number : {uint64_t{summary.era}, summary.lineage, summary.began, summary.ended,
                                uint64_t{summary.boots}, uint64_t{summary.takeovers}, uint64_t{summary.most_online}}) {
    hash.Add(number);
  }
  if (summary.until != 0) hash.Add(summary.until);
  return hash.Of("era summary");
}

std::vector<HistoryEvent> History::Merge(const wire::Chunk& chunk, std::vector<EraSummary>* new_summaries) {
  std::vector<std::pair<HistoryEvent, bool>> heard;
  for (const wire::HistoryEvent& event : chunk.events()) {
    if (std::optional<HistoryEvent> read = Read(event)) heard.emplace_back(*std::move(read), event.first());
  }
  std::ranges::stable_sort(
      heard, {}, [](const auto& entry) { return std::tuple(entry.first.node, entry.first.age, entry.first.seq); });
  std::vector<HistoryEvent> taken;
  for (const auto& [event, first] : heard) {
    if (Take(event, first)) taken.push_back(event);
  }

  TakeSummaries(chunk, new_summaries);
  std::erase_if(taken, [this](const HistoryEvent& event) { return PlaceOf(event) < floor_; });
  return taken;
}

// What we have below the new floor is folded first: added to what was folded of the era before, as its maker did. Then
// both are joined.
void History::TakeSummaries(const wire::Chunk& chunk, std::vector<EraSummary>* changed) {
  const uint32_t oldest_kept = OldestKept();
  HistoryFloor floor = floor_;
  std::vector<EraSummary> believed;
  for (const wire::EraSummary& summary : chunk.summaries()) {
    const EraSummary read = Read(summary);
    if (!Believes(read, oldest_kept)) continue;
    floor = std::max(floor, EndOf(read));
    believed.push_back(read);
  }
  RaiseFloor(floor, changed);
  for (const EraSummary& summary : believed) {
    if (TakeSummary(summary)) NoteChanged(*FindSummary(summary), changed);
  }
}

// Takes what continues a boot. Two events may have one number, if a rolled-back store made a node use an age twice:
// the one of the greater hash stays, on every node.
bool History::Take(const HistoryEvent& event, bool first) {
  const BootKey boot{event.node, event.age};
  if (PlaceOf(event) < floor_) return false;
  const auto found = boots_.find(boot);
  const bool known = found != boots_.end();
  const uint32_t front = known ? found->second.front().seq : 0;
  const uint32_t back = known ? found->second.back().seq : 0;
  const bool within = known && event.seq >= front && event.seq <= back;
  const uint64_t hash = HashOf(event);
  if (boot == BootKey{self_, age_}) {
    // Only this node can have written it, unless this age was used before.
    if (!within || hashes_[boot][event.seq - front] != hash) own_age_is_foreign_ = true;
    return false;
  }
  if (within) {
    const size_t index = event.seq - front;
    if (hash <= hashes_[boot][index]) return false;
    Replace(index, event);
  } else {
    if (known && event.seq < front) return false;
    const bool continues = known ? event.seq == uint64_t{back} + 1 : event.seq == 1;
    if (!continues && !first) return false;  // a gap: it comes again
    if (events_ >= kMaxHistoryEvents) return false;
    if (known && !continues) Drop(boot, found->second.size());
    Append(event);
  }
  Follow(event.time);
  return true;
}

void History::Append(const HistoryEvent& event) {
  const BootKey boot{event.node, event.age};
  const uint64_t hash = HashOf(event);
  boots_[boot].push_back(event);
  hashes_[boot].push_back(hash);
  events_digest_ += hash;
  CountEra(event.era, 1);
  ++events_;
}

void History::CountEra(uint32_t era, int64_t by) {
  size_t& count = eras_[era];
  count = static_cast<size_t>(static_cast<int64_t>(count) + by);
  if (count == 0) eras_.erase(era);
}

void History::Replace(size_t index, const HistoryEvent& event) {
  const BootKey boot{event.node, event.age};
  uint64_t& hash = hashes_[boot][index];
  events_digest_ -= hash;
  hash = HashOf(event);
  events_digest_ += hash;
  CountEra(boots_[boot][index].era, -1);
  CountEra(event.era, 1);
  boots_[boot][index] = event;
}

void History::Drop(const BootKey& boot, size_t count) {
  const auto events = boots_.find(boot);
  if (events == boots_.end() || count == 0) return;
  std::vector<uint64_t>& hashes = hashes_[boot];
  const auto end = static_cast<ptrdiff_t>(count);
  for (size_t i = 0; i < count; ++i) {
    events_digest_ -= hashes[i];
    CountEra(events->second[i].era, -1);
  }
  events_ -= count;
  events->second.erase(events->second.begin(), events->second.begin() + end);
  hashes.erase(hashes.begin(), hashes.begin() + end);
  if (!events->second.empty()) return;
  hashes_.erase(boot);
  boots_.erase(events);  // `boot` may have been its key
}

uint32_t History::highest_era() const {
  const uint32_t folded = summaries_.empty() ? 0 : summaries_.back().era;
  return eras_.empty() ? folded : std::max(folded, eras_.rbegin()->first);
}

uint64_t History::age_of(const NodeId& node) const {
  const auto above = boots_.lower_bound({node, UINT64_MAX});
  const bool known = above != boots_.begin() && std::prev(above)->first.first == node;
  const uint64_t age = known ? std::prev(above)->first.second : 0;
  return node == self_ ? std::max(age, age_) : age;
}

}  // namespace qure
