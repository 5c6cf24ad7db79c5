// What follows from a history: summaries of eras, nodes online over time, reboots since a revision.
#include <algorithm>
#include <iterator>
#include <optional>
#include <ranges>
#include <set>
#include <tuple>

#include "absl/strings/numbers.h"
#include "control/core/cluster/history.h"
#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure {
namespace {

constexpr int kCounterBits = 16;  // of a hybrid logical time, below its milliseconds

auto ByTime(const HistoryEvent& event) {
  return std::tuple(event.time, event.node, event.age, event.seq);
}

// Who is online, from events in the order of time. By era: a lifetime that ended with all nodes at once has left
// no node to write that down, and two eras can exist side by side until they meet.
class OnlineCount {
 public:
  // Returns how many are online in the event's era after it.
  uint32_t After(const HistoryEvent& event) {
    std::set<NodeId>& here = nodes_[event.era];
    if (event.kind == HistoryKind::kEra) here.clear();
    for (auto& [era, nodes] : nodes_) nodes.erase(event.node);
    here.insert(event.node);  // a node that writes is active
    if ((event.kind == HistoryKind::kDown || event.kind == HistoryKind::kLeft) && event.subject != event.node) {
      for (auto& [era, nodes] : nodes_) nodes.erase(event.subject);
    }
    std::erase_if(nodes_, [&](const auto& entry) { return entry.second.empty(); });
    return static_cast<uint32_t>(here.size());
  }
  // The node has gone, and nobody wrote that down. Returns the era that it was in, and who is left there.
  std::optional<std::pair<uint32_t, uint32_t>> Without(const NodeId& node) {
    for (auto& [era, nodes] : nodes_) {
      if (nodes.erase(node) > 0) return std::pair(era, static_cast<uint32_t>(nodes.size()));
    }
    return std::nullopt;
  }

 private:
  std::map<uint32_t, std::set<NodeId>> nodes_;
};

// What changes the number of nodes online, at the time that is believed.
struct Mark {
  uint64_t time = 0;
  const HistoryEvent* event = nullptr;
  bool end_before = false;  // the last sign of life of the node's boot before this event's
};

auto ByMark(const Mark& mark) {
  const HistoryEvent& event = *mark.event;
  return std::tuple(mark.time, !mark.end_before, event.node, event.age, event.seq);
}

// The last sign of life of the boot before; 0: unknown.
uint64_t EndBefore(const HistoryEvent& event) {
  uint64_t alive_ms = 0;
  if (event.kind != HistoryKind::kBoot || !absl::SimpleAtoi(event.text, &alive_ms)) return 0;
  return alive_ms >> (64 - kCounterBits) == 0 ? alive_ms << kCounterBits : 0;
}

using Lifetimes = std::map<std::pair<uint32_t, uint64_t>, std::vector<HistoryEvent>>;  // by era and lineage

// The same events give the same summary on every node. In the order of time.
EraSummary Fold(const std::vector<HistoryEvent>& events) {
  EraSummary summary{.era = events.front().era,
                     .lineage = events.front().lineage,
                     .began = events.front().time,
                     .ended = events.back().time};
  OnlineCount online;
  for (const HistoryEvent& event : events) {
    summary.most_online = std::max(summary.most_online, online.After(event));
    summary.boots += event.kind == HistoryKind::kBoot;
    summary.takeovers += event.kind == HistoryKind::kMaster;
    if (event.kind == HistoryKind::kEra && summary.founder == NodeId{}) summary.founder = event.node;
  }
  return summary;
}

uint64_t Earlier(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return a | b;
  return std::min(a, b);
}

// Two summaries of one era, by nodes that did not know the same of it. A join: the order of joining does not matter.
EraSummary Join(const EraSummary& a, const EraSummary& b) {
  return {.era = a.era,
          .lineage = a.lineage,
          .began = Earlier(a.began, b.began),
          .ended = std::max(a.ended, b.ended),
          .boots = std::max(a.boots, b.boots),
          .takeovers = std::max(a.takeovers, b.takeovers),
          .most_online = std::max(a.most_online, b.most_online),
          .founder = std::max(a.founder, b.founder),
          .until = a.until == 0 || b.until == 0 ? 0 : std::max(a.until, b.until)};
}

// Of an era that was folded in part, with what came after.
EraSummary Continue(const EraSummary& before, const EraSummary& after) {
  EraSummary both = Join(before, after);
  both.boots = before.boots + after.boots;
  both.takeovers = before.takeovers + after.takeovers;
  if (before.founder != NodeId{}) both.founder = before.founder;
  return both;
}

auto Place(const EraSummary& summary) {
  return std::pair(summary.era, summary.lineage);
}

}  // namespace

HistoryFloor PlaceOf(const HistoryEvent& event) {
  return {.era = event.era, .time = event.time};
}

HistoryFloor EndOf(const EraSummary& summary) {
  if (summary.until == 0) return {.era = summary.era + 1, .time = 0};
  return {.era = summary.era, .time = summary.until};
}

void NoteChanged(const EraSummary& summary, std::vector<EraSummary>* changed) {
  std::erase_if(*changed, [&](const EraSummary& other) { return Place(other) == Place(summary); });
  changed->push_back(summary);
}

// ------------------------------------------------------------------------------------------------------------- floor

// The oldest of the last kErasKept eras that there are events of; 0: there are no more than these. Eras are counted,
// not subtracted: one that jumped ahead in a merge does not push all before it out.
uint32_t History::OldestKept() const {
  const size_t eras = eras_.size() - eras_.count(0);
  return eras < kErasKept ? 0 : std::prev(eras_.end(), kErasKept)->first;
}

// Where to fold a history that has grown too long: the newest events stay, whatever their era. Times that nobody
// believes are not followed.
std::optional<HistoryFloor> History::FoldPoint() const {
  if (events_ < kFoldHistoryAt || Mutated(Mutation::kKeepWholeEras)) return std::nullopt;
  std::vector<HistoryFloor> places;
  places.reserve(events_);
  for (const auto& [boot, events] : boots_) {
    for (const HistoryEvent& event : events) places.push_back(PlaceOf(event));
  }
  const auto oldest = places.end() - static_cast<ptrdiff_t>(kHistoryKept);
  std::ranges::nth_element(places, oldest);
  return HistoryFloor{.era = oldest->era, .time = std::min(oldest->time, LatestTime())};
}

// A summary of what we have the events of makes us drop them, so it is believed only if enough that is later is known:
// as its maker must have known it, and a node that got the later events knows them too.
bool History::Believes(const EraSummary& summary, uint32_t oldest_kept) const {
  if (summary.era == 0 || summary.era > kEraLimit) return false;
  const HistoryFloor end = EndOf(summary);
  if (end <= floor_ || summary.era < oldest_kept) return true;
  if (end.time > LatestTime()) return false;
  size_t later = 0;
  for (const auto& [boot, events] : boots_) {
    later += static_cast<size_t>(std::ranges::count_if(events, [&](const auto& e) { return PlaceOf(e) >= end; }));
  }
  return later >= kHistoryBelieved;
}

bool History::TakeSummary(const EraSummary& summary) {
  const auto place = std::ranges::lower_bound(summaries_, Place(summary), {}, Place);
  if (place != summaries_.end() && Place(*place) == Place(summary)) {
    const EraSummary joined = Join(*place, summary);
    if (*place == joined) return false;
    summaries_digest_ += HashOf(joined) - HashOf(*place);
    *place = joined;
    return true;
  }
  const bool full = summaries_.size() >= kMaxSummaries;
  if (full && place == summaries_.begin()) return false;  // the newest stay, on every node
  summaries_.insert(place, summary);
  summaries_digest_ += HashOf(summary);
  if (full) {
    summaries_digest_ -= HashOf(summaries_.front());
    summaries_.erase(summaries_.begin());
  }
  return true;
}

// Everything below the floor is folded, also an era that is known of only now.
void History::RaiseFloor(const HistoryFloor& floor, std::vector<EraSummary>* changed) {
  if (floor <= floor_) return;
  Lifetimes ended;
  std::vector<std::pair<BootKey, size_t>> drops;
  for (const auto& [boot, events] : boots_) {
    size_t count = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      if (PlaceOf(events[i]) >= floor) continue;
      count = i + 1;
      ended[{events[i].era, events[i].lineage}].push_back(events[i]);
    }
    drops.emplace_back(boot, count);
  }
  for (const auto& [boot, count] : drops) Drop(boot, count);
  for (auto& [lifetime, events] : ended) {
    if (lifetime.first == 0) continue;  // not written by a node within an era
    std::ranges::sort(events, {}, ByTime);
    EraSummary summary = Fold(events);
    if (lifetime.first == floor.era) summary.until = floor.time;
    const EraSummary* const before = FindSummary(summary);
    if (before != nullptr && before->until != 0) {
      const uint64_t until = summary.until;
      summary = Continue(*before, summary);
      summary.until = until;
    }
    if (TakeSummary(summary)) NoteChanged(*FindSummary(summary), changed);
  }
  MoveEndsTo(floor, changed);
  floor_ = floor;
  drop_due_ = true;
}

// A summary of an era with nothing between its end and the floor is of all that is below the floor, too: alike on all
// nodes.
void History::MoveEndsTo(const HistoryFloor& floor, std::vector<EraSummary>* changed) {
  for (EraSummary& summary : summaries_) {
    if (summary.until == 0 || EndOf(summary) >= floor) continue;
    summaries_digest_ -= HashOf(summary);
    summary.until = summary.era == floor.era ? floor.time : 0;
    summaries_digest_ += HashOf(summary);
    NoteChanged(summary, changed);
  }
}

const EraSummary* History::FindSummary(const EraSummary& like) const {
  const auto place = std::ranges::lower_bound(summaries_, Place(like), {}, Place);
  return place == summaries_.end() || Place(*place) != Place(like) ? nullptr : &*place;
}

bool History::Summarise(StoreChange* change) {
  const auto kept = eras_.lower_bound(OldestKept());
  if (kept != eras_.begin() && std::prev(kept)->first != 0) {
    RaiseFloor({.era = std::prev(kept)->first + 1, .time = 0}, &change->summaries);
  }
  if (const auto point = FoldPoint()) RaiseFloor(*point, &change->summaries);
  if (!drop_due_) return false;
  drop_due_ = false;
  change->drop_events_before_era = floor_.era;
  change->drop_events_before_time = floor_.time;
  return true;
}

// ------------------------------------------------------------------------------------------------------------- views

std::vector<HistoryEvent> History::Timeline() const {
  std::vector<HistoryEvent> all;
  all.reserve(events_);
  for (const auto& [boot, events] : boots_) all.insert(all.end(), events.begin(), events.end());
  std::ranges::sort(all, {}, ByTime);
  return all;
}

bool History::IsAhead(uint64_t time, uint64_t now_ms) {
  return time >> kCounterBits > now_ms + static_cast<uint64_t>(kClockAhead.ns / Milliseconds(1).ns);
}

std::vector<OnlineStep> History::Online(uint64_t now_ms) const {
  std::vector<Mark> marks;
  for (const auto& [boot, events] : boots_) {
    uint64_t later = now_ms << kCounterBits;  // the time of the next event of this boot that is believed
    for (const HistoryEvent& event : std::views::reverse(events)) {
      if (!IsAhead(event.time, now_ms)) later = event.time;
      marks.push_back({.time = later, .event = &event});
      const uint64_t end = EndBefore(event);
      if (end != 0 && end < later) marks.push_back({.time = end, .event = &event, .end_before = true});
    }
  }
  std::ranges::sort(marks, {}, ByMark);
  std::vector<OnlineStep> steps;
  OnlineCount online;
  for (const Mark& mark : marks) {
    const HistoryEvent& event = *mark.event;
    OnlineStep step{.time = mark.time, .era = event.era, .lineage = event.lineage};
    if (mark.end_before) {
      const auto left = online.Without(event.node);
      if (!left) continue;  // others have written it down
      std::tie(step.era, step.online) = *left;
    } else {
      step.online = online.After(event);
    }
    if (!steps.empty() && steps.back().era == step.era && steps.back().online == step.online) continue;
    steps.push_back(step);
  }
  return steps;
}

uint64_t History::RebootsSince(std::string_view revision) const {
  const std::vector<HistoryEvent> timeline = Timeline();
  const auto names = [&](const HistoryEvent& e) { return e.kind == HistoryKind::kRevision && e.text == revision; };
  const auto first = std::ranges::find_if(timeline, names);
  if (first == timeline.end()) return 0;
  // The boot that brought it wrote kBoot before: not a boot since.
  return static_cast<uint64_t>(std::count_if(first, timeline.end(), [&](const HistoryEvent& event) {
    return event.kind == HistoryKind::kBoot && std::pair(event.node, event.age) != std::pair(first->node, first->age);
  }));
}

}  // namespace qure
