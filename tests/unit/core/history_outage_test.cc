// Nodes online over time: an end of all nodes, and clocks that were ahead.
#include <gtest/gtest.h>

#include <string>

#include "control/core/cluster/history.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr uint64_t kWall = 1'700'000'000'000;
constexpr uint64_t kDays = uint64_t{3} * 24 * 3600 * 1000;
constexpr NodeId kA{1};
constexpr NodeId kB{2};

HistoryEvent At(uint64_t ms, const NodeId& node, uint64_t age, uint32_t seq, uint32_t era, HistoryKind kind,
                std::string text = {}) {
  HistoryEvent event;
  event.node = node;
  event.age = age;
  event.seq = seq;
  event.era = era;
  event.lineage = 7;
  event.kind = kind;
  event.time = ms << 16;
  event.text = std::move(text);
  return event;
}

History Of(const std::vector<HistoryEvent>& events) {
  return {kA, 9, events, {}};
}

std::vector<uint32_t> Counts(const std::vector<OnlineStep>& steps) {
  std::vector<uint32_t> counts;
  for (const OnlineStep& step : steps) counts.push_back(step.online);
  return counts;
}

// Each node remembers when it was last alive.
TEST(FieldD4History, AnOutageOfAllShows) {
  const History history = Of({
      At(kWall, kA, 1, 1, 1, HistoryKind::kEra),
      At(kWall + 1, kA, 1, 2, 1, HistoryKind::kBoot),
      At(kWall + 1'000, kB, 1, 1, 1, HistoryKind::kBoot),
      At(kWall + 100'000, kA, 2, 1, 2, HistoryKind::kEra),
      At(kWall + 100'001, kA, 2, 2, 2, HistoryKind::kBoot, std::to_string(kWall + 60'000)),
      At(kWall + 101'000, kB, 2, 1, 2, HistoryKind::kBoot, std::to_string(kWall + 70'000)),
  });
  const std::vector<OnlineStep> steps = history.Online(kWall + 200'000);
  EXPECT_EQ(Counts(steps), (std::vector<uint32_t>{1, 2, 1, 0, 1, 2}));
  EXPECT_EQ(steps[3].time >> 16, kWall + 70'000);
  EXPECT_EQ(steps[3].era, 1);
}

TEST(FieldD4History, ADeathThatOthersWroteDownCountsOnce) {
  const History history = Of({
      At(kWall, kA, 1, 1, 1, HistoryKind::kBoot),
      At(kWall + 1'000, kB, 1, 1, 1, HistoryKind::kBoot),
      At(kWall + 60'000, kB, 2, 1, 1, HistoryKind::kBoot, std::to_string(kWall + 40'000)),
  });
  EXPECT_EQ(Counts(history.Online(kWall + 200'000)), (std::vector<uint32_t>{1, 2, 1, 2}));
}

// What was written by a clock three days ahead neither ends the plot in the future nor hides what comes later.
TEST(FieldD4History, AClockThatWasAheadIsMarkedAndNotBelieved) {
  const HistoryEvent wrong = At(kWall + kDays, kB, 1, 1, 1, HistoryKind::kBoot);
  const uint64_t now_ms = kWall + 10'000;
  EXPECT_TRUE(History::IsAhead(wrong.time, now_ms));
  EXPECT_FALSE(History::IsAhead((kWall + 11'000) << 16, now_ms)) << "clocks differ a little";
  const History history = Of({At(kWall, kA, 1, 1, 1, HistoryKind::kBoot), wrong});
  const std::vector<OnlineStep> steps = history.Online(now_ms);
  EXPECT_EQ(Counts(steps), (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(steps.back().time >> 16, now_ms);

  const History later =
      Of({At(kWall, kA, 1, 1, 1, HistoryKind::kBoot), wrong, At(kWall + 20'000, kB, 1, 2, 1, HistoryKind::kMaster),
          At(kWall + 30'000, kA, 1, 2, 1, HistoryKind::kDown)});
  EXPECT_EQ(later.Online(kWall + 40'000)[1].time >> 16, kWall + 20'000) << "as of the next event that is believed";
}

TEST(FieldD4History, ABootBeginsWithItsOwnClock) {
  History history = Of({At(kWall + kDays, kA, 8, 1, 1, HistoryKind::kBoot),  // the boot before
                        At(kWall, kB, 1, 1, 1, HistoryKind::kBoot)});
  history.SetWallClock(kStart, kWall);
  HistoryEvent boot;
  boot.era = 1;
  EXPECT_LT(history.Add(kStart + Seconds(1), boot).time >> 16, kWall + 10'000);
  EXPECT_EQ(history.WallMs(kStart + Seconds(5)), kWall + 5'000);
}

}  // namespace
}  // namespace qure
