// How many events of each kind reach the control thread. Anyone on the LAN can cause them as often as they like, so
// each kind has a budget of its own, and answers to our own questions have one that nothing else uses: no flood of
// other frames delays a takeover that waits for such an answer.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "proto/event.h"
#include "proto/mutation.h"
#include "proto/time.h"

namespace qure {

class EventBudget {
 public:
  // Whether the event, which happens at `now`, may go to the control thread. Events are paid for with the time that has
  // passed since; a burst of them with time saved up.
  bool Take(MonoTime now, const Event& event) {
    const Duration cost = event.answer || Mutated(Mutation::kOneEventBudget) ? kAnswerCost : kCost;
    MonoTime& spent_until = spent_[SlotOf(event)];
    spent_until = std::max(spent_until, now - kSaved);
    if (spent_until + cost > now) return false;
    spent_until = spent_until + cost;
    return true;
  }

 private:
  // A thousand answers a second, and a hundred of each other kind; a burst of a tenth of that.
  static constexpr Duration kAnswerCost = Milliseconds(1);
  static constexpr Duration kCost = Milliseconds(10);
  static constexpr Duration kSaved = Milliseconds(100);

  static size_t SlotOf(const Event& event) {
    if (event.answer || Mutated(Mutation::kOneEventBudget)) return 0;
    return 1 + static_cast<size_t>(event.kind);
  }

  std::array<MonoTime, 1 + kEventKindCount> spent_{};
};

}  // namespace qure
