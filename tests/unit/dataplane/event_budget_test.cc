// What anyone on the LAN can cause does not displace what a takeover waits for.
#include "dataplane/pipeline/event_budget.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/pipeline/frame.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr MonoTime kStart{Seconds(1000).ns};

Event Probe(const Ipv4Address& ip) {
  return {.kind = EventKind::kAddressProbed, .mac = kStrangerMac, .ip = ip};
}
const Event kAnswer{.kind = EventKind::kNeighbor, .mac = kGatewayMac, .to = kNodeMac, .answer = true, .ip = kGateway4};

// 60,000 probes a second, and an answer every five milliseconds.
TEST(FieldE6, AFloodOfProbesLosesNoAnswer) {
  EventBudget budget;
  int probes = 0;
  int answers = 0;
  MonoTime now = kStart;
  for (int i = 0; i < 60'000; ++i) {
    now = now + Duration{1'000'000'000 / 60'000};
    probes += budget.Take(now, Probe(kService4)) ? 1 : 0;
    if (i % 300 == 299) answers += budget.Take(now, kAnswer) ? 1 : 0;
  }
  EXPECT_EQ(answers, 200);
  EXPECT_LE(probes, 111);
  EXPECT_GE(probes, 100);
}

TEST(FieldE6, EachKindHasABudgetOfItsOwn) {
  for (size_t flooded = 0; flooded < kEventKindCount; ++flooded) {
    EventBudget budget;
    while (budget.Take(kStart, {.kind = static_cast<EventKind>(flooded)})) {
    }
    for (size_t other = 0; other < kEventKindCount; ++other) {
      EXPECT_EQ(budget.Take(kStart, {.kind = static_cast<EventKind>(other)}), other != flooded);
    }
  }
}

// What only looks like an answer, from a MAC at which the gateway is not, shares nothing with those from where it is.
TEST(FieldE6, AnswersFromElsewhereHaveAnotherBudget) {
  EventBudget budget;
  Event forged = kAnswer;
  forged.answer = false;
  while (budget.Take(kStart, forged)) {
  }
  EXPECT_TRUE(budget.Take(kStart, kAnswer));
}

TEST(FieldE6, ABurstFullOfOtherEventsHasRoomForAnAnswer) {
  Batch batch;
  for (uint8_t i = 0; i < 32; ++i) batch.Emit(Probe({{198, 51, 100, i}}));
  EXPECT_EQ(batch.event_count, Batch::kMaxEvents);
  batch.Emit(kAnswer);
  const auto end = batch.events.begin() + Batch::kMaxEvents;
  EXPECT_EQ(std::count_if(batch.events.begin(), end, [](const Event& e) { return e.answer; }), 1);
}

TEST(FieldE6, WhatIsRepeatedIsReportedOnceABurst) {
  Batch batch;
  for (int i = 0; i < 32; ++i) batch.Emit(Probe(kService4));
  EXPECT_EQ(batch.event_count, 1U);
}

}  // namespace
}  // namespace qure::testing
