// A boot that goes on from a snapshot, and who plays what it has said.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/core/cluster/transport.h"
#include "control/core/timers.h"
#include "tests/unit/core/transport_peer.h"

namespace qure::test {
namespace {

using Peer = TransportPeer;

// Nothing new was heard of a boot for long enough.
constexpr MonoTime kQuiet = kStart + kReplayedQuiet + Milliseconds(50);

// It goes on from the state of before `said` more messages. Nobody believes it, and the first question shows it why.
TEST(FieldE10Transport, ARestoredBootLearnsFromAQuestion) {
  for (const int said : {20, 100'000}) {  // also from before all of the replay window
    Peer a(1), b(2);
    Acquaint(kStart, &a, &b);
    Peer restored(1);
    restored.transport = a.transport;
    for (int i = 0; i < said; ++i) {
      const Datagram datagram = a.Say(Hello("before"));
      if (said - i <= 20) b.Hear(kStart, datagram);
    }
    EXPECT_TRUE(b.Hear(kStart + Milliseconds(50), restored.Say(Hello("x"))).empty())
        << "one more copy, for all it knows";
    const std::vector<Datagram> question = b.Hear(kQuiet, restored.Say(Hello("x")));
    ASSERT_EQ(question.size(), 1U);
    EXPECT_FALSE(restored.transport.restored());
    restored.Hear(kQuiet, question[0]);
    EXPECT_TRUE(restored.transport.restored());

    a.Hear(kQuiet, question[0]);  // who has sealed so many is no other
    EXPECT_FALSE(a.transport.restored());
  }
}

// Also where the one that asks has booted after the snapshot: it answers first.
TEST(FieldE10Transport, ARestoredBootLearnsFromABootThatItDoesNotKnow) {
  Peer a(1), b(2), later(2, 2);
  Acquaint(kStart, &a, &b);
  Peer restored(1);
  restored.transport = a.transport;
  for (int i = 0; i < 20; ++i) a.Say(Hello("before"));
  Acquaint(kStart, &a, &later);
  Converse(kQuiet, &later, &restored, later.Say(Hello("b")));
  Converse(kQuiet + kChallengeInterval * 4, &later, &restored, later.Say(Hello("b")));
  EXPECT_TRUE(restored.transport.restored());
}

// Its boot was replaced by a later one, and is nothing to the others until it has proven itself anew.
TEST(FieldE10Transport, ARestoredBootThatWasReplacedLearnsIt) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  Peer restored(1);
  restored.transport = a.transport;
  for (int i = 0; i < 20; ++i) b.Hear(kStart, a.Say(Hello("before")));
  b.transport.Forget(a.id, a.boot_id);
  Converse(kQuiet, &restored, &b, restored.Say(Hello("x")));
  EXPECT_TRUE(restored.transport.restored());
  EXPECT_FALSE(a.transport.restored());
}

wire::Message QuestionTo(const BootId& boot, uint64_t heard) {
  wire::Message question;
  question.mutable_challenge()->set_nonce(std::string(16, 'x'));
  question.mutable_challenge()->set_boot(std::string(boot.begin(), boot.end()));
  question.mutable_challenge()->set_heard(heard);
  return question;
}

// Nobody who only repeats what was sealed can make a healthy boot start again, however often he does.
TEST(FieldE10Transport, RecordingsNeverMakeAHealthyBootStartAgain) {
  Peer a(1), b(2);
  std::vector<Datagram> recorded = Acquaint(kStart, &a, &b);
  for (int i = 0; i < 20; ++i) recorded.push_back(a.Say(Hello("a")));
  for (const Datagram& datagram : recorded) b.Hear(kStart, datagram);
  const Datagram replay = recorded.back();
  size_t asked = 0;
  for (int i = 0; i < 20; ++i) {
    const MonoTime now = kQuiet + Milliseconds(20 * i);
    for (const Datagram& question : b.Hear(now, replay)) {
      recorded.push_back(question);
      ++asked;
    }
    for (const Datagram& datagram : std::vector(recorded)) {
      for (const Datagram& answer : a.Hear(now, datagram)) recorded.push_back(answer);
    }
  }
  EXPECT_GE(asked, 3U);
  EXPECT_FALSE(a.transport.restored());
}

// A question is believed of a node that has proven that it is active, and if it is about this very boot.
TEST(FieldE10Transport, AQuestionMustBeOfAnActiveBootAboutThisOne) {
  Peer a(1), b(2), next(1, 2);
  const wire::Message question = QuestionTo(a.boot_id, 1'000'000);
  a.Hear(kStart, b.Say(question));
  EXPECT_FALSE(a.transport.restored());
  Acquaint(kStart + Seconds(1), &a, &b);
  Acquaint(kStart + Seconds(2), &next, &b);
  const Datagram proven = b.Say(question);
  a.Hear(kStart, proven);
  EXPECT_TRUE(a.transport.restored());
  next.Hear(kStart, proven);
  EXPECT_FALSE(next.transport.restored());
}

// Of a boot that is heard replays are nothing new, and the questions to one that is silent become rare.
TEST(FieldE10Transport, ReplaysOfABootThatIsHeardAreNotAnswered) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const Datagram old = a.Say(Hello("a"));
  size_t asked = 0;
  for (int i = 0; i < 1000; ++i) {
    const MonoTime now = kStart + Milliseconds(i);
    if (i % 100 == 0) b.Hear(now, a.Say(Hello("a")));
    asked += b.Hear(now, old).size();
  }
  EXPECT_EQ(asked, 0U);
  for (int i = 1000; i < 2000; ++i) asked += b.Hear(kStart + Milliseconds(i), old).size();
  EXPECT_GE(asked, 3U);
  EXPECT_LE(asked, 12U);
}

TEST(FieldE10Transport, LaterFramesOfOurOwnShowIt) {
  Peer a(1), copy(1);
  a.Say(Hello("a"));
  Datagram later = a.Say(Hello("a"));
  copy.Say(Hello("copy"));
  Datagram forged = later;
  forged.payload.back() ^= 1;
  copy.Hear(kStart, forged);
  EXPECT_FALSE(copy.transport.restored());
  a.Hear(kStart, later);  // a loop
  EXPECT_FALSE(a.transport.restored());
  copy.Hear(kStart, later);
  EXPECT_TRUE(copy.transport.restored());
}

}  // namespace
}  // namespace qure::test
