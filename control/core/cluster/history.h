// The shared history: a grow-only union of numbered events, repaired by set difference in both directions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

std::string_view NameOf(HistoryKind kind);

// Events below are folded into summaries: those of earlier eras, and those of this era from before `time`.
struct HistoryFloor {
  uint32_t era = 0;
  uint64_t time = 0;  // hybrid logical
  friend auto operator<=>(const HistoryFloor&, const HistoryFloor&) = default;
};

HistoryFloor PlaceOf(const HistoryEvent& event);
// The floor that a summary makes.
HistoryFloor EndOf(const EraSummary& summary);
// `summary` has changed: it takes the place of what `changed` has of its era and lineage.
void NoteChanged(const EraSummary& summary, std::vector<EraSummary>* changed);

// A step of "nodes online over time".
struct OnlineStep {
  uint64_t time = 0;  // hybrid logical
  uint32_t era = 0;
  uint64_t lineage = 0;
  uint32_t online = 0;
};

class History {
 public:
  // `events` and `summaries` as stored, in any order.
  History(const NodeId& self, uint64_t age, std::vector<HistoryEvent> events, const std::vector<EraSummary>& summaries);

  // Wall-clock milliseconds at `now`, as the host believes. It may jump: hybrid logical time does not go back.
  void SetWallClock(MonoTime now, uint64_t wall_ms);
  uint64_t WallMs(MonoTime now) const;  // 0: not known yet
  uint64_t TimeAt(MonoTime now) const;  // the same as a hybrid logical time

  // Adds an event of this node; seq, time and age are filled in. Returns it as it shall be stored and sent.
  const HistoryEvent& Add(MonoTime now, HistoryEvent event);
  // Adds events of others. Returns those that were new; a gap in the seqs of a boot is not taken (it comes again), nor
  // are events of eras that are summarised. `new_summaries` gets those that are new or more complete now.
  std::vector<HistoryEvent> Merge(const wire::Chunk& chunk, std::vector<EraSummary>* new_summaries);
  // Others have events under this boot's age that it has not made: the age was used before (rolled-back store).
  bool own_age_is_foreign() const { return own_age_is_foreign_; }
  // Our events of this boot move to `age`, above all known ones. Returns them.
  std::vector<HistoryEvent> Rekey(uint64_t age);

  // Equal digests: equal histories, that is equal summaries and equal events from the floor on.
  uint64_t digest() const { return events_digest_ + summaries_digest_; }
  // Events below are dropped and summarised. It is where the newest summary ends, so it spreads with the summaries: the
  // history is a union of events and a join of summaries, and who has dropped events takes none of them back.
  const HistoryFloor& floor() const { return floor_; }
  // What we have, to be compared. Too much for a datagram: what the last Answer found the other to have more of, the
  // newest boots, and one part of all boots after the other.
  wire::Pull MakePull(bool answer);
  // What the client lacks, in at most `limit` chunks that fit a datagram; `querier_has_more`: ask back.
  std::vector<wire::Chunk> Answer(const wire::Pull& pull, size_t limit, bool* querier_has_more);
  // One event alone, to be sent to all at once.
  static wire::Chunk ChunkOf(const HistoryEvent& event);

  // Folds what was written before the last kErasKept eras into summaries, and within an era when there is too much: a
  // history that takes no more would differ from those of others for ever. True if there is something to store.
  bool Summarise(StoreChange* change);

  uint32_t highest_era() const;
  uint64_t age_of(const NodeId& node) const;  // the highest known; 0: unknown
  const std::map<std::pair<NodeId, uint64_t>, std::vector<HistoryEvent>>& boots() const { return boots_; }
  size_t event_count() const { return events_; }
  const std::vector<EraSummary>& summaries() const { return summaries_; }
  std::vector<HistoryEvent> Timeline() const;  // all, by time
  // Nodes online, as of the wall-clock time `now_ms`. An outage of all nodes shows by what each of them remembers of
  // its last sign of life. An event of a clock that was ahead counts from the next event of its boot that is not, or
  // from now.
  std::vector<OnlineStep> Online(uint64_t now_ms) const;
  // Whether an event's hybrid logical time is that of a clock that was ahead.
  static bool IsAhead(uint64_t time, uint64_t now_ms);
  // Boots of any node since `revision` first ran.
  uint64_t RebootsSince(std::string_view revision) const;

 private:
  using BootKey = std::pair<NodeId, uint64_t>;
  struct Have {  // of one boot, as in a Pull
    uint32_t count = 0;
    uint32_t digest = 0;
  };
  struct Segment {  // events of one boot, from this index on
    BootKey boot;
    size_t from = 0;
    bool whole = false;  // what came before is summarised
  };
  struct Difference {
    std::vector<Segment> theirs;  // what the client lacks
    std::vector<BootKey> ours;    // what the client has more of
  };

  static uint64_t HashOf(const HistoryEvent& event);
  static uint64_t HashOf(const EraSummary& summary);
  bool Take(const HistoryEvent& event, bool first);
  void Append(const HistoryEvent& event);
  void Replace(size_t index, const HistoryEvent& event);
  void Drop(const BootKey& boot, size_t count);  // its first events
  void Follow(uint64_t time);
  bool IsFar(uint64_t time) const;
  uint64_t LatestOfOthers() const;

  uint32_t OldestKept() const;
  std::optional<HistoryFloor> FoldPoint() const;
  uint64_t LatestTime() const;
  bool Believes(const EraSummary& summary, uint32_t oldest_kept) const;
  bool TakeSummary(const EraSummary& summary);
  void TakeSummaries(const wire::Chunk& chunk, std::vector<EraSummary>* changed);
  const EraSummary* FindSummary(const EraSummary& like) const;
  void RaiseFloor(const HistoryFloor& floor, std::vector<EraSummary>* changed);
  void MoveEndsTo(const HistoryFloor& floor, std::vector<EraSummary>* changed);
  void CountEra(uint32_t era, int64_t by);

  Have HaveOf(const BootKey& boot, uint64_t until, size_t from) const;
  std::vector<BootKey> Named() const;
  bool AddTo(wire::Pull* pull, const BootKey& boot, size_t* room) const;
  void AddPart(wire::Pull* pull, size_t room);
  Difference Compare(const wire::Pull& pull) const;
  void CompareBoot(const BootKey& boot, const Have& theirs, const wire::Pull& pull, Difference* out) const;
  std::vector<wire::Chunk> ChunksOf(const std::vector<Segment>& segments, size_t limit) const;
  std::vector<wire::Chunk> ChunksOfSummaries(size_t limit) const;

  NodeId self_;
  uint64_t age_;
  uint32_t own_seq_ = 0;  // of our last event
  HistoryEvent added_;    // that event
  bool own_age_is_foreign_ = false;
  std::optional<uint64_t> wall_ms_;  // at wall_at_
  MonoTime wall_at_;
  uint64_t last_time_ = 0;  // the greatest hybrid logical time made or followed

  std::map<BootKey, std::vector<HistoryEvent>> boots_;  // never empty ones; seqs without gaps, eras from the floor on
  std::map<BootKey, std::vector<uint64_t>> hashes_;     // of the same events
  std::map<uint32_t, size_t> eras_;                     // how many events there are of each
  size_t events_ = 0;
  uint64_t events_digest_ = 0;         // sums of hashes: the order does not matter
  std::vector<EraSummary> summaries_;  // by era, then lineage
  uint64_t summaries_digest_ = 0;
  HistoryFloor floor_;
  bool drop_due_ = false;  // the store still has events below the floor

  std::vector<BootKey> wanted_;    // that others were seen to have more of
  std::optional<BootKey> pulled_;  // where the next part of all boots begins
  uint64_t rounds_ = 0;            // of pulls and answers
};

}  // namespace qure
