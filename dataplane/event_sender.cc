#include "dataplane/event_sender.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>

#include <algorithm>

namespace qure {
namespace {

// Events of one worker: a thousand a second, with a burst of a tenth of that.
constexpr Duration kCost = Milliseconds(1);
constexpr Duration kSaved = Milliseconds(100);
constexpr Duration kRepeatedCost = Milliseconds(10);  // a hundred a second of each kind that anyone can cause

// Events that wait for room in the ring: more than the control thread ever needs.
constexpr size_t kMaxWaiting = 256;

}  // namespace

EventSender::EventSender(rte_ring* events, int event_fd, Counter* lost)
    : events_(events),
      event_fd_(event_fd),
      lost_(lost),
      budget_{.cost = kCost, .spent_until = {}},
      wanted_budget_{.cost = kRepeatedCost, .spent_until = {}},
      service_mac_budget_(wanted_budget_),
      unanswered_budget_(wanted_budget_),
      group_query_budget_(wanted_budget_) {
  waiting_.reserve(kMaxWaiting);
}

bool EventSender::Budget::Take(MonoTime now) {
  spent_until = std::max(spent_until, now - kSaved);
  if (spent_until + cost > now) return false;
  spent_until = spent_until + cost;
  return true;
}

EventSender::Budget* EventSender::BudgetOf(EventKind kind) {
  switch (kind) {
    case EventKind::kAddressWanted:
      return &wanted_budget_;
    case EventKind::kServiceMacSeen:
      return &service_mac_budget_;
    case EventKind::kUnanswered:
      return &unanswered_budget_;
    case EventKind::kGroupQuery:
      return &group_query_budget_;
    default:
      return &budget_;
  }
}

void EventSender::Send(MonoTime now, std::span<const Event> events) {
  for (const Event& event : events) {
    if (!BudgetOf(event.kind)->Take(now) || !Enqueue(event)) lost_->Add(1);
  }
}

void EventSender::Send(const Event& event) {
  if (!Enqueue(event)) lost_->Add(1);
}

void EventSender::SendSurely(const Event& event) {
  if (waiting_.empty() && Enqueue(event)) return;
  if (waiting_.size() < kMaxWaiting) {
    waiting_.push_back(event);
  } else {
    lost_->Add(1);
  }
}

bool EventSender::Enqueue(const Event& event) {
  Event element = event;
  if (rte_ring_enqueue_elem(events_, &element, sizeof(element)) != 0) return false;
  wake_ = true;
  return true;
}

void EventSender::SendWaiting() {
  size_t sent = 0;
  while (sent < waiting_.size() && Enqueue(waiting_[sent])) ++sent;
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(sent));
}

void EventSender::EndRound() {
  if (!waiting_.empty()) SendWaiting();
  if (!wake_) return;
  wake_ = false;
  eventfd_write(event_fd_, 1);
}

}  // namespace qure
