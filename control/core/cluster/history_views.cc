// What follows from a history: summaries of eras, nodes online over time, reboots since a revision.
#include <algorithm>
#include <set>
#include <tuple>

#include "control/core/cluster/history.h"
#include "control/core/timers.h"

namespace qure {
namespace {

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

 private:
  std::map<uint32_t, std::set<NodeId>> nodes_;
};

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
          .founder = std::max(a.founder, b.founder)};
}

auto Place(const EraSummary& summary) {
  return std::pair(summary.era, summary.lineage);
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------- floor

// The oldest of the last kErasKept eras that there are events of; 0: there are no more than these. Eras are counted,
// not subtracted: one that jumped ahead in a merge does not push all before it out.
uint32_t History::OldestKept() const {
  std::set<uint32_t> eras;
  for (const auto& [boot, events] : boots_) {
    for (const HistoryEvent& event : events) eras.insert(event.era);
  }
  eras.erase(0);
  if (eras.size() < kErasKept) return 0;
  return *std::prev(eras.end(), kErasKept);
}

// A summary of an era that we have the events of makes us drop them, so it is believed only if enough later eras are
// known: as its maker must have known them, and a node that got the later events knows them too.
bool History::TakeSummary(const EraSummary& summary, uint32_t oldest_kept) {
  if (summary.era == 0 || summary.era > kEraLimit) return false;
  if (summary.era >= floor_ && summary.era >= oldest_kept) return false;
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

// Every era below the floor is folded, also one that is known of only now.
void History::RaiseFloor(uint32_t floor, std::vector<EraSummary>* changed) {
  if (floor <= floor_) return;
  Lifetimes ended;
  std::vector<std::pair<BootKey, size_t>> drops;
  for (const auto& [boot, events] : boots_) {
    size_t count = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      if (events[i].era >= floor) continue;
      count = i + 1;
      ended[{events[i].era, events[i].lineage}].push_back(events[i]);
    }
    drops.emplace_back(boot, count);
  }
  for (const auto& [boot, count] : drops) Drop(boot, count);
  for (auto& [lifetime, events] : ended) {
    if (lifetime.first == 0) continue;  // not written by a node within an era
    std::ranges::sort(events, {}, ByTime);
    const EraSummary summary = Fold(events);
    if (!TakeSummary(summary, /*oldest_kept=*/UINT32_MAX)) continue;
    std::erase_if(*changed, [&](const EraSummary& s) { return Place(s) == Place(summary); });
    changed->push_back(*FindSummary(summary));
  }
  floor_ = floor;
  drop_due_ = true;
}

const EraSummary* History::FindSummary(const EraSummary& like) const {
  const auto place = std::ranges::lower_bound(summaries_, Place(like), {}, Place);
  return place == summaries_.end() || Place(*place) != Place(like) ? nullptr : &*place;
}

bool History::Summarise(StoreChange* change) {
  const uint32_t oldest_kept = OldestKept();
  uint32_t newest_folded = 0;
  for (const auto& [boot, events] : boots_) {
    for (const HistoryEvent& event : events) {
      if (event.era < oldest_kept) newest_folded = std::max(newest_folded, event.era);
    }
  }
  if (newest_folded != 0) RaiseFloor(newest_folded + 1, &change->summaries);
  if (!drop_due_) return false;
  drop_due_ = false;
  change->drop_events_before_era = floor_;
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

std::vector<OnlineStep> History::Online() const {
  std::vector<OnlineStep> steps;
  OnlineCount online;
  for (const HistoryEvent& event : Timeline()) {
    const uint32_t count = online.After(event);
    if (!steps.empty() && steps.back().era == event.era && steps.back().online == count) continue;
    steps.push_back({.time = event.time, .era = event.era, .lineage = event.lineage, .online = count});
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
