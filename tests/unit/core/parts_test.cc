// The parts of the Controller that have a state of their own and nothing to do with the LAN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "control/core/balance/address_ids.h"
#include "control/core/balance/remote_command.h"
#include "control/core/cluster/clone_watch.h"
#include "control/core/gate_output.h"
#include "control/core/hello.h"
#include "control/core/keyring.h"
#include "control/core/node_role.h"
#include "control/core/persist_ledger.h"
#include "control/core/step_clock.h"
#include "control/core/stopping.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// ------------------------------------------------------------------------------------------------------------ ledger

TEST(PersistLedger, NumbersChangesAndReturnsWhatEachReserved) {
  PersistLedger ledger;
  Actions out;
  ledger.Store({.maintenance = true}, &out);
  ledger.Store({.epochs = StoredEpochs{.era = 2, .epoch = 64}}, &out);
  ASSERT_THAT(out, SizeIs(2));
  EXPECT_EQ(std::get<Persist>(out[0]).ticket, 1u);
  EXPECT_EQ(std::get<Persist>(out[1]).ticket, 2u);
  EXPECT_EQ(ledger.OnPersisted(2, true, &out), (StoredEpochs{.era = 2, .epoch = 64}));
  EXPECT_EQ(ledger.OnPersisted(1, true, &out), std::nullopt);
}

TEST(PersistLedger, ReportsTheFirstFailureInARowOnly) {
  PersistLedger ledger;
  Actions out;
  for (int i = 0; i < 4; ++i) ledger.Store({.maintenance = true}, &out);
  out.clear();
  ledger.OnPersisted(1, false, &out);
  ledger.OnPersisted(2, false, &out);
  EXPECT_EQ(ledger.failures(), 2u);
  EXPECT_THAT(out, SizeIs(1));
  ledger.OnPersisted(3, true, &out);
  EXPECT_EQ(ledger.failures(), 0u);
  ledger.OnPersisted(4, false, &out);
  EXPECT_THAT(out, SizeIs(2));
}

TEST(PersistLedgerDeathTest, ATicketIsAnsweredOnce) {
  PersistLedger ledger;
  Actions out;
  EXPECT_DEATH(ledger.OnPersisted(1, true, &out), "check failed.*ticket");
  ledger.Store({.maintenance = true}, &out);
  ledger.OnPersisted(1, true, &out);
  EXPECT_DEATH(ledger.OnPersisted(1, true, &out), "check failed.*ticket");
}

// -------------------------------------------------------------------------------------------------------------- keys

TEST(KeyringChange, TheFirstKeyIsInUseAtOnceAndAddingAgainChangesNothing) {
  const AddKey add{.id = 4, .key = {1}};
  const auto keyring = Changed(Keyring{}, add);
  ASSERT_TRUE(keyring.ok());
  EXPECT_EQ(keyring->use, 4u);
  EXPECT_EQ(*Changed(*keyring, add), *keyring);
}

TEST(KeyringChange, RefusesWhatWouldLeaveNoKeyInUse) {
  const Keyring one{.keys = {{.id = 1, .key = {1}}}, .use = 1};
  EXPECT_EQ(Changed(one, AddKey{.id = 1, .key = {2}}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Changed(one, UseKey{.id = 2}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Changed(one, RemoveKey{.id = 1}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Changed(one, RemoveKey{.id = 2}).status().code(), absl::StatusCode::kNotFound);
}

TEST(KeyringChange, RotatesInThreeSteps) {
  const Keyring one{.keys = {{.id = 1, .key = {1}}}, .use = 1};
  const auto both = Changed(one, AddKey{.id = 2, .key = {2}});
  EXPECT_EQ(both->use, 1u);
  const auto used = Changed(*both, UseKey{.id = 2});
  const auto left = Changed(*used, RemoveKey{.id = 1});
  EXPECT_EQ(*left, (Keyring{.keys = {{.id = 2, .key = {2}}}, .use = 2}));
}

// -------------------------------------------------------------------------------------------------------------- gate

TEST(GateOutput, OpensOnceAnOpening) {
  GateOutput gate;
  Actions out;
  gate.Conclude({.open = true, .opening = 1, .stalls_known = 3}, &out);
  gate.Conclude({.open = true, .opening = 1, .stalls_known = 4}, &out);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(std::get<OpenGate>(out[0]).stalls_known, 3u);
  gate.Conclude({.open = true, .opening = 2}, &out);
  EXPECT_THAT(out, SizeIs(2));
}

TEST(GateOutput, ShutsAtOnceOrAfterTheWorkers) {
  for (const bool handing_over : {false, true}) {
    GateOutput gate;
    Actions at_once, after, none;
    const GateWish shut{.handing_over = handing_over};
    gate.ShutAtOnce(shut, &none);  // it is shut already
    gate.Conclude({.open = true, .opening = 1}, &none);
    gate.ShutAtOnce(shut, &at_once);
    gate.ShutAfterWorkers(shut, &after);
    gate.Conclude(shut, &none);
    EXPECT_THAT(none, SizeIs(1));
    EXPECT_THAT(at_once, SizeIs(handing_over ? 0 : 1));
    EXPECT_THAT(after, SizeIs(handing_over ? 1 : 0));
    if (handing_over) {
      EXPECT_TRUE(std::get<ShutGate>(after[0]).after_workers);
    }
  }
}

// ------------------------------------------------------------------------------------------------------ small watches

TEST(CloneWatch, RemembersACloneForAWhile) {
  CloneWatch watch;
  EXPECT_FALSE(watch.heard());
  EXPECT_TRUE(watch.OnHeard(kStart, std::nullopt));
  EXPECT_FALSE(watch.OnHeard(kStart + Seconds(1), std::nullopt));
  watch.Tick(kStart + kCloneMemory);
  EXPECT_TRUE(watch.heard());
  watch.Tick(kStart + Seconds(1) + kCloneMemory);
  EXPECT_FALSE(watch.heard());
  EXPECT_TRUE(watch.OnHeard(kStart + Seconds(60), std::nullopt));
}

TEST(StepClock, NoticesThatTheThreadWasHeld) {
  StepClock clock(kStart);
  EXPECT_FALSE(clock.BeginStep(kStart + Seconds(9))) << "the first step follows the boot";
  EXPECT_FALSE(clock.BeginStep(kStart + Seconds(9) + kControlHeld));
  EXPECT_TRUE(clock.BeginStep(kStart + Seconds(9) + kControlHeld * 2 + Duration{1}));
  EXPECT_EQ(clock.Uptime(kStart + Seconds(20)), Seconds(20));
}

TEST(Stopping, WaitsForTheHandoverButNotForever) {
  Stopping stopping;
  EXPECT_FALSE(stopping.Due(kStart, false));
  stopping.Begin(kStart);
  EXPECT_TRUE(stopping.Due(kStart, false));
  EXPECT_FALSE(stopping.Due(kStart, true));
  EXPECT_TRUE(stopping.Due(stopping.deadline(), true));
  stopping.DoNotWait(kStart);
  EXPECT_TRUE(stopping.Due(kStart, true));
}

TEST(HelloTimer, TakesTheEarliestAndThenNearlyTheInterval) {
  std::mt19937_64 random(1);
  HelloTimer timer(random);
  EXPECT_EQ(timer.deadline(), kNever);
  timer.By(kStart + Seconds(2));
  timer.By(kStart + Seconds(1));
  timer.By(kStart + Seconds(3));
  EXPECT_EQ(timer.deadline(), kStart + Seconds(1));
  timer.OnSent(kStart, Milliseconds(100));
  EXPECT_GE(timer.deadline(), kStart + Milliseconds(90));
  EXPECT_LE(timer.deadline(), kStart + Milliseconds(100));
}

// ----------------------------------------------------------------------------------------------------------- balance

TEST(AddressIds, NumbersAddressesForGood) {
  AddressIds ids;
  EXPECT_EQ(ids.IdOf(Ip("198.51.100.50")), 1);
  EXPECT_EQ(ids.IdOf(Ip("198.51.100.51")), 2);
  EXPECT_EQ(ids.IdOf(Ip("198.51.100.50")), 1);
  FlowKey key;
  key.local_address = 2;
  const auto flow = ids.FlowOf(key);
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->local, Ip("198.51.100.51"));
  EXPECT_EQ(ids.KeyOf(*flow), key);
  key.local_address = 3;
  EXPECT_FALSE(ids.FlowOf(key));
  EXPECT_FALSE(ids.KeyOf({.key = key, .local = Ip("198.51.100.99")}));
}

class RemoteCommandTest : public ::testing::Test {
 protected:
  StoreChange Do(const wire::RemoteCommand& command) {
    return CarryOut(kStart, command, config_, &stored_, &balancing_);
  }

  std::mt19937_64 random_{1};
  ClusterConfig config_;
  StoredState stored_;
  Balancing balancing_{kNodeId, "n1", 1, random_};
};

TEST_F(RemoteCommandTest, DrainsWithTheDeadlineThatIsNamedOrConfigured) {
  config_.drain_deadline = Seconds(90);
  EXPECT_EQ(Do(ToRemote(SetDraining{.on = true})).drain, (StoredDrain{.on = true, .deadline = Seconds(90)}));
  EXPECT_TRUE(balancing_.drain().on());
  const auto named = Do(ToRemote(SetDraining{.on = true, .deadline = Seconds(7)}));
  EXPECT_EQ(named.drain, (StoredDrain{.on = true, .deadline = Seconds(7)}));
  EXPECT_EQ(stored_.drain, *named.drain);
  const auto none = Do(ToRemote(SetDraining{.on = true, .deadline = Seconds(0)}));
  EXPECT_EQ(none.drain, (StoredDrain{.on = true, .deadline = {}}));
  EXPECT_FALSE(Do(ToRemote(SetDraining{.on = true, .deadline = Seconds(0)})).drain) << "nothing has changed";
  EXPECT_EQ(Do(ToRemote(SetDraining{.on = false})).drain, StoredDrain{});
}

TEST_F(RemoteCommandTest, SetsAndForgetsWeights) {
  EXPECT_THAT(*Do(ToRemote(SetWeight{.service = "web", .weight = 9})).weights, ElementsAre(std::pair("web", 9)));
  EXPECT_FALSE(Do(ToRemote(SetWeight{.service = "web", .weight = 9})).weights) << "nothing has changed";
  EXPECT_EQ(balancing_.weights().at("web"), 9u);
  EXPECT_THAT(*Do(ToRemote(SetWeight{.service = "web", .weight = {}})).weights, ElementsAre());
}

}  // namespace
}  // namespace qure::test
