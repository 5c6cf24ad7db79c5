// Questions about single flows, from here to other nodes and from them to here: what do the workers' tables have for a
// flow? Joins FlowQuerier to messages and to the numbers of nodes and addresses.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/balance/address_ids.h"
#include "control/core/balance/balancing.h"
#include "control/core/balance/flow_querier.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/command.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/time.h"

namespace qure {

class FlowQuestions {
 public:
  // `random` and `ids` outlive it.
  FlowQuestions(const NodeId& self, const AddressIds* ids, absl::BitGenRef random)
      : self_(self), ids_(ids), random_(random) {}

  // The operator's question: to the node that it names, or (also without a cluster) to our own workers.
  void Ask(MonoTime now, const QueryFlow& question, const Balancer& balancer, bool clustered, Actions* out);
  // Another node's question. Any node answers from its own tables: the client knows whether they are those that count.
  void OnQuery(const Incoming& incoming, Actions* out) const;
  // What our workers have, for the node that asked.
  void OnFound(const LookUpFlow& question, const std::optional<FlowEntry>& found, const Balancer& balancer,
               const Membership& members, Transport* transport, Actions* out) const;
  void OnReply(const wire::FlowReply& reply, Balancing* balancing, Actions* out);

  void Tick(MonoTime now, const Membership& members, Transport* transport, Actions* out) {
    querier_.Tick(now, members, transport, out);
  }
  MonoTime deadline() const { return querier_.deadline(); }

 private:
  const NodeId self_;
  const AddressIds* const ids_;
  absl::BitGenRef random_;
  FlowQuerier querier_;
};

}  // namespace qure
