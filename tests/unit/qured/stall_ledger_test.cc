#include "control/qured/stall_ledger.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

TEST(StallLedger, NothingIsMissingWithoutStalls) {
  StallLedger ledger;
  ledger.OnGateCount(0);
  EXPECT_FALSE(ledger.missing());
}

TEST(StallLedger, AnEventOnItsWayIsNotMissing) {
  StallLedger ledger;
  ledger.OnEvent(1);
  ledger.OnGateCount(1);
  EXPECT_FALSE(ledger.missing());
}

TEST(StallLedger, AStallWithoutItsEventIsMissing) {
  StallLedger ledger;
  ledger.OnEvent(1);
  ledger.OnGateCount(3);
  EXPECT_TRUE(ledger.missing());
  EXPECT_EQ(ledger.gate_count(), 3u);
  ledger.OnEvent(2);
  EXPECT_TRUE(ledger.missing());
  ledger.OnEvent(3);
  EXPECT_FALSE(ledger.missing());
}

TEST(StallLedger, EventsMayComeInAnyOrder) {
  StallLedger ledger;
  ledger.OnEvent(2);
  ledger.OnEvent(1);
  ledger.OnGateCount(2);
  EXPECT_FALSE(ledger.missing());
}

TEST(StallLedgerDeathTest, TheGateCountNeverFalls) {
  StallLedger ledger;
  ledger.OnGateCount(2);
  EXPECT_DEATH(ledger.OnGateCount(1), "check failed.*stalls.*1, 2");
}

}  // namespace
}  // namespace qure
