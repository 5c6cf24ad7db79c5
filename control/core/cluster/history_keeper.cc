#include "control/core/cluster/history_keeper.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/core/timers.h"

namespace qure {

void HistoryKeeper::Note(const HistoryView& view, HistoryKind kind, Actions* out, const NodeId& subject,
                         std::string text) {
  const HistoryEvent event = history_.Add(view.now, {.era = view.life->era(),
                                                     .lineage = view.life->lineage(),
                                                     .term = view.term,
                                                     .kind = kind,
                                                     .subject = subject,
                                                     .text = std::move(text)});
  view.ledger->Store({.events = {event}}, out);
  if (!view.transport->enabled()) return;
  wire::Message message;
  *message.mutable_chunk() = History::ChunkOf(event);
  view.transport->SendToAll(message, out);
}

void HistoryKeeper::NoteMastership(const HistoryView& view, const TakeoverRecord& takeover, Actions* out) {
  if (takeover.term == noted_term_) return;
  noted_term_ = takeover.term;
  Note(view, HistoryKind::kMaster, out, {}, std::string(NameOf(takeover.cause)));
}

bool HistoryKeeper::MayPull(MonoTime now, const NodeId& node) {
  if (next_pull_.size() > kMaxMembers) {
    std::erase_if(next_pull_, [&](const auto& entry) { return entry.second <= now; });
  }
  MonoTime& next = next_pull_[node];
  if (now < next) return false;
  next = now + kPullInterval;
  return true;
}

void HistoryKeeper::Pull(const HistoryView& view, const PeerAddress& to, bool answer, Actions* out) {
  wire::Message message;
  *message.mutable_pull() = history_.MakePull(answer);
  view.transport->SendTo(to, message, out);
}

void HistoryKeeper::OnHello(const HistoryView& view, const Member& member, const wire::Hello& hello, Actions* out) {
  if (hello.booting() || view.life->booting() || hello.history_digest() == history_.digest()) return;
  if (MayPull(view.now, member.node)) Pull(view, member.at, /*answer=*/false, out);
}

void HistoryKeeper::OnPull(const HistoryView& view, const Incoming& incoming, Actions* out) {
  if (view.life->booting()) return;
  const wire::Pull& pull = incoming.message.pull();
  bool querier_has_more = false;
  for (wire::Chunk& chunk : history_.Answer(pull, kMaxChunks, &querier_has_more)) {
    wire::Message message;
    message.mutable_chunk()->Swap(&chunk);
    view.transport->SendTo(incoming.from, message, out);
  }
  if (!querier_has_more || pull.answer() || !MayPull(view.now, incoming.node)) return;
  Pull(view, incoming.from, /*answer=*/true, out);
}

std::optional<uint64_t> HistoryKeeper::OnChunk(const HistoryView& view, const wire::Chunk& chunk, uint64_t age,
                                               bool clone, Actions* out) {
  if (view.life->booting()) return std::nullopt;
  StoreChange change;
  change.events = history_.Merge(chunk, &change.summaries);
  const uint64_t known = history_.age_of(self_);
  if (!clone && (known > age || history_.own_age_is_foreign())) {
    change.age = known + 1;
    out->push_back(MakeLog(LogLevel::kWarning, "the store had been rolled back: this boot is number ", *change.age));
    std::ranges::move(history_.Rekey(*change.age), std::back_inserter(change.events));
  }
  history_.Summarise(&change);
  const std::optional<uint64_t> new_age = change.age;
  if (!change.events.empty() || !change.summaries.empty() || new_age) view.ledger->Store(std::move(change), out);
  return new_age;
}

StoredLife HistoryKeeper::LifeOf(const HistoryView& view) const {
  StoredLife life = view.life->Stored(view.now);
  life.alive_ms = history_.WallMs(view.now);
  return life;
}

void HistoryKeeper::SaveLife(const HistoryView& view, Actions* out) {
  view.ledger->Store({.life = LifeOf(view)}, out);
  next_save_ = view.now + kLifeSave;
}

void HistoryKeeper::Tick(const HistoryView& view, Actions* out) {
  if (view.life->booting() || view.now < next_save_) return;
  StoreChange change;
  change.life = LifeOf(view);
  history_.Summarise(&change);
  view.ledger->Store(std::move(change), out);
  next_save_ = view.now + kLifeSave;
}

}  // namespace qure
