// A worker's events to the control thread: each kind within its budget, and those that must not be lost kept until the
// ring has room.
#pragma once

#include <span>
#include <vector>

#include "dataplane/pipeline/event_budget.h"
#include "proto/counter.h"
#include "proto/event.h"
#include "proto/time.h"

struct rte_ring;

namespace qure {

class EventSender {
 public:
  // `events`: a ring of Event elements; `event_fd` wakes the control thread; `lost` counts events without budget or
  // room.
  EventSender(rte_ring* events, int event_fd, Counter* lost);

  // Sends what the budgets allow.
  void Send(MonoTime now, std::span<const Event> events);
  // Sends an event that was limited at its source.
  void Send(const Event& event);
  // Of the heartbeater and of stalls: each is sent once, so none may be lost while the control thread is late.
  void SendSurely(const Event& event);

  // There is something else for the control thread.
  void Wake() { wake_ = true; }
  // The end of a round: sends what waits, and wakes the control thread if there is something for it.
  void EndRound();

 private:
  bool Enqueue(const Event& event);
  void SendWaiting();

  rte_ring* const events_;
  const int event_fd_;
  Counter* const lost_;
  EventBudget budget_;
  std::vector<Event> waiting_;  // must not be lost, and found no room in the ring
  bool wake_ = false;           // there is something for the control thread in this round
};

}  // namespace qure
