#include "dataplane/pipeline/flow_table.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <map>
#include <random>
#include <tuple>
#include <vector>

namespace qure {
namespace {

// An order for maps.
std::array<uint64_t, 3> WordsOf(const FlowKey& key) {
  return {key.word(0), key.word(1), key.word(2)};
}

constexpr uint64_t kSeed = 0x5eed;
constexpr FlowTime kStart{1000};

FlowTime After(Duration span) {
  return {kStart.ticks + FlowTicks(span)};
}

FlowKey V4Key(uint32_t host, uint16_t port = 40000) {
  const std::array<uint8_t, 4> bytes{static_cast<uint8_t>(host >> 24), static_cast<uint8_t>(host >> 16),
                                     static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)};
  return {MappedAddress(Ipv4Address{bytes}), Be16(port), Be16(uint16_t{443}), 1, 6};
}

FlowKey V6Key(uint8_t last) {
  FlowKey key = V4Key(1);
  key.remote = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  return key;
}

FlowKey RandomKey(std::mt19937_64* random) {
  const uint64_t bits = (*random)();
  return V4Key(static_cast<uint32_t>(bits), static_cast<uint16_t>(bits >> 32));
}

FlowEntry* Find(FlowTable* table, const FlowKey& key, FlowTime now = kStart) {
  return table->Find(key, table->HashOf(key), now);
}

FlowEntry* Insert(FlowTable* table, const FlowKey& key, FlowTime now = kStart) {
  return table->Insert(key, table->HashOf(key), now);
}

FlowEntry* InsertAs(FlowTable* table, const FlowKey& key, FlowState state, FlowTime now = kStart) {
  FlowEntry* entry = Insert(table, key, now);
  if (entry != nullptr) entry->state = state;
  return entry;
}

size_t SweepAll(FlowTable* table, FlowTime now) {
  size_t visited = 0;
  while (!table->Sweep(now, 16, [&visited](FlowEntry*) { ++visited; })) {
  }
  return visited;
}

TEST(FlowTableTest, FindsWhatWasInsertedUntilItIsRemoved) {
  FlowTable table(1000, kSeed);
  for (const FlowKey& key : {V4Key(0x0a000001), V6Key(1), FlowKey{}}) {
    EXPECT_EQ(Find(&table, key), nullptr);
    FlowEntry* entry = Insert(&table, key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->key, key);
    EXPECT_EQ(entry->state, FlowState::kOpening);
    EXPECT_EQ(entry->owner, kSelfSlot);
    EXPECT_EQ(entry->seen, kStart);
    EXPECT_EQ(Find(&table, key), entry);
  }
  EXPECT_EQ(table.counts().flows, 3U);
  table.Remove(Find(&table, V6Key(1)));
  EXPECT_EQ(Find(&table, V6Key(1)), nullptr);
  EXPECT_NE(Find(&table, V4Key(0x0a000001)), nullptr);
  EXPECT_EQ(table.counts().flows, 2U);
  EXPECT_EQ(table.counts().inserted, 3U);
  EXPECT_EQ(table.counts().expired, 0U);
}

TEST(FlowTableTest, SameKeyTwiceIsTheSameEntryAsItWas) {
  FlowTable table(1000, kSeed);
  FlowEntry* entry = InsertAs(&table, V4Key(7), FlowState::kEstablished);
  entry->owner = 3;
  EXPECT_EQ(Insert(&table, V4Key(7), After(Seconds(1))), entry);
  EXPECT_EQ(entry->owner, 3);
  EXPECT_EQ(entry->state, FlowState::kEstablished);
  EXPECT_EQ(entry->seen, kStart);
  EXPECT_EQ(table.counts().flows, 1U);
  EXPECT_EQ(table.counts().inserted, 1U);
}

TEST(FlowTableTest, EveryFieldOfTheKeyCounts) {
  FlowTable table(1000, kSeed);
  const FlowKey key = V4Key(0x01020304, 0x1234);
  std::vector<FlowKey> others(6, key);
  std::swap(others[0].remote_port, others[0].local_port);
  std::swap(others[1].local_address, others[1].protocol);
  std::swap(others[2].remote[12], others[2].remote[15]);
  others[3].protocol = 17;
  others[4].local_address = 2;
  others[5].remote[10] = 0;  // ::ff:1.2.3.4 is not 1.2.3.4
  FlowEntry* entry = Insert(&table, key);
  for (const FlowKey& other : others) {
    EXPECT_NE(table.HashOf(other), table.HashOf(key));
    EXPECT_EQ(Find(&table, other), nullptr);
    EXPECT_NE(Insert(&table, other), entry);
  }
  EXPECT_EQ(table.counts().flows, 7U);
}

TEST(FlowTableTest, FlowsOfOneHashAreToldApart) {
  FlowTable table(1000, kSeed);
  // 0 would have the tag that means free.
  for (const uint64_t hash : {uint64_t{0}, uint64_t{0x4242424242424242}, UINT64_MAX}) {
    const auto base = static_cast<uint32_t>(hash);
    std::vector<FlowEntry*> entries;
    for (uint32_t i = 0; i < 14; ++i) {
      entries.push_back(table.Insert(V4Key(base + i), hash, kStart));
      ASSERT_NE(entries.back(), nullptr);
      entries.back()->state = FlowState::kEstablished;
    }
    for (uint32_t i = 0; i < 14; ++i) EXPECT_EQ(table.Find(V4Key(base + i), hash, kStart), entries[i]);
    EXPECT_EQ(table.Find(V4Key(base + 14), hash, kStart), nullptr);
    EXPECT_EQ(table.Insert(V4Key(base + 14), hash, kStart), nullptr);
  }
  EXPECT_EQ(table.counts().refused, 3U);
}

TEST(FlowTableTest, ForgetsWhenIdleAsTheStateAllows) {
  const struct {
    FlowState state;
    NodeSlot owner;
    bool pinned;
    Duration limit;
  } rows[] = {
      {FlowState::kOpening, kSelfSlot, false, Seconds(10)},
      {FlowState::kOpening, 4, true, Seconds(300)},
      {FlowState::kEstablished, kSelfSlot, false, Seconds(7800)},
      {FlowState::kEstablished, 4, false, Seconds(300)},
      {FlowState::kEstablished, 4, true, Seconds(300)},
      {FlowState::kClosing, kSelfSlot, false, Seconds(20)},
      {FlowState::kClosing, 4, true, Seconds(20)},
      {FlowState::kFragments, kSelfSlot, false, Seconds(10)},
      {FlowState::kDatagrams, kSelfSlot, false, Seconds(60)},
      {FlowState::kDatagrams, 4, true, Seconds(300)},
  };
  for (const auto& row : rows) {
    FlowTable table(100, kSeed);
    FlowEntry* entry = InsertAs(&table, V4Key(1), row.state);
    entry->owner = row.owner;
    entry->pinned = row.pinned;
    EXPECT_EQ(IdleLimit(*entry), row.limit);
    const FlowTime last{After(row.limit)};
    EXPECT_EQ(Find(&table, V4Key(1), last), entry);
    EXPECT_EQ(Find(&table, V4Key(1), {last.ticks + 1}), nullptr);
    EXPECT_EQ(Find(&table, V4Key(1), {kStart.ticks - 1}), entry) << "seen by a clock that is ahead";
    entry->seen = last;
    EXPECT_EQ(Find(&table, V4Key(1), {last.ticks + 1}), entry);
  }
}

TEST(FlowTableTest, AnIdleFlowComesBackAsANewOne) {
  FlowTable table(100, kSeed);
  InsertAs(&table, V4Key(1), FlowState::kEstablished)->owner = 4;
  const FlowTime later = After(Seconds(301));
  const FlowEntry* entry = Insert(&table, V4Key(1), later);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->state, FlowState::kOpening);
  EXPECT_EQ(entry->owner, kSelfSlot);
  EXPECT_EQ(entry->seen, later);
  EXPECT_EQ(table.counts().flows, 1U);
  EXPECT_EQ(table.counts().inserted, 2U);
  EXPECT_EQ(table.counts().expired, 1U);
}

TEST(FlowTableTest, TheOldestOpeningFlowGivesWayAndIdleOnesBeforeIt) {
  FlowTable table(1, kSeed);  // one bucket
  ASSERT_EQ(table.buckets(), 1U);
  for (uint32_t i = 0; i < 7; ++i) ASSERT_NE(InsertAs(&table, V4Key(i), FlowState::kEstablished), nullptr);
  EXPECT_EQ(Insert(&table, V4Key(100)), nullptr);
  EXPECT_EQ(table.counts().refused, 1U);

  Find(&table, V4Key(2))->state = FlowState::kOpening;
  Find(&table, V4Key(2))->seen = After(Seconds(2));
  Find(&table, V4Key(5))->state = FlowState::kOpening;
  Find(&table, V4Key(5))->seen = After(Seconds(1));
  Find(&table, V4Key(3))->state = FlowState::kClosing;
  EXPECT_NE(InsertAs(&table, V4Key(101), FlowState::kEstablished, After(Seconds(3))), nullptr);
  EXPECT_EQ(Find(&table, V4Key(5), After(Seconds(3))), nullptr);
  EXPECT_EQ(table.counts().displaced, 1U);
  EXPECT_NE(Find(&table, V4Key(2), After(Seconds(3))), nullptr);

  Find(&table, V4Key(2), After(Seconds(3)))->seen = After(Seconds(20));
  EXPECT_NE(Insert(&table, V4Key(102), After(Seconds(21))), nullptr) << "in place of the closing one";
  EXPECT_NE(Find(&table, V4Key(2), After(Seconds(21))), nullptr);
  EXPECT_EQ(table.counts().expired, 1U);
  EXPECT_EQ(table.counts().flows, 7U);
}

TEST(FlowTableTest, AFloodOfSynsTakesNothingFromTheLiving) {
  constexpr size_t kFlows = 20'000;
  FlowTable table(kFlows, kSeed);
  const size_t bytes = table.bytes();
  std::mt19937_64 random(1);
  std::vector<FlowKey> alive;
  for (size_t i = 0; i < kFlows / 2; ++i) {
    alive.push_back(RandomKey(&random));
    ASSERT_NE(InsertAs(&table, alive.back(), FlowState::kEstablished), nullptr);
  }
  uint64_t refused = 0;
  for (size_t i = 0; i < 10 * kFlows; ++i) {
    if (Insert(&table, RandomKey(&random), After(Milliseconds(static_cast<int64_t>(i / 100)))) == nullptr) ++refused;
  }
  for (const FlowKey& key : alive) ASSERT_NE(Find(&table, key, After(Seconds(3))), nullptr);
  // And who comes for good in the middle of it is let in.
  size_t let_in = 0;
  for (size_t i = 0; i < kFlows / 4; ++i) {
    alive.push_back(RandomKey(&random));
    if (InsertAs(&table, alive.back(), FlowState::kEstablished, After(Seconds(3))) == nullptr)
      alive.pop_back();
    else
      ++let_in;
    Insert(&table, RandomKey(&random), After(Seconds(3)));
  }
  EXPECT_GE(let_in, kFlows / 4 * 999 / 1000);
  for (const FlowKey& key : alive) ASSERT_NE(Find(&table, key, After(Seconds(3))), nullptr);
  EXPECT_GT(table.counts().displaced, 8 * kFlows);
  EXPECT_LE(table.counts().flows, table.buckets() * 7);
  EXPECT_GE(table.counts().refused, refused);
  EXPECT_EQ(table.bytes(), bytes);
  EXPECT_LE(bytes, kFlows * 64);
}

TEST(FlowTableTest, RefusesLivingFlowsBeyondItsSlotsAndCountsThem) {
  constexpr size_t kFlows = 2000;
  FlowTable table(kFlows, kSeed);
  std::mt19937_64 random(2);
  uint64_t refused = 0;
  for (size_t i = 0; i < 10 * kFlows; ++i) {
    if (InsertAs(&table, RandomKey(&random), FlowState::kEstablished) == nullptr) ++refused;
  }
  EXPECT_EQ(table.counts().refused, refused);
  EXPECT_EQ(table.counts().inserted + refused, 10 * kFlows);
  EXPECT_EQ(table.counts().displaced, 0U);
  EXPECT_EQ(SweepAll(&table, kStart), table.counts().flows);
}

TEST(FlowTableTest, HoldsTheFlowsItWasMadeFor) {
  for (const size_t flows : {size_t{1}, size_t{8}, size_t{10'000}, size_t{300'000}}) {
    FlowTable table(flows, kSeed + flows);
    std::mt19937_64 random(flows);
    for (size_t i = 0; i < flows; ++i) InsertAs(&table, RandomKey(&random), FlowState::kEstablished);
    EXPECT_LT(static_cast<double>(table.counts().refused), 0.001 * static_cast<double>(flows)) << flows;
    EXPECT_LE(table.bytes(), flows * 64 + 256);
  }
}

TEST(FlowTableTest, HoldsFlowsWithNeighbouringAddressesAndPorts) {
  constexpr size_t kFlows = 65'536;
  for (const uint32_t ports : {1U, 256U, 65'536U}) {
    FlowTable table(kFlows, kSeed);
    for (uint32_t i = 0; i < kFlows; ++i) {
      InsertAs(&table, V4Key(0x0a000000 + i / ports, static_cast<uint16_t>(i % ports)), FlowState::kEstablished);
    }
    EXPECT_LT(table.counts().refused, kFlows / 1000) << ports;
  }
}

TEST(FlowTableTest, EachBitOfTheKeyTurnsHalfOfTheHash) {
  constexpr int kKeys = 500;
  const FlowTable table(1000, kSeed);
  std::mt19937_64 random(3);
  for (size_t bit = 0; bit < 22 * 8; ++bit) {
    std::array<int, 64> turned{};
    for (int i = 0; i < kKeys; ++i) {
      const FlowKey key = RandomKey(&random);
      auto bytes = std::bit_cast<std::array<uint8_t, sizeof(FlowKey)>>(key);
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1U << bit % 8));
      const uint64_t difference = table.HashOf(key) ^ table.HashOf(std::bit_cast<FlowKey>(bytes));
      for (size_t out = 0; out < 64; ++out) turned[out] += static_cast<int>(difference >> out & 1);
    }
    for (size_t out = 0; out < 64; ++out) {
      EXPECT_NEAR(turned[out], kKeys / 2, kKeys / 6) << "bit " << bit << " of the key, " << out << " of the hash";
    }
  }
}

TEST(FlowTableTest, TheSeedDecidesWhichFlowsMeet) {
  const FlowTable a(1000, 1);
  const FlowTable b(1000, 2);
  EXPECT_NE(a.HashOf(V4Key(1)), b.HashOf(V4Key(1)));
  EXPECT_EQ(a.HashOf(V4Key(1)), FlowTable(5, 1).HashOf(V4Key(1)));
}

TEST(FlowTableTest, TheSweepComesRoundAndFrees) {
  FlowTable table(1000, kSeed);
  for (uint32_t i = 0; i < 600; ++i) {
    const FlowState states[] = {FlowState::kOpening, FlowState::kEstablished, FlowState::kDatagrams};
    InsertAs(&table, V4Key(i), states[i % 3]);
  }
  size_t steps = 1;
  std::map<uint32_t, int> visits;
  const auto visit = [&visits](FlowEntry* entry) { ++visits[static_cast<uint32_t>(entry->key.remote[15])]; };
  while (!table.Sweep(kStart, 10, visit)) ++steps;
  EXPECT_EQ(steps, (table.buckets() + 9) / 10);
  int total = 0;
  for (const auto& [key, count] : visits) total += count;
  EXPECT_EQ(total, 600);

  EXPECT_EQ(SweepAll(&table, After(Seconds(30))), 400U);
  EXPECT_EQ(table.counts().flows, 400U);
  EXPECT_EQ(table.counts().expired, 200U);
  const auto free_datagrams = [](FlowEntry* entry) {
    if (entry->state == FlowState::kDatagrams) entry->state = FlowState::kFree;
  };
  EXPECT_TRUE(table.Sweep(After(Seconds(30)), table.buckets() + 5, free_datagrams));
  EXPECT_EQ(table.counts().flows, 200U);
  EXPECT_EQ(table.counts().expired, 200U);
  EXPECT_EQ(Find(&table, V4Key(2), After(Seconds(30))), nullptr);
  EXPECT_NE(Find(&table, V4Key(1), After(Seconds(30))), nullptr);
  EXPECT_EQ(SweepAll(&table, After(Seconds(8000))), 0U);
  EXPECT_EQ(table.counts().flows, 0U);
}

// Against a map, with few keys and few slots, so that all rules meet. What the map cannot know is which flow gave way.
class Model {
 public:
  void Step(std::mt19937_64* random) {
    if ((*random)() % 64 == 0) now_.ticks += static_cast<uint32_t>((*random)() % FlowTicks(Seconds(15)));
    const FlowKey key = V4Key(static_cast<uint32_t>((*random)() % 400));
    switch ((*random)() % 8) {
      case 0:
        return RemoveFlow(key);
      case 1:
        return Sweep();
      case 2:
      case 3:
      case 4:
        return InsertFlow(key, (*random)());
      default:
        return Check(key);
    }
  }
  void CheckCounts() const {
    const FlowTableCounts& counts = table_.counts();
    ASSERT_EQ(counts.inserted, inserted_);
    ASSERT_EQ(counts.refused, refused_);
    ASSERT_EQ(counts.inserted, counts.flows + counts.expired + counts.displaced + removed_);
  }
  const FlowTableCounts& counts() const { return table_.counts(); }

 private:
  using Flows = std::map<std::array<uint64_t, 3>, FlowEntry>;

  bool Alive(const FlowEntry& entry) const { return now_.ticks - entry.seen.ticks <= FlowTicks(IdleLimit(entry)); }
  static bool MayGiveWay(const FlowEntry& entry) {
    const bool cached = entry.owner != kSelfSlot && !entry.pinned;
    return cached || entry.state == FlowState::kOpening || entry.state == FlowState::kClosing;
  }
  void Check(const FlowKey& key) {
    const auto known = flows_.find(WordsOf(key));
    FlowEntry* entry = Find(&table_, key, now_);
    const bool alive = known != flows_.end() && Alive(known->second);
    if (!alive) {
      ASSERT_EQ(entry, nullptr);
      return;
    }
    if (entry == nullptr) {
      ASSERT_TRUE(MayGiveWay(known->second));
      flows_.erase(known);
      return;
    }
    ASSERT_EQ(entry->key, key);
    ASSERT_EQ(entry->state, known->second.state);
    ASSERT_EQ(entry->owner, known->second.owner);
    ASSERT_EQ(entry->seen, known->second.seen);
    entry->seen = known->second.seen = now_;
  }
  void InsertFlow(const FlowKey& key, uint64_t bits) {
    const bool there = Find(&table_, key, now_) != nullptr;
    Check(key);
    FlowEntry* entry = Insert(&table_, key, now_);
    if (entry == nullptr) {
      ++refused_;
      return;
    }
    if (!there) {
      ++inserted_;
      ASSERT_EQ(entry->state, FlowState::kOpening);
    }
    const FlowState states[] = {FlowState::kOpening, FlowState::kEstablished, FlowState::kClosing,
                                FlowState::kDatagrams};
    entry->state = states[bits % 4];
    entry->owner = static_cast<NodeSlot>(bits >> 8 & 1);
    entry->pinned = entry->owner != kSelfSlot && (bits >> 9 & 1) != 0;
    flows_[WordsOf(key)] = *entry;
  }
  void RemoveFlow(const FlowKey& key) {
    if (FlowEntry* entry = Find(&table_, key, now_)) {
      table_.Remove(entry);
      ++removed_;
      flows_.erase(WordsOf(key));
      ASSERT_EQ(Find(&table_, key, now_), nullptr);
    }
  }
  void Sweep() {
    table_.Sweep(now_, 3, [this](FlowEntry* entry) {
      const auto known = flows_.find(WordsOf(entry->key));
      ASSERT_NE(known, flows_.end());
      ASSERT_TRUE(Alive(known->second));
    });
  }

  FlowTable table_{200, kSeed};
  FlowTime now_ = kStart;
  Flows flows_;
  uint64_t inserted_ = 0;
  uint64_t refused_ = 0;
  uint64_t removed_ = 0;
};

TEST(FlowTableTest, BehavesAsAMapThatForgets) {
  Model model;
  std::mt19937_64 random(4);
  for (int i = 0; i < 500'000 && !::testing::Test::HasFatalFailure(); ++i) {
    model.Step(&random);
    model.CheckCounts();
  }
  EXPECT_GT(model.counts().expired, 0U);
  EXPECT_GT(model.counts().displaced, 0U);
}

}  // namespace
}  // namespace qure
