#include "dataplane/pipeline/flow_keeper.h"

#include <algorithm>

#include "dataplane/pipeline/flow_rules.h"

namespace qure {
namespace {

// A pass over the table takes so many ticks of FlowTime: 10 s, or a third of a second when the master waits for reports
// of pinned flows: until it has them, another change is not safe.
constexpr size_t kPassTicks = 150;
constexpr size_t kHurriedPassTicks = 5;
// At most so many buckets a round: some 50 µs.
constexpr size_t kBucketsPerRound = 256;

}  // namespace

FlowKeeper::FlowKeeper(const FlowOptions& options, WorkerCounters* counters, WorkerProgress* progress)
    : options_(options),
      counters_(counters),
      progress_(progress),
      table_(options.flows, options.seed),
      heavy_hitters_(options.seed),
      top_(options.seed) {
  table_.Populate();
}

bool FlowKeeper::Round(MonoTime time, const Snapshot& snapshot) {
  const FlowTime now = FlowTimeOf(time);
  if (options_.question != nullptr && options_.question->asked()) Answer(now);
  if (snapshot.balance == nullptr) return false;
  const uint32_t heavy_hitter = snapshot.balance->heavy_hitter;
  heavy_hitters_.SetThreshold((heavy_hitter + options_.workers - 1) / options_.workers);
  heavy_hitters_.Round(time);
  if (round_ != snapshot.balance->report_round) {
    round_ = snapshot.balance->report_round;
    left_ = table_.buckets();
  }
  if (now != swept_) {
    swept_ = now;
    due_ = std::max(due_, table_.buckets() / (left_ > 0 ? kHurriedPassTicks : kPassTicks) + 1);
    CountUp();
  }
  return due_ > 0 && Sweep(now, snapshot);
}

void FlowKeeper::Answer(FlowTime now) {
  FlowLookup& question = *options_.question;
  if (question.state == FlowLookup::State::kAskedTop) {
    question.top = top_.top();
    question.state = FlowLookup::State::kKnown;
    return;
  }
  const FlowEntry* const entry = table_.Find(question.key, table_.HashOf(question.key), now);
  if (entry != nullptr) question.entry = *entry;
  question.state = entry != nullptr ? FlowLookup::State::kKnown : FlowLookup::State::kUnknown;
}

void FlowKeeper::Learn(MonoTime time, const PinnedFlow& lesson) {
  const FlowTime now = FlowTimeOf(time);
  FlowEntry* const entry = table_.Insert(lesson.key, table_.HashOf(lesson.key), now);
  if (entry == nullptr) return;
  const auto owner = static_cast<NodeSlot>(lesson.owner);
  // We have seen its packets: the node that reports it remembers an earlier flow of this socket.
  if (entry->state == FlowState::kEstablished && !entry->pinned && entry->owner != owner) return;
  entry->owner = owner;
  entry->state = lesson.key.protocol == kProtocolTcp ? FlowState::kEstablished : FlowState::kDatagrams;
  entry->pinned = true;
  entry->seen = now;
}

bool FlowKeeper::Sweep(FlowTime now, const Snapshot& snapshot) {
  reported_ = false;
  const size_t buckets = std::min({due_, kBucketsPerRound, table_.unswept()});
  due_ -= buckets;
  if (table_.Sweep(now, buckets, [&](FlowEntry* entry) { Visit(snapshot, entry); })) {
    for (size_t node = 0; node < kMaxNodes; ++node) counters_->flows_by_owner[node].Set(tally_[node]);
    tally_.fill(0);
    top_.Finish();
  }
  if (refused_) {
    refused_ = false;
    left_ = table_.buckets();
  } else if (left_ > 0) {
    left_ -= std::min(left_, buckets);
    if (left_ == 0) progress_->flow_round.Set(round_);
  }
  return reported_;
}

void FlowKeeper::Visit(const Snapshot& snapshot, FlowEntry* entry) {
  if (entry->key.fragment != 0) return;
  const Balance& balance = *snapshot.balance;
  if (balance.nodes[entry->owner].given_up) {
    entry->state = FlowState::kFree;  // even if its node takes new flows again one day
    return;
  }
  const FlowKey& key = entry->key;
  const uint8_t service = snapshot.services->Find(key.protocol, key.local_port.value(), key.local_address);
  if (LeavesItsOwner(balance, service, *entry)) {
    entry->state = FlowState::kFree;  // or its owner would claim it once it works again
    return;
  }
  ++tally_[entry->owner];
  top_.Note(*entry, service);
  const bool alive = entry->state == FlowState::kEstablished || entry->state == FlowState::kDatagrams;
  if (entry->owner != kSelfSlot || !alive || entry->reported == balance.report_round) return;
  if (service == 0) return;
  if (OwnerIn(balance, balance.current, *snapshot.services, service, key) != kSelfSlot) {
    if (!options_.report({.key = key, .owner = kSelfSlot})) {
      refused_ = true;  // no room: in the next pass
      return;
    }
    reported_ = true;
  }
  entry->reported = balance.report_round;
}

void FlowKeeper::CountUp() {
  const FlowTableCounts& counts = table_.counts();
  counters_->flows.Set(static_cast<int64_t>(counts.flows));
  counters_->flows_inserted.Set(static_cast<int64_t>(counts.inserted));
  counters_->flows_expired.Set(static_cast<int64_t>(counts.expired));
  counters_->flows_displaced.Set(static_cast<int64_t>(counts.displaced));
  counters_->flows_refused.Set(static_cast<int64_t>(counts.refused));
}

}  // namespace qure
