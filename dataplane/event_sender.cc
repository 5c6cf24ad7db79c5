#include "dataplane/event_sender.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>

namespace qure {
namespace {

// Events that wait for room in the ring: more than the control thread ever needs.
constexpr size_t kMaxWaiting = 256;

}  // namespace

EventSender::EventSender(rte_ring* events, int event_fd, Counter* lost)
    : events_(events), event_fd_(event_fd), lost_(lost) {
  waiting_.reserve(kMaxWaiting);
}

void EventSender::Send(MonoTime now, std::span<const Event> events) {
  for (const Event& event : events) {
    if (!budget_.Take(now, event) || !Enqueue(event)) lost_->Add(1);
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
