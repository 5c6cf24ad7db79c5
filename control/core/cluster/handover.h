// A handover of the mastership, from the side of the node that gives it up.
//
//   Begin ──► waiting ──────────────► asked ─────────────────────► yielding ───► over
//             until the successor is  PREPARE is sent; until the   YIELD is sent kYields times; the workers answer
//             deputy and informed     successor is PREPARED        from the node MAC for kHandoverAnswers
//
// While it waits or has asked, this node is master as before, and a step that takes too long ends the handover.
#pragma once

#include <optional>

#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

class Handover {
 public:
  // --- This node is master ---
  void Begin(MonoTime now, const NodeId& successor);
  void Cancel() { plan_.reset(); }
  // The node that is to be deputy, and then master; none: no handover waits or has asked.
  std::optional<NodeId> successor() const { return plan_ ? std::optional(plan_->successor) : std::nullopt; }
  bool under_way() const { return plan_.has_value(); }
  bool asked() const { return plan_ && plan_->asked; }
  enum class Step {
    kWait,
    kAsk,   // the successor is to be asked with PREPARE
    kFail,  // it was not ready in time: the handover has ended
  };
  // `is_deputy`: the successor holds the lease's other end. `informed`: it knows of all flows that a master must know;
  // one that has been deputy for a moment only does not, and is waited for, but not longer than kInformTimeout.
  Step Advance(MonoTime now, bool is_deputy, bool informed);

  // --- It has given the mastership up ---
  // `term`: of the mastership that has ended.
  void Yield(MonoTime now, const Term& term);
  struct Yielded {
    NodeId successor{};
    Term term;
  };
  // Given up without a word, as nothing can be sent. `successor`: its deputy, if it had one.
  void GiveUp(std::optional<NodeId> successor, const Term& term);
  // Something can be sent again: YIELD, if there is a successor. False if the mastership was not given up so, or if
  // another node has led since.
  bool TakeGivenUp(MonoTime now);
  // What is to be sent as YIELD now, if anything.
  std::optional<Yielded> TakeYield(MonoTime now);
  // Another node leads: the YIELD need not be repeated.
  void StopYielding();
  // The workers answer from the node MAC.
  bool answering() const { return answers_until_ != kNever; }
  void StopAnswering() { answers_until_ = kNever; }
  void Tick(MonoTime now) {
    if (now >= answers_until_) StopAnswering();
  }

  MonoTime deadline() const;

 private:
  struct Plan {
    NodeId successor{};
    MonoTime until;  // for the next step
    bool asked = false;
  };

  std::optional<Plan> plan_;
  Yielded yielded_;
  int yields_left_ = 0;
  MonoTime next_yield_ = kNever;
  bool given_up_ = false;
  bool has_heir_ = false;  // yielded_.successor
  MonoTime answers_until_ = kNever;
};

}  // namespace qure
