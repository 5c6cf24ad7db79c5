#include "control/core/balance/hearing_watch.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr NodeId kMaster{1};
constexpr NodeId kNode{2};

class FieldA11Hearing : public testing::Test {
 protected:
  FieldA11Hearing() {
    member_.node = kNode;
    member_.first_heard = kStart;
    watch_.SetMaster(kStart, kMaster);
  }
  void Hello(std::optional<NodeId> master) {
    member_.hello.clear_master();
    if (master) member_.hello.set_master(WriteId(*master));
    watch_.OnHello(now_, member_);
  }
  bool DeafAfter(Duration span) { return watch_.Deaf(now_ = now_ + span, member_); }

  MonoTime now_ = kStart;
  Member member_;
  HearingWatch watch_;
};

TEST_F(FieldA11Hearing, WhoNamesTheMasterHears) {
  for (int i = 0; i < 50; ++i) {
    Hello(kMaster);
    EXPECT_FALSE(DeafAfter(Milliseconds(100)));
  }
}

TEST_F(FieldA11Hearing, WhoSendsAndNamesNobodyIsDeaf) {
  Hello(kMaster);
  for (int i = 0; i < 10; ++i) {
    Hello(std::nullopt);
    EXPECT_FALSE(DeafAfter(Milliseconds(90)));
  }
  for (int i = 0; i < 3; ++i) {
    Hello(std::nullopt);
    now_ = now_ + Milliseconds(90);
  }
  EXPECT_TRUE(DeafAfter({}));
  Hello(kMaster);
  EXPECT_FALSE(DeafAfter({}));
}

TEST_F(FieldA11Hearing, WhoCallsItselfMasterIsDeaf) {
  Hello(kNode);
  EXPECT_TRUE(DeafAfter(kDeafAfter + Milliseconds(1)));
}

TEST_F(FieldA11Hearing, ANewMasterIsNotNamedAtOnce) {
  Hello(kMaster);
  now_ = now_ + Seconds(60);
  watch_.SetMaster(now_, NodeId{3});
  EXPECT_FALSE(DeafAfter(Milliseconds(300)));
  EXPECT_TRUE(DeafAfter(kDeafAfter));
}

TEST_F(FieldA11Hearing, OthersAreNot) {
  now_ = now_ + Seconds(60);
  Member master = member_;
  master.node = kMaster;
  EXPECT_FALSE(watch_.Deaf(now_, master));
  member_.state = MemberState::kDown;
  EXPECT_FALSE(DeafAfter({}));
  member_.state = MemberState::kAlive;
  member_.hello.set_booting(true);
  EXPECT_FALSE(DeafAfter({}));
  member_.hello.set_booting(false);
  EXPECT_TRUE(DeafAfter({}));
  watch_.SetMaster(now_, std::nullopt);
  EXPECT_FALSE(DeafAfter(Seconds(60)));
}

}  // namespace
}  // namespace qure
