#include "control/core/cluster/lifetime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr uint64_t kHourMs = 3'600'000;

NodeId Id(uint8_t number) {
  return {number, 0xaa};
}

wire::Hello Active(uint32_t era, uint64_t lineage, uint64_t uptime_ms) {
  wire::Hello hello;
  hello.set_era(era);
  hello.set_lineage(lineage);
  hello.set_uptime_ms(uptime_ms);
  return hello;
}

wire::Hello Booting(uint32_t era, uint64_t lineage = 0, uint64_t uptime_ms = 0) {
  wire::Hello hello = Active(era, lineage, uptime_ms);
  hello.set_booting(true);
  return hello;
}

Incoming From(uint8_t node) {
  return {.node = Id(node), .boot = Id(node)};
}

class LifetimeTest : public ::testing::Test {
 protected:
  Lifetime Boot(const StoredLife& stored = {}) { return {stored, random_, kStart, /*alone=*/false}; }
  Lifetime Found(const StoredLife& stored) {
    Lifetime life(stored, random_, kStart, /*alone=*/true);
    EXPECT_EQ(life.Tick(kStart, members_, {}, false), LifeChange::kFounded);
    return life;
  }

  std::mt19937_64 random_{1};
  Membership members_{Id(1)};
  const Rank own_{.priority = 0, .weight = 1, .node = Id(1)};
};

using FieldE12Lifetime = LifetimeTest;

TEST_F(LifetimeTest, AloneItBeginsAtOnce) {
  Lifetime life({.era = 4, .lineage = 7, .uptime_ms = 100}, random_, kStart, /*alone=*/true);
  EXPECT_EQ(life.deadline(), kStart);
  EXPECT_EQ(life.Tick(kStart, members_, own_, false), LifeChange::kFounded);
  EXPECT_EQ(life.era(), 5);
  EXPECT_EQ(life.lineage(), 7);
  EXPECT_EQ(life.UptimeMs(kStart + Seconds(2)), 2100);
  EXPECT_EQ(life.deadline(), kNever);
  EXPECT_EQ(life.Tick(kStart + Seconds(9), members_, own_, false), LifeChange::kNone);
}

TEST_F(LifetimeTest, ItListensBeforeItBegins) {
  Lifetime life = Boot();
  EXPECT_TRUE(life.booting());
  EXPECT_GE(life.deadline(), kStart + kListen);
  EXPECT_LE(life.deadline(), kStart + kListen + kListenJitter);
  EXPECT_EQ(life.Tick(kStart + kListen - Milliseconds(1), members_, own_, false), LifeChange::kNone);
  EXPECT_EQ(life.UptimeMs(kStart + Milliseconds(500)), 0) << "no era yet";
  EXPECT_EQ(life.Tick(life.deadline(), members_, own_, false), LifeChange::kFounded);
  EXPECT_EQ(life.era(), 1);
  EXPECT_NE(life.lineage(), 0);
}

TEST_F(LifetimeTest, JoinsAnActiveNode) {
  Lifetime life = Boot({.era = 4, .lineage = 7, .uptime_ms = kHourMs});
  EXPECT_EQ(life.OnHello(kStart, Active(4, 7, kHourMs + 5000)), LifeChange::kJoined);
  EXPECT_FALSE(life.booting());
  EXPECT_EQ(life.era(), 4);
  EXPECT_EQ(life.UptimeMs(kStart + Seconds(1)), kHourMs + 6000);
  EXPECT_EQ(life.deadline(), kNever);
  EXPECT_EQ(life.OnHello(kStart, Active(4, 7, kHourMs)), LifeChange::kNone);
}

TEST_F(LifetimeTest, WhoHasNoPastTakesTheirs) {
  Lifetime life = Boot();
  EXPECT_EQ(life.OnHello(kStart, Active(4, 7, 10)), LifeChange::kJoined);
  EXPECT_EQ(life.Stored(kStart), (StoredLife{.era = 4, .lineage = 7, .uptime_ms = 10}));
}

TEST_F(LifetimeTest, WhoLivedInALaterEraDoesNotGoBack) {
  Lifetime life = Boot({.era = 9, .lineage = 7, .uptime_ms = 0});
  EXPECT_EQ(life.OnHello(kStart, Active(4, 7, kHourMs)), LifeChange::kJoined);
  EXPECT_EQ(life.era(), 9);
  Lifetime other = Found({.era = 3, .lineage = 7, .uptime_ms = kHourMs});
  ASSERT_EQ(other.era(), 4);
  EXPECT_EQ(other.OnHello(kStart, Active(life.era(), life.lineage(), life.UptimeMs(kStart))), LifeChange::kMerged);
  EXPECT_EQ(other.era(), 9) << "the others come along";
}

TEST_F(LifetimeTest, BegunErasExceedAllThatWereHeardOf) {
  Lifetime life = Boot({.era = 4, .lineage = 7, .uptime_ms = 0});
  EXPECT_EQ(life.OnHello(kStart, Booting(8)), LifeChange::kNone);
  EXPECT_TRUE(life.booting());
  EXPECT_EQ(life.Tick(life.deadline(), members_, own_, false), LifeChange::kFounded);
  EXPECT_EQ(life.era(), 9);
}

TEST_F(LifetimeTest, TheFounderGoesOnWithTheLongestLineageThatAnyoneRemembers) {
  Lifetime life = Boot({.era = 1, .lineage = 7, .uptime_ms = 1000});
  life.OnHello(kStart, Booting(1, 8, 999));
  life.OnHello(kStart, Booting(1, 9, kHourMs));
  life.OnHello(kStart, Booting(1, 10, 5));
  life.Tick(life.deadline(), members_, own_, false);
  EXPECT_EQ(life.Stored(life.deadline()).lineage, 9);
  EXPECT_GE(life.UptimeMs(kStart + Seconds(5)), kHourMs);

  Lifetime keeps = Boot({.era = 1, .lineage = 7, .uptime_ms = 1000});
  keeps.OnHello(kStart, Booting(1, 8, 999));
  keeps.Tick(keeps.deadline(), members_, own_, false);
  EXPECT_EQ(keeps.lineage(), 7);
}

TEST_F(LifetimeTest, TheBestRankedBegins) {
  wire::Hello better = Booting(0);
  better.set_priority(5);
  members_.OnMessage(kStart, From(2), &better);
  Lifetime life = Boot();
  const MonoTime first = life.deadline();
  EXPECT_EQ(life.Tick(first, members_, own_, false), LifeChange::kNone);
  EXPECT_GT(life.deadline(), first);
  EXPECT_EQ(life.OnHello(first, Active(1, 3, 0)), LifeChange::kJoined) << "it has begun";

  wire::Hello worse = Booting(0);
  worse.set_priority(-5);
  Membership others{Id(1)};
  others.OnMessage(kStart, From(2), &worse);
  Lifetime best = Boot();
  EXPECT_EQ(best.Tick(best.deadline(), others, own_, false), LifeChange::kFounded);
}

TEST_F(LifetimeTest, IfTheBestDiesBeforeItBeginsTheNextOneDoes) {
  wire::Hello better = Booting(0);
  better.set_priority(5);
  members_.OnMessage(kStart, From(2), &better);
  Lifetime life = Boot();
  ASSERT_EQ(life.Tick(life.deadline(), members_, own_, false), LifeChange::kNone);
  members_.OnGoodbye(kStart, Id(2), From(2).boot);
  const MonoTime next = life.deadline();
  EXPECT_LE(next, kStart + kListen + kListenJitter + kBootHelloInterval);
  EXPECT_EQ(life.Tick(next, members_, own_, false), LifeChange::kFounded);
}

TEST_F(LifetimeTest, ABetterOneThatNeverBeginsIsNotWaitedForForever) {
  wire::Hello better = Booting(0);
  better.set_priority(5);
  members_.OnMessage(kStart, From(2), &better);
  Lifetime life = Boot();
  MonoTime now = kStart;
  while (life.booting() && now < kStart + Seconds(10)) {
    now = life.deadline();
    life.Tick(now, members_, own_, false);
  }
  EXPECT_FALSE(life.booting());
  EXPECT_LE(now, kStart + kListen + kListenJitter + kFoundAnyway);
}

// Recordings of earlier boots are played, and the word of the master is not believed yet: no era is begun beside it.
TEST_F(FieldE12Lifetime, WhoIsNotProvenYetIsWaitedFor) {
  Lifetime life = Boot();
  const MonoTime first = life.deadline();
  EXPECT_EQ(life.Tick(first, members_, own_, /*unproven=*/true), LifeChange::kNone);
  EXPECT_GT(life.deadline(), first);
  EXPECT_LE(life.deadline(), first + kBootHelloInterval);
  EXPECT_EQ(life.OnHello(first + kListen, Active(4, 7, kHourMs)), LifeChange::kJoined);
}

TEST_F(FieldE12Lifetime, OnceAllHaveProvenThemselvesOrAreSilentItBegins) {
  Lifetime life = Boot();
  ASSERT_EQ(life.Tick(life.deadline(), members_, own_, /*unproven=*/true), LifeChange::kNone);
  EXPECT_EQ(life.Tick(life.deadline(), members_, own_, /*unproven=*/false), LifeChange::kFounded);
}

TEST_F(FieldE12Lifetime, RecordingsHoldNobodyForEver) {
  Lifetime life = Boot();
  MonoTime now = kStart;
  while (life.booting() && now < kStart + Seconds(60)) {
    now = life.deadline();
    life.Tick(now, members_, own_, /*unproven=*/true);
  }
  EXPECT_FALSE(life.booting());
  EXPECT_GE(now, kStart + kListen + kListenLonger);
  EXPECT_LE(now, kStart + kListen + kListenJitter + kListenLonger);
}

TEST_F(FieldE12Lifetime, WithoutAClusterNobodyIsWaitedFor) {
  Lifetime life({}, random_, kStart, /*alone=*/true);
  EXPECT_EQ(life.Tick(kStart, members_, own_, /*unproven=*/true), LifeChange::kFounded);
}

TEST_F(LifetimeTest, WhoStoodStillListensAgain) {
  Lifetime life = Boot();
  const MonoTime late = kStart + Seconds(30);
  EXPECT_EQ(life.Tick(late, members_, own_, false), LifeChange::kNone);
  EXPECT_EQ(life.deadline(), late + kListen);
  EXPECT_EQ(life.OnHello(late, Active(5, 6, 100)), LifeChange::kJoined);
}

TEST_F(LifetimeTest, UptimeIsTheGreaterAndDoesNotGoBack) {
  Lifetime life = Found({.era = 1, .lineage = 7, .uptime_ms = 1000});
  const MonoTime now = kStart + Seconds(1);
  EXPECT_EQ(life.OnHello(now, Active(2, 7, 500)), LifeChange::kNone);
  EXPECT_EQ(life.UptimeMs(now), 2000);
  EXPECT_EQ(life.OnHello(now, Active(2, 7, 5000)), LifeChange::kNone);
  EXPECT_EQ(life.UptimeMs(now), 5000);
  EXPECT_EQ(life.UptimeMs(now + Seconds(1)), 6000);
}

// Frequent HELLOs of others must not eat what is less than a millisecond.
TEST_F(LifetimeTest, UptimeKeepsPaceUnderManyHellos) {
  Lifetime life = Found({.era = 1, .lineage = 7, .uptime_ms = 0});
  MonoTime now = kStart;
  for (int i = 0; i < 10'000; ++i) {
    now = now + Microseconds(1'900);
    life.OnHello(now, Active(2, 7, life.UptimeMs(now) - std::min<uint64_t>(life.UptimeMs(now), 1)));
  }
  EXPECT_EQ(life.UptimeMs(now), 19'000);
}

TEST_F(LifetimeTest, OfTwoLineagesTheLongerWins) {
  Lifetime shorter = Found({.era = 6, .lineage = 99, .uptime_ms = kHourMs});
  Lifetime longer = Found({.era = 2, .lineage = 7, .uptime_ms = 2 * kHourMs});
  const auto hello = [](const Lifetime& life) { return Active(life.era(), life.lineage(), life.UptimeMs(kStart)); };
  const wire::Hello of_shorter = hello(shorter);
  EXPECT_EQ(shorter.OnHello(kStart, hello(longer)), LifeChange::kMerged);
  EXPECT_EQ(longer.OnHello(kStart, of_shorter), LifeChange::kMerged) << "the era";
  EXPECT_EQ(shorter.Stored(kStart), (StoredLife{.era = 7, .lineage = 7, .uptime_ms = 2 * kHourMs}));
  EXPECT_EQ(longer.Stored(kStart), shorter.Stored(kStart));
  EXPECT_EQ(longer.OnHello(kStart, hello(shorter)), LifeChange::kNone);
}

TEST_F(LifetimeTest, ABootingNodeThatRemembersALongerLineageBringsIt) {
  Lifetime booting = Boot({.era = 2, .lineage = 7, .uptime_ms = 2 * kHourMs});
  Lifetime active = Found({.era = 1, .lineage = 9, .uptime_ms = kHourMs});
  EXPECT_EQ(booting.OnHello(kStart, Active(2, 9, kHourMs)), LifeChange::kJoined);
  EXPECT_EQ(booting.lineage(), 7);
  EXPECT_EQ(active.OnHello(kStart, Active(2, 7, 2 * kHourMs)), LifeChange::kMerged);
  EXPECT_EQ(active.lineage(), 7);
}

TEST_F(LifetimeTest, NonsenseIsNotFollowed) {
  Lifetime life = Found({.era = 1, .lineage = 7, .uptime_ms = 1000});
  const StoredLife before = life.Stored(kStart);
  for (const wire::Hello& hello :
       {Active(UINT32_MAX, 7, 0), Active(kEraLimit, 7, 0), Active(2, 7, UINT64_MAX), Active(2, 8, kUptimeLimitMs),
        Active(0, 8, kHourMs), Active(9, 0, kHourMs), Booting(UINT32_MAX), Booting(0, 8, kHourMs)}) {
    EXPECT_EQ(life.OnHello(kStart, hello), LifeChange::kNone) << hello.ShortDebugString();
    EXPECT_EQ(life.Stored(kStart), before);
  }
  Lifetime booting = Boot();
  EXPECT_EQ(booting.OnHello(kStart, Active(UINT32_MAX, 7, 0)), LifeChange::kNone);
  booting.Tick(booting.deadline(), members_, own_, false);
  EXPECT_EQ(booting.era(), 1);
}

// Whatever the difference of their uptimes, and whatever the delays between them, two lineages become one.
TEST_F(LifetimeTest, TwoLineagesAlwaysComeToOneEnd) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    // Close to a tie's limit, or to no difference, half of the time.
    const uint64_t differences[] = {random() % 100, kUptimeTieMs - 50 + random() % 100, random() % (3 * kUptimeTieMs),
                                    kUptimeTieMs + kUptimeDoubtMs - 50 + random() % 100};
    Lifetime a = Found({.era = 1, .lineage = 1 + random() % 100, .uptime_ms = kHourMs});
    Lifetime b =
        Found({.era = 1 + static_cast<uint32_t>(random() % 2),
               .lineage = 101 + random() % 100,
               .uptime_ms = kHourMs + (random() % 2 ? differences[random() % 4] : -differences[random() % 4])});
    MonoTime now = kStart;
    const auto same = [&] { return a.lineage() == b.lineage() && a.era() == b.era(); };
    uint64_t uptime_a = 0;
    uint64_t lineage_a = 0;
    for (int i = 0; i < 200 && !same(); ++i) {
      const wire::Hello of_a = Active(a.era(), a.lineage(), a.UptimeMs(now));
      const wire::Hello of_b = Active(b.era(), b.lineage(), b.UptimeMs(now));
      now = now + Milliseconds(static_cast<int64_t>(random() % 40));
      if (random() % 4 != 0) a.OnHello(now, of_b);
      if (random() % 4 != 0) b.OnHello(now, of_a);
      now = now + Milliseconds(100);
      if (lineage_a == a.lineage()) {
        EXPECT_GE(a.UptimeMs(now), uptime_a);
      }
      lineage_a = a.lineage();
      uptime_a = a.UptimeMs(now);
    }
    EXPECT_TRUE(same());
  }
}

// Each hears the other's uptime 20 ms late, so the one sees a tie that the other does not see, and both seem to win.
TEST_F(LifetimeTest, ADisputeIsEnded) {
  Lifetime a = Found({.era = 1, .lineage = 1, .uptime_ms = kHourMs + kUptimeTieMs});
  Lifetime b = Found({.era = 1, .lineage = 200, .uptime_ms = kHourMs});
  MonoTime now = kStart;
  const auto exchange = [&] {
    const wire::Hello of_a = Active(a.era(), a.lineage(), a.UptimeMs(now));
    const wire::Hello of_b = Active(b.era(), b.lineage(), b.UptimeMs(now));
    now = now + Milliseconds(20);
    a.OnHello(now, of_b);
    b.OnHello(now, of_a);
    now = now + Milliseconds(80);
  };
  exchange();
  ASSERT_NE(a.lineage(), b.lineage());
  while (now < kStart + kDispute + Seconds(1)) exchange();
  EXPECT_EQ(a.lineage(), 200);
  EXPECT_EQ(b.lineage(), 200);
}

// N nodes boot at about the same time, some die: one era, one lineage, and the era is new.
TEST_F(LifetimeTest, SimultaneousBootsMakeOneEra) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    struct Node {
      uint8_t id;
      MonoTime boots;
      MonoTime dies;
      MonoTime says;
      std::unique_ptr<Membership> members;
      std::unique_ptr<Transport> transport;
      std::unique_ptr<Lifetime> life;
    };
    std::vector<Node> nodes;
    const size_t count = 2 + seed % 5;
    for (uint8_t i = 1; i <= count; ++i) {
      const MonoTime boots = kStart + Milliseconds(static_cast<int64_t>(random() % 500));
      const bool dies = i < count && random() % 4 == 0;
      nodes.push_back({.id = i,
                       .boots = boots,
                       .dies = dies ? boots + Milliseconds(static_cast<int64_t>(random() % 900)) : kNever,
                       .says = boots});
      nodes.back().members = std::make_unique<Membership>(Id(i));
      nodes.back().transport = std::make_unique<Transport>(Id(i), Id(i), random_);
    }
    const auto rank = [](const Node& node) { return Rank{.priority = 0, .weight = 1, .node = Id(node.id)}; };
    for (MonoTime now = kStart; now < kStart + Seconds(6); now = now + Milliseconds(1)) {
      for (Node& node : nodes) {
        if (now < node.boots || now >= node.dies) continue;
        if (!node.life) {
          node.life = std::make_unique<Lifetime>(StoredLife{.era = 3, .lineage = 5, .uptime_ms = 1000}, random_, now,
                                                 /*alone=*/false);
        }
        Actions out;
        node.members->Tick(now, node.transport.get(), &out);
        if (node.life->Tick(now, *node.members, rank(node), false) != LifeChange::kNone) node.says = now;
        if (now < node.says) continue;
        node.says = now + kBootHelloInterval;
        wire::Hello hello = Active(node.life->era(), node.life->lineage(), node.life->UptimeMs(now));
        hello.set_booting(node.life->booting());
        hello.set_weight(1);
        for (Node& other : nodes) {
          if (&other == &node || !other.life || now >= other.dies) continue;
          other.members->OnMessage(now, From(node.id), &hello);
          if (other.life->OnHello(now, hello) != LifeChange::kNone) other.says = now;
        }
      }
    }
    bool someone_died = false;
    for (const Node& node : nodes) {
      someone_died |= node.dies != kNever;
      if (node.dies != kNever) continue;
      EXPECT_FALSE(node.life->booting());
      EXPECT_EQ(node.life->era(), nodes.back().life->era());
      EXPECT_EQ(node.life->lineage(), 5);
    }
    if (!someone_died) {
      EXPECT_EQ(nodes.back().life->era(), 4);
    }
    EXPECT_LE(nodes.back().life->era(), 5) << "founded by one that died unheard, and once more";
  }
}

}  // namespace
}  // namespace qure
