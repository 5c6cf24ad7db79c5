// Asks another node what its workers' tables have for a flow, a few times, until it answers or is given up. A pure
// state machine.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/core/action.h"
#include "control/core/balance/pinned_flows.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "proto/time.h"

namespace qure {

class FlowQuerier {
 public:
  struct Question {
    uint64_t id = 0;
    NodeId whom{};
    OwnedFlow flow;
  };
  // `nonce`: no other node can guess it, so that only an answer to this question is taken for one.
  void Ask(MonoTime now, const Question& question, uint64_t nonce);
  // The question that an answer with this nonce ends; none: it is not, or no longer, asked.
  std::optional<Question> Take(uint64_t nonce);
  // Asks; FlowAnswered for a question that is given up.
  void Tick(MonoTime now, const Membership& members, Transport* transport, Actions* out);
  MonoTime deadline() const;

 private:
  struct Asking {
    Question question;
    uint64_t nonce = 0;
    int tries = 0;
    MonoTime next;
  };

  std::vector<Asking> asked_;
};

}  // namespace qure
