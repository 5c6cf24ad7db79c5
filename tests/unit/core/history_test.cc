#include "control/core/cluster/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/transport.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/cluster/envelope.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr uint64_t kWall = 1'700'000'000'000;
constexpr uint64_t kDayMs = 24 * 3600 * 1000;
constexpr uint64_t kLineage = 77;

NodeId Id(uint8_t number) {
  return {number, 0xaa};
}

HistoryEvent Of(HistoryKind kind, uint32_t era, const NodeId& subject = {}, std::string text = {}) {
  return {.era = era, .lineage = kLineage, .kind = kind, .subject = subject, .text = std::move(text)};
}

History Empty(uint8_t node, uint64_t age = 1) {
  return {Id(node), age, {}, {}};
}

History WithClock(uint8_t node, uint64_t wall_ms = kWall) {
  History history = Empty(node);
  history.SetWallClock(kStart, wall_ms);
  return history;
}

std::vector<HistoryEvent> Give(const wire::Chunk& chunk, History* to) {
  std::vector<EraSummary> summaries;
  return to->Merge(chunk, &summaries);
}

// A store, as far as a history sees it.
struct Store {
  std::map<std::tuple<NodeId, uint64_t, uint32_t>, HistoryEvent> events;
  std::map<std::pair<uint32_t, uint64_t>, EraSummary> summaries;

  void Apply(const StoreChange& change) {
    for (const HistoryEvent& event : change.events) events.try_emplace({event.node, event.age, event.seq}, event);
    for (const EraSummary& summary : change.summaries) summaries[{summary.era, summary.lineage}] = summary;
    if (!change.drop_events_before_era) return;
    std::erase_if(events, [&](const auto& entry) {
      const HistoryFloor floor{*change.drop_events_before_era, change.drop_events_before_time};
      return PlaceOf(entry.second) < floor;
    });
  }
  History Load(const NodeId& node, uint64_t age) const {
    std::vector<HistoryEvent> all;
    for (const auto& [key, event] : events) all.push_back(event);
    std::vector<EraSummary> folded;
    for (const auto& [key, summary] : summaries) folded.push_back(summary);
    return {node, age, all, folded};
  }
};

// A node as the controller drives it: history, store, and what goes between two of them.
struct Peer {
  explicit Peer(uint8_t number) : node(Id(number)), history(node, 1, {}, {}) { history.SetWallClock(kStart, kWall); }

  void Add(MonoTime now, HistoryEvent event) { store.Apply({.events = {history.Add(now, std::move(event))}}); }
  void Boot(MonoTime now, uint32_t era) {
    history = store.Load(node, ++age);
    history.SetWallClock(kStart, kWall);
    Add(now, Of(HistoryKind::kBoot, era));
  }
  void Hear(const wire::Chunk& chunk) {
    StoreChange change;
    change.events = history.Merge(chunk, &change.summaries);
    if (history.age_of(node) > age || history.own_age_is_foreign()) {
      age = history.age_of(node) + 1;
      std::ranges::move(history.Rekey(age), std::back_inserter(change.events));
    }
    store.Apply(change);
  }
  void Summarise() {
    StoreChange change;
    history.Summarise(&change);
    store.Apply(change);
  }

  NodeId node;
  uint64_t age = 1;
  History history;
  Store store;
};

size_t SealedSize(const wire::Message& message) {
  return message.ByteSizeLong() + kSenderAddressSize + kEnvelopeOverhead;
}

// `lost`: of each datagram, whether it gets lost.
template <typename Lost>
void Answer(Peer* from, const wire::Pull& pull, Peer* to, const Lost& lost) {
  bool more = false;
  wire::Message message;
  for (const wire::Chunk& chunk : from->history.Answer(pull, kMaxChunks, &more)) {
    *message.mutable_chunk() = chunk;
    EXPECT_LE(SealedSize(message), kMaxDatagram);
    if (!lost()) to->Hear(chunk);
  }
  if (!more || pull.answer()) return;
  *message.mutable_pull() = from->history.MakePull(/*answer=*/true);
  EXPECT_LE(SealedSize(message), kMaxDatagram);
  if (!lost()) Answer(to, message.pull(), from, lost);
}

// Returns false if there was nothing to do.
template <typename Lost>
bool Exchange(Peer* client, Peer* asked, const Lost& lost) {
  if (client->history.digest() == asked->history.digest()) return false;
  wire::Message message;
  *message.mutable_pull() = client->history.MakePull(/*answer=*/false);
  EXPECT_LE(SealedSize(message), kMaxDatagram);
  if (!lost()) Answer(asked, message.pull(), client, lost);
  return true;
}

bool Never() {
  return false;
}

void ExpectEqual(const Peer& a, const Peer& b) {
  EXPECT_EQ(a.history.digest(), b.history.digest());
  EXPECT_TRUE(a.history.Timeline() == b.history.Timeline());
  EXPECT_TRUE(a.history.summaries() == b.history.summaries());
}

// Rounds of exchanges between random pairs until all are equal; fails after `limit`.
void Converge(std::vector<Peer>* peers, std::mt19937_64* random, unsigned loss_percent, int limit) {
  const auto lost = [&] { return (*random)() % 100 < loss_percent; };
  const auto equal = [&] {
    return std::ranges::all_of(*peers,
                               [&](const Peer& p) { return p.history.digest() == (*peers)[0].history.digest(); });
  };
  int rounds = 0;
  for (; rounds < limit && !equal(); ++rounds) {
    Peer& client = (*peers)[(*random)() % peers->size()];
    Peer& asked = (*peers)[(*random)() % peers->size()];
    if (&client != &asked) Exchange(&client, &asked, lost);
  }
  EXPECT_LT(rounds, limit) << "no convergence";
  for (const Peer& peer : *peers) ExpectEqual((*peers)[0], peer);
}

// ------------------------------------------------------------------------------------------------------------- times

TEST(HistoryTime, FollowsTheWallClockAndNeverGoesBack) {
  History history = WithClock(1);
  const uint64_t first = history.Add(kStart + Milliseconds(5), Of(HistoryKind::kBoot, 1)).time;
  EXPECT_EQ(first >> 16, kWall + 5);
  history.SetWallClock(kStart + Seconds(1), kWall - kDayMs);  // the host's clock was set back
  const uint64_t second = history.Add(kStart + Seconds(2), Of(HistoryKind::kMaster, 1)).time;
  EXPECT_EQ(second, first + 1);
  history.SetWallClock(kStart + Seconds(3), kWall + 9000);
  EXPECT_EQ(history.Add(kStart + Seconds(3), Of(HistoryKind::kMaster, 1)).time, (kWall + 9000) << 16);
}

TEST(HistoryTime, GrowsWithoutAnyClock) {
  History history = Empty(1);
  const uint64_t first = history.Add(kStart, Of(HistoryKind::kBoot, 1)).time;
  EXPECT_GT(history.Add(kStart, Of(HistoryKind::kMaster, 1)).time, first);
}

TEST(HistoryTime, FollowsOthersAheadButNotFarAhead) {
  for (const auto& [ahead_ms, follows] : {std::pair{kDayMs - 1000, true}, std::pair{kDayMs + 1000, false}}) {
    History other = WithClock(2, kWall + ahead_ms);
    const HistoryEvent heard = other.Add(kStart, Of(HistoryKind::kBoot, 1));
    History history = WithClock(1);
    EXPECT_EQ(Give(History::ChunkOf(heard), &history).size(), 1);
    const uint64_t time = history.Add(kStart, Of(HistoryKind::kBoot, 1)).time;
    EXPECT_EQ(time > heard.time, follows) << ahead_ms;
  }
}

TEST(HistoryTime, WithoutAClockNoTimeIsFollowedUntilThereIsOne) {
  const HistoryEvent near = WithClock(2, kWall + 5000).Add(kStart, Of(HistoryKind::kBoot, 1));
  const HistoryEvent far = WithClock(3, kWall * 2).Add(kStart, Of(HistoryKind::kBoot, 1));
  History history = Empty(1);
  Give(History::ChunkOf(near), &history);
  Give(History::ChunkOf(far), &history);
  history.SetWallClock(kStart, kWall);
  const uint64_t time = history.Add(kStart, Of(HistoryKind::kBoot, 1)).time;
  EXPECT_GT(time, near.time);
  EXPECT_LT(time, far.time);
}

TEST(HistoryTime, OwnTimesGoOnAfterARestart) {
  Peer peer(1);
  peer.Add(kStart, Of(HistoryKind::kBoot, 1));
  const uint64_t before = peer.history.Timeline().back().time;
  History next = peer.store.Load(peer.node, 2);
  next.SetWallClock(kStart, kWall - 1000 * kDayMs);
  EXPECT_GT(next.Add(kStart, Of(HistoryKind::kBoot, 2)).time, before);
}

// ------------------------------------------------------------------------------------------------------------ events

TEST(History, NumbersItsOwnEventsAndKeepsTextBoundedAndPrintable) {
  History history = Empty(1, /*age=*/7);
  const HistoryEvent first = history.Add(kStart, Of(HistoryKind::kBoot, 3, {}, "a\x1b[2J\xff" + std::string(500, 'x')));
  EXPECT_EQ(first.node, Id(1));
  EXPECT_EQ(first.age, 7);
  EXPECT_EQ(first.seq, 1);
  EXPECT_EQ(first.text.substr(0, 7), "a?[2J?x");
  EXPECT_EQ(first.text.size(), kMaxHistoryText);
  EXPECT_EQ(history.Add(kStart, Of(HistoryKind::kMaster, 3)).seq, 2);
  EXPECT_EQ(history.age_of(Id(1)), 7);
  EXPECT_EQ(history.age_of(Id(2)), 0);
  EXPECT_EQ(history.highest_era(), 3);
}

TEST(History, TakesEventsOnceInOrderAndWithoutGaps) {
  History other = WithClock(2);
  std::vector<HistoryEvent> said;
  said.reserve(4);
  for (int i = 0; i < 4; ++i) said.push_back(other.Add(kStart, Of(HistoryKind::kMaster, 1)));
  History history = WithClock(1);
  EXPECT_TRUE(Give(History::ChunkOf(said[1]), &history).empty()) << "a gap before it";
  wire::Chunk shuffled;
  for (const size_t i : {1, 0, 3}) shuffled.MergeFrom(History::ChunkOf(said[i]));
  EXPECT_EQ(Give(shuffled, &history), (std::vector{said[0], said[1]}));
  EXPECT_TRUE(Give(shuffled, &history).empty()) << "known";
  EXPECT_EQ(Give(History::ChunkOf(said[2]), &history), std::vector{said[2]});
  EXPECT_EQ(Give(shuffled, &history), std::vector{said[3]});
  EXPECT_EQ(history.digest(), other.digest());
}

TEST(History, DigestDoesNotDependOnTheOrder) {
  std::vector<HistoryEvent> said;
  for (uint8_t node = 2; node < 6; ++node) said.push_back(WithClock(node).Add(kStart, Of(HistoryKind::kBoot, 1)));
  History a = Empty(1);
  History b = Empty(9);
  const uint64_t nothing = a.digest();
  for (const HistoryEvent& event : said) Give(History::ChunkOf(event), &a);
  std::ranges::reverse(said);
  for (const HistoryEvent& event : said) Give(History::ChunkOf(event), &b);
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT_NE(a.digest(), nothing);
}

TEST(History, HostileEventsAreIgnored) {
  const wire::Chunk good = History::ChunkOf(WithClock(2).Add(kStart, Of(HistoryKind::kDown, 1, Id(3), "text")));
  ASSERT_EQ(Give(good, std::make_unique<History>(WithClock(1)).get()).size(), 1);
  using Change = void (*)(wire::HistoryEvent*);
  const Change changes[] = {
      [](auto* e) { e->set_node("short"); },   [](auto* e) { e->set_node(std::string(17, 'x')); },
      [](auto* e) { e->clear_node(); },        [](auto* e) { e->set_subject("short"); },
      [](auto* e) { e->set_age(0); },          [](auto* e) { e->set_age(UINT64_MAX); },
      [](auto* e) { e->set_seq(0); },          [](auto* e) { e->set_seq(UINT32_MAX); },
      [](auto* e) { e->set_era(UINT32_MAX); }, [](auto* e) { e->set_kind(0); },
      [](auto* e) { e->set_kind(256); },       [](auto* e) { e->set_text(std::string(kMaxHistoryText + 1, 'x')); },
      [](auto* e) { e->set_text("\x1b[2J"); },
  };
  for (const Change& change : changes) {
    wire::Chunk bad = good;
    change(bad.mutable_events(0));
    History history = WithClock(1);
    const uint64_t before = history.digest();
    EXPECT_TRUE(Give(bad, &history).empty()) << bad.ShortDebugString();
    EXPECT_EQ(history.digest(), before);
    EXPECT_TRUE(history.boots().empty());
    EXPECT_EQ(history.highest_era(), 0);
  }
}

TEST(History, HostilePullsAreAnsweredWithinLimits) {
  Peer peer(1);
  for (int i = 0; i < 400; ++i) peer.Add(kStart, Of(HistoryKind::kMaster, 1, Id(2), std::string(90, 'x')));
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    wire::Pull pull;
    if (random() % 2) pull.set_floor(static_cast<uint32_t>(random()));
    if (random() % 2) pull.mutable_from()->set_node(std::string(random() % 20, '\xff'));
    if (random() % 2) pull.mutable_until()->set_node(std::string(16, static_cast<char>(random())));
    for (uint64_t n = random() % 5; n > 0; --n) {
      wire::BootCount* have = pull.add_have();
      have->set_node(random() % 2 ? WriteId(Id(1)) : std::string(random() % 20, 'y'));
      have->set_age(random() % 2 ? 1 : random());
      have->set_count(random() % 2 ? static_cast<uint32_t>(random() % 500) : UINT32_MAX);
      have->set_digest(static_cast<uint32_t>(random()));
    }
    const size_t limit = random() % 4;
    bool more = false;
    const std::vector<wire::Chunk> chunks = peer.history.Answer(pull, limit, &more);
    ASSERT_LE(chunks.size(), limit);
    for (const wire::Chunk& chunk : chunks)
      ASSERT_LE(chunk.ByteSizeLong() + kSenderAddressSize + kEnvelopeOverhead, kMaxDatagram);
    wire::Message message;
    *message.mutable_pull() = peer.history.MakePull(true);
    ASSERT_LE(SealedSize(message), kMaxDatagram);
  }
}

TEST(History, AKindOfALaterVersionIsPassedOn) {
  Peer a(1);
  Peer b(2);
  wire::Chunk chunk = History::ChunkOf(WithClock(3).Add(kStart, Of(HistoryKind::kBoot, 1)));
  chunk.mutable_events(0)->set_kind(200);
  a.Hear(chunk);
  EXPECT_TRUE(Exchange(&b, &a, Never));
  ExpectEqual(a, b);
  EXPECT_EQ(b.history.Timeline().size(), 1);
}

TEST(History, NamesOfAllKinds) {
  std::set<std::string_view> names;
  for (int kind = 1; kind <= 9; ++kind) names.insert(NameOf(static_cast<HistoryKind>(kind)));
  EXPECT_EQ(names.size(), 9);
  EXPECT_EQ(NameOf(HistoryKind::kHandover), "handover");
}

// -------------------------------------------------------------------------------------------------- rolled-back store

TEST(History, AnAgeUsedBeforeIsNoticedAndLeft) {
  Peer peer(1);
  Peer before(1);  // the same node, before its store was rolled back
  Peer witness(2);
  for (int i = 0; i < 3; ++i) before.Add(kStart, Of(HistoryKind::kMaster, 1));
  Exchange(&witness, &before, Never);

  peer.Add(kStart + Seconds(1), Of(HistoryKind::kBoot, 2));
  ASSERT_FALSE(peer.history.own_age_is_foreign());
  bool more = false;
  for (const wire::Chunk& chunk : witness.history.Answer(peer.history.MakePull(false), kMaxChunks, &more)) {
    Give(chunk, &peer.history);
  }
  EXPECT_TRUE(peer.history.own_age_is_foreign());
  const std::vector<HistoryEvent> moved = peer.history.Rekey(2);
  ASSERT_EQ(moved.size(), 1);
  EXPECT_EQ(moved[0].age, 2);
  EXPECT_EQ(moved[0].kind, HistoryKind::kBoot);
  EXPECT_FALSE(peer.history.own_age_is_foreign());
  EXPECT_EQ(peer.history.Add(kStart + Seconds(2), Of(HistoryKind::kMaster, 2)).seq, 2);
  peer.age = 2;
  for (int i = 0; i < 5; ++i) Exchange(&peer, &witness, Never);
  ExpectEqual(peer, witness);
  EXPECT_EQ(peer.history.Timeline().size(), 5);
}

TEST(History, OurOwnEventsComingBackAreNotForeign) {
  Peer peer(1);
  Peer other(2);
  peer.Add(kStart, Of(HistoryKind::kBoot, 1));
  Exchange(&other, &peer, Never);
  bool more = false;
  for (const wire::Chunk& chunk : other.history.Answer(wire::Pull(), kMaxChunks, &more)) Give(chunk, &peer.history);
  EXPECT_FALSE(peer.history.own_age_is_foreign());
}

TEST(HistoryProperty, TwoHistoriesOfOneAgeConverge) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    std::vector<Peer> peers;
    for (uint8_t i = 1; i <= 4; ++i) peers.emplace_back(i);
    // Others have heard different things of one age of node 9.
    for (Peer& peer : peers) {
      History ghost = WithClock(9, kWall + random() % 3);
      for (uint64_t n = random() % 6; n > 0; --n) {
        peer.Hear(History::ChunkOf(ghost.Add(kStart, Of(static_cast<HistoryKind>(1 + random() % 9), 1))));
      }
    }
    Converge(&peers, &random, 20, 2000);
  }
}

// ------------------------------------------------------------------------------------------------------------- repair

TEST(HistoryRepair, BothLearnWhatOnlyTheOtherKnew) {
  Peer a(1);
  Peer b(2);
  for (int i = 0; i < 20; ++i) {
    a.Add(kStart, Of(HistoryKind::kMaster, 1));
    b.Add(kStart, Of(HistoryKind::kMaster, 1));
  }
  EXPECT_TRUE(Exchange(&a, &b, Never));
  ExpectEqual(a, b);
  EXPECT_EQ(a.history.Timeline().size(), 40);
  EXPECT_FALSE(Exchange(&a, &b, Never)) << "nothing is left to do";
}

TEST(HistoryRepair, RandomAddsAndExchangesWithLossConverge) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    std::vector<Peer> peers;
    for (uint8_t i = 1; i <= 2 + seed % 5; ++i) peers.emplace_back(i);
    MonoTime now = kStart;
    const auto lost = [&] { return random() % 3 == 0; };
    for (int step = 0; step < 300; ++step) {
      now = now + Milliseconds(static_cast<int64_t>(random() % 1000));
      Peer& peer = peers[random() % peers.size()];
      Peer& other = peers[random() % peers.size()];
      const uint64_t dice = random() % 10;
      if (dice < 6) {
        peer.Add(now, Of(static_cast<HistoryKind>(1 + random() % 9), 1, other.node, std::string(random() % 40, 'x')));
      } else if (dice < 7) {
        peer.Boot(now, 1);
      } else if (&peer != &other) {
        Exchange(&peer, &other, lost);
      }
    }
    Converge(&peers, &random, 30, 3000);
  }
}

TEST(HistoryRepair, ManyBootsConverge) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    std::vector<Peer> peers;
    for (uint8_t i = 1; i <= 4; ++i) peers.emplace_back(i);
    for (int boot = 0; boot < 1500; ++boot) {
      const MonoTime now = kStart + Seconds(boot);
      Peer& peer = peers[random() % peers.size()];
      peer.Boot(now, 1);
      if (random() % 3 == 0) peer.Add(now, Of(HistoryKind::kMaster, 1));
    }
    Converge(&peers, &random, 20, 4000);
  }
}

TEST(HistoryRepair, ANewEventInALongHistoryIsFoundAtOnce) {
  Peer a(1);
  Peer b(2);
  for (int boot = 0; boot < 500; ++boot) a.Boot(kStart + Seconds(boot), 1);
  for (int i = 0; i < 2000 && Exchange(&b, &a, Never);) ++i;
  ExpectEqual(a, b);
  b.Boot(kStart + Seconds(1000), 1);
  a.Add(kStart + Seconds(1001), Of(HistoryKind::kMaster, 1));
  Exchange(&a, &b, Never);
  Exchange(&b, &a, Never);
  ExpectEqual(a, b);
}

// Two halves of a long history, and one node that asks their owners by turns.
TEST(HistoryRepair, AskingByTurnsFindsEverything) {
  std::vector<Peer> peers;
  for (uint8_t i = 1; i <= 3; ++i) peers.emplace_back(i);
  for (int boot = 0; boot < 600; ++boot) peers[0].Boot(kStart + Seconds(boot), 1);
  for (int i = 0; i < 5000 && Exchange(&peers[1], &peers[0], Never);) ++i;
  ASSERT_EQ(peers[0].history.digest(), peers[1].history.digest());
  Peer empty(4);
  int rounds = 0;
  for (; rounds < 4000 && peers[1].history.digest() != peers[0].history.digest(); ++rounds) {
    Exchange(&peers[1], rounds % 2 ? &peers[0] : &empty, Never);
  }
  rounds = 0;
  for (; rounds < 4000 && peers[2].history.digest() != peers[0].history.digest(); ++rounds) {
    Exchange(&peers[2], rounds % 2 ? &peers[0] : &empty, [&] { return rounds % 2 == 0; });
  }
  EXPECT_LT(rounds, 4000);
}

// ------------------------------------------------------------------------------------------------------------- floor

void LiveThroughEras(Peer* peer, uint32_t from, uint32_t until) {
  for (uint32_t era = from; era < until; ++era) {
    peer->Boot(kStart + Seconds(era * 100), era);
    peer->Add(kStart + Seconds(era * 100 + 1), Of(HistoryKind::kEra, era));
    peer->Add(kStart + Seconds(era * 100 + 2), Of(HistoryKind::kMaster, era));
  }
}

TEST(HistorySummary, OldErasAreFoldedAndTold) {
  Peer peer(1);
  LiveThroughEras(&peer, 1, kErasKept + 1);
  StoreChange change;
  EXPECT_FALSE(peer.history.Summarise(&change)) << "all are recent";
  LiveThroughEras(&peer, kErasKept + 1, kErasKept + 3);
  ASSERT_TRUE(peer.history.Summarise(&change));
  EXPECT_EQ(change.drop_events_before_era, 3);
  ASSERT_EQ(change.summaries.size(), 2);
  const EraSummary& first = change.summaries[0];
  EXPECT_EQ(first.era, 1);
  EXPECT_EQ(first.lineage, kLineage);
  EXPECT_EQ(first.boots, 1);
  EXPECT_EQ(first.takeovers, 1);
  EXPECT_EQ(first.most_online, 1);
  EXPECT_EQ(first.founder, Id(1));
  EXPECT_LT(first.began, first.ended);
  EXPECT_EQ(peer.history.Timeline().front().era, 3);
  StoreChange again;
  EXPECT_FALSE(peer.history.Summarise(&again));
}

TEST(HistorySummary, TheSameEventsGiveTheSameSummary) {
  Peer a(1);
  Peer b(2);
  LiveThroughEras(&a, 1, 12);
  LiveThroughEras(&b, 1, 12);
  Exchange(&a, &b, Never);
  ExpectEqual(a, b);
  a.Summarise();
  b.Summarise();
  ExpectEqual(a, b);
  EXPECT_EQ(a.history.summaries().size(), 3);
  EXPECT_EQ(a.history.summaries()[0].boots, 2);
}

TEST(HistorySummary, WhatWasDroppedDoesNotComeBack) {
  Peer a(1);
  Peer b(2);
  LiveThroughEras(&a, 1, 12);
  Exchange(&b, &a, Never);
  ExpectEqual(a, b);
  a.Summarise();
  ASSERT_NE(a.history.digest(), b.history.digest()) << "b has not summarised";
  const size_t kept = a.history.Timeline().size();
  bool more = false;
  for (const wire::Chunk& chunk : b.history.Answer(wire::Pull(), kMaxChunks, &more)) {
    EXPECT_TRUE(Give(chunk, &a.history).empty());
  }
  EXPECT_EQ(a.history.Timeline().size(), kept);
  for (int i = 0; i < 3; ++i) Exchange(&a, &b, Never);
  ExpectEqual(a, b);
  EXPECT_EQ(b.history.Timeline().size(), kept) << "b followed";
}

TEST(HistorySummary, ANodeThatWasAwayLearnsTheSummaries) {
  Peer a(1);
  Peer away(2);
  away.Add(kStart, Of(HistoryKind::kBoot, 1));
  LiveThroughEras(&away, 1, 3);
  LiveThroughEras(&a, 1, 30);
  a.Summarise();
  for (int i = 0; i < 20; ++i) Exchange(i % 2 ? &a : &away, i % 2 ? &away : &a, Never);
  ExpectEqual(a, away);
  EXPECT_EQ(away.history.summaries().size(), 21);
  EXPECT_EQ(a.history.summaries()[0].boots, 2) << "what only the other knew counts";
}

TEST(HistorySummary, AHostileSummaryDoesNotWipeTheHistory) {
  Peer peer(1);
  LiveThroughEras(&peer, 1, 6);
  const uint64_t before = peer.history.digest();
  for (const uint32_t era : {0U, 1U, 5U, 1'000'000U, UINT32_MAX}) {
    wire::Chunk chunk;
    chunk.add_summaries()->set_era(era);
    chunk.mutable_summaries(0)->set_founder("short");
    peer.Hear(chunk);
    EXPECT_EQ(peer.history.digest(), before) << era;
  }
}

// One boot goes through merges into ever later eras: its beginning is folded, its end is kept, and others follow.
TEST(HistorySummary, ABootMayBeginBelowTheFloor) {
  Peer a(1);
  Peer b(2);
  for (uint32_t era = 1; era <= kErasKept + 4; ++era) a.Add(kStart + Seconds(era), Of(HistoryKind::kMerge, era));
  a.Summarise();
  a.Add(kStart + Seconds(100), Of(HistoryKind::kMaster, kErasKept + 4));
  for (int i = 0; i < 3; ++i) Exchange(&b, &a, Never);
  ExpectEqual(a, b);
  EXPECT_EQ(b.history.Timeline().front().era, 5);
  const History reloaded = b.store.Load(b.node, 2);
  EXPECT_EQ(reloaded.digest(), b.history.digest());
}

TEST(HistorySummary, AnEraThatJumpedAheadDoesNotPushTheOthersOut) {
  Peer peer(1);
  LiveThroughEras(&peer, 1, 4);
  LiveThroughEras(&peer, 1000, 1002);
  StoreChange change;
  EXPECT_FALSE(peer.history.Summarise(&change));
  EXPECT_EQ(peer.history.Timeline().front().era, 1);
}

TEST(HistorySummary, ManySummariesConverge) {
  Peer a(1);
  Peer b(2);
  LiveThroughEras(&a, 1, 700);
  a.Summarise();
  int rounds = 0;
  std::mt19937_64 random(3);
  const auto lost = [&] { return random() % 4 == 0; };
  while (rounds < 500 && Exchange(&b, &a, lost)) ++rounds;
  ExpectEqual(a, b);
  EXPECT_EQ(b.history.summaries().size(), 699 - kErasKept);
}

// ------------------------------------------------------------------------------------------------- folds within an era

constexpr size_t kPart = 40'000;
static_assert(kPart < kFoldHistoryAt && 2 * kPart > kMaxHistoryEvents);

// `count` masterships in era 1, a millisecond apart.
void WriteMuch(Peer* peer, MonoTime from, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    peer->Add(from + Milliseconds(static_cast<int64_t>(i)), Of(HistoryKind::kMaster, 1));
  }
}

size_t Takeovers(const History& history) {
  size_t count = 0;
  for (const EraSummary& summary : history.summaries()) count += summary.takeovers;
  for (const HistoryEvent& event : history.Timeline()) count += event.kind == HistoryKind::kMaster;
  return count;
}

// Exchanges as the controllers make them: with a look at the length after each.
int RoundsUntilEqual(Peer* a, Peer* b, int limit) {
  int rounds = 0;
  while (rounds < limit && Exchange(rounds % 2 ? a : b, rounds % 2 ? b : a, Never)) {
    a->Summarise();
    b->Summarise();
    ++rounds;
  }
  return rounds;
}

// Each knows 40,000 events of one era that the other does not: together more than a node takes.
TEST(FieldE11, HistoriesOfALongEraAgree) {
  Peer a(1);
  Peer b(2);
  WriteMuch(&a, kStart, kPart);
  WriteMuch(&b, kStart, kPart);
  EXPECT_LT(RoundsUntilEqual(&a, &b, 5000), 5000);
  ExpectEqual(a, b);
  EXPECT_GE(a.history.Timeline().size(), kHistoryKept);
  EXPECT_LT(a.history.Timeline().size(), kFoldHistoryAt);
  ASSERT_EQ(a.history.summaries().size(), 1u);
  EXPECT_NE(a.history.summaries()[0].until, 0u) << "the era goes on";
  // They go on, also after a restart from their stores.
  EXPECT_EQ(b.store.Load(b.node, b.age + 1).digest(), b.history.digest()) << "stored as it is";
  a.Boot(kStart + Seconds(1000), 1);
  b.Add(kStart + Seconds(1000), Of(HistoryKind::kStalled, 1));
  EXPECT_LT(RoundsUntilEqual(&a, &b, 50), 50);
  ExpectEqual(a, b);
}

TEST(FieldE11, WhatIsFoldedInPartsCountsOnce) {
  Peer a(1);
  Peer b(2);
  WriteMuch(&a, kStart, kFoldHistoryAt);
  b.store = a.store;
  b.history = b.store.Load(b.node, b.age);
  b.history.SetWallClock(kStart, kWall);
  for (int part = 1; part <= 2; ++part) {
    a.Summarise();
    EXPECT_EQ(a.history.Timeline().size(), kHistoryKept);
    EXPECT_EQ(Takeovers(a.history), kFoldHistoryAt + static_cast<size_t>(part - 1) * 30'000);
    WriteMuch(&a, kStart + Seconds(100 * part), 30'000);
  }
  ASSERT_EQ(b.history.summaries().size(), 0u);
  EXPECT_LT(RoundsUntilEqual(&a, &b, 5000), 5000);
  ExpectEqual(a, b);
  EXPECT_EQ(Takeovers(b.history), kFoldHistoryAt + 60'000);
}

// The era ends and is folded as a whole: alike by who had folded it in part and by who had not.
TEST(FieldE11, APartBecomesTheWhole) {
  Peer a(1);
  Peer b(2);
  WriteMuch(&a, kStart, kFoldHistoryAt);
  a.Summarise();
  for (uint32_t era = 2; era <= kErasKept + 1; ++era) a.Boot(kStart + Seconds(200 + era), era);
  EXPECT_LT(RoundsUntilEqual(&a, &b, 5000), 5000);
  ExpectEqual(a, b);
  ASSERT_EQ(a.history.summaries().size(), 1u);
  EXPECT_EQ(a.history.summaries()[0].until, 0u);
  EXPECT_EQ(a.history.summaries()[0].takeovers, kFoldHistoryAt);
}

TEST(FieldE11, AHostileFloorWithinAnEraIsNotBelieved) {
  Peer peer(1);
  WriteMuch(&peer, kStart, kHistoryBelieved + 10);
  const uint64_t before = peer.history.digest();
  const std::vector<HistoryEvent> events = peer.history.Timeline();
  const auto hear = [&](uint32_t era, uint64_t until) {
    wire::Chunk chunk;
    chunk.add_summaries()->set_era(era);
    chunk.mutable_summaries(0)->set_lineage(kLineage);
    chunk.mutable_summaries(0)->set_until(until);
    peer.Hear(chunk);
  };
  for (const uint64_t until : {events[11].time, events.back().time + 1, UINT64_MAX}) {
    hear(1, until);
    EXPECT_EQ(peer.history.digest(), before) << until;
  }
  hear(2, 1);
  EXPECT_EQ(peer.history.digest(), before);
  hear(1, events[9].time);  // enough is known after it
  EXPECT_EQ(peer.history.Timeline().size(), events.size() - 9);
}

TEST(HistoryProperty, ErasFloorsRestartsAndLossConverge) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    std::vector<Peer> peers;
    for (uint8_t i = 1; i <= 3 + seed % 3; ++i) peers.emplace_back(i);
    std::vector<uint32_t> eras(peers.size(), 1);
    MonoTime now = kStart;
    const auto lost = [&] { return random() % 3 == 0; };
    for (int step = 0; step < 400; ++step) {
      now = now + Milliseconds(static_cast<int64_t>(random() % 5000));
      const size_t i = random() % peers.size();
      const size_t j = random() % peers.size();
      const uint64_t dice = random() % 20;
      if (dice < 8) {
        peers[i].Add(now, Of(static_cast<HistoryKind>(1 + random() % 9), eras[i], peers[j].node));
      } else if (dice < 10) {
        peers[i].Boot(now, ++eras[i]);  // found no other
      } else if (dice < 12) {
        eras[i] = eras[j] = std::max(eras[i], eras[j]);  // met
      } else if (dice < 14) {
        peers[i].Summarise();
      } else if (i != j) {
        Exchange(&peers[i], &peers[j], lost);
      }
    }
    Converge(&peers, &random, 30, 5000);
    const uint32_t highest = *std::ranges::max_element(eras);
    // All write once more, in one era, restart from their stores, and agree again.
    for (Peer& peer : peers) peer.Boot(now, highest);
    Converge(&peers, &random, 0, 5000);
    for (Peer& peer : peers) {
      peer.Summarise();
      EXPECT_EQ(peer.store.Load(peer.node, peer.age + 1).digest(), peer.history.digest()) << "stored as it is";
    }
    Converge(&peers, &random, 0, 5000);
  }
}

// ------------------------------------------------------------------------------------------------------------- views

std::vector<uint32_t> Counts(const History& history) {
  std::vector<uint32_t> counts;
  for (const OnlineStep& step : history.Online(kWall * 2)) counts.push_back(step.online);
  return counts;
}

TEST(HistoryViews, NodesOnlineOverTime) {
  Peer a(1);
  Peer b(2);
  a.Add(kStart, Of(HistoryKind::kEra, 1));
  a.Add(kStart, Of(HistoryKind::kBoot, 1));
  b.Add(kStart + Seconds(1), Of(HistoryKind::kBoot, 1));
  a.Add(kStart + Seconds(2), Of(HistoryKind::kDown, 1, b.node));
  Exchange(&a, &b, Never);
  b.Boot(kStart + Seconds(3), 1);
  Exchange(&a, &b, Never);
  a.Add(kStart + Seconds(4), Of(HistoryKind::kLeft, 1, b.node));
  EXPECT_EQ(Counts(a.history), (std::vector<uint32_t>{1, 2, 1, 2, 1}));
}

// No node writes down the end of all.
TEST(HistoryViews, AnEraThatBeganWithNoNodeCountsFromOne) {
  Peer a(1);
  Peer b(2);
  a.Add(kStart, Of(HistoryKind::kBoot, 1));
  b.Add(kStart + Seconds(1), Of(HistoryKind::kBoot, 1));
  Exchange(&a, &b, Never);
  a.Boot(kStart + Seconds(100), 2);
  a.Add(kStart + Seconds(100), Of(HistoryKind::kEra, 2));
  const std::vector<OnlineStep> steps = a.history.Online(kWall * 2);
  ASSERT_EQ(steps.size(), 3);
  EXPECT_EQ(steps[1].online, 2);
  EXPECT_EQ(steps[1].era, 1);
  EXPECT_EQ(steps[2].online, 1);
  EXPECT_EQ(steps[2].era, 2);
  EXPECT_EQ(steps[2].lineage, kLineage);
}

TEST(HistoryViews, RebootsSinceARevision) {
  Peer a(1);
  Peer b(2);
  a.Add(kStart, Of(HistoryKind::kBoot, 1));
  a.Boot(kStart + Seconds(1), 1);
  a.Add(kStart + Seconds(1), Of(HistoryKind::kRevision, 1, {}, "abc"));
  EXPECT_EQ(a.history.RebootsSince("abc"), 0);
  EXPECT_EQ(a.history.RebootsSince("other"), 0);
  a.Boot(kStart + Seconds(2), 1);
  b.Boot(kStart + Seconds(3), 1);
  b.Add(kStart + Seconds(3), Of(HistoryKind::kRevision, 1, {}, "abc"));
  Exchange(&a, &b, Never);
  EXPECT_EQ(a.history.RebootsSince("abc"), 2);
}

}  // namespace
}  // namespace qure
