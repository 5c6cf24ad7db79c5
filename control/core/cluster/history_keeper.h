// The node's side of the shared history: writes down what happens here, makes it durable, sends it to all, and repairs
// differences with others, at most one pull a peer in kPullInterval. Also saves the cluster's life (era, uptime).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/core/action.h"
#include "control/core/cluster/election.h"
#include "control/core/cluster/history.h"
#include "control/core/cluster/lifetime.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/persist_ledger.h"
#include "proto/time.h"

namespace qure {

// What a step works with.
struct HistoryView {
  MonoTime now;
  const Lifetime* life = nullptr;
  Term term;  // of the present master
  Transport* transport = nullptr;
  PersistLedger* ledger = nullptr;
};

class HistoryKeeper {
 public:
  HistoryKeeper(const NodeId& self, uint64_t age, std::vector<HistoryEvent> events,
                const std::vector<EraSummary>& summaries)
      : self_(self), history_(self, age, std::move(events), summaries) {}

  const History& history() const { return history_; }
  void SetWallClock(MonoTime now, uint64_t wall_ms) { history_.SetWallClock(now, wall_ms); }

  void Note(const HistoryView& view, HistoryKind kind, Actions* out, const NodeId& subject = {}, std::string text = {});
  // This node has become master: noted once a term.
  void NoteMastership(const HistoryView& view, const TakeoverRecord& takeover, Actions* out);

  // A HELLO of another node: pulls if its history differs from ours.
  void OnHello(const HistoryView& view, const Member& member, const wire::Hello& hello, Actions* out);
  void OnPull(const HistoryView& view, const Incoming& incoming, Actions* out);
  // Returns the new age of this boot if others know boots of ours from `age` on, so that the store must have been
  // rolled back. Not while `clone`: those boots are another machine's.
  std::optional<uint64_t> OnChunk(const HistoryView& view, const wire::Chunk& chunk, uint64_t age, bool clone,
                                  Actions* out);

  // Era and uptime are made durable now, and then every kLifeSave by Tick.
  void SaveLife(const HistoryView& view, Actions* out);
  void Tick(const HistoryView& view, Actions* out);
  MonoTime deadline() const { return next_save_; }

 private:
  StoredLife LifeOf(const HistoryView& view) const;
  void Pull(const HistoryView& view, const PeerAddress& to, bool answer, Actions* out);
  // True if `node` may be pulled from now; it is then counted as done.
  bool MayPull(MonoTime now, const NodeId& node);

  const NodeId self_;
  History history_;
  std::map<NodeId, MonoTime> next_pull_;
  Term noted_term_;  // of our last mastership that the history has
  MonoTime next_save_ = kNever;
};

}  // namespace qure
