// What boots that have proven nothing are answered: most of them are recordings.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "control/core/timers.h"
#include "tests/unit/core/transport_peer.h"

namespace qure::test {
namespace {

using Peer = TransportPeer;

// A recording of one dead boot, played without pause for ten seconds, is answered ever less often.
TEST(Transport, ReplayedChallengeIsBounded) {
  Peer a(1), b(2);
  const Datagram challenge = b.Hear(kStart, a.Say(Hello("a"))).at(0);  // from b, which now dies
  Peer c(3);
  size_t answers = 0;
  for (MonoTime now = kStart; now < kStart + Seconds(10); now = now + Milliseconds(1)) {
    answers += c.Hear(now, challenge).size();
  }
  EXPECT_TRUE(c.heard.empty());
  const auto least = static_cast<size_t>(Seconds(10).ns / (kChallengeInterval * kChallengeBackoff).ns);
  EXPECT_GE(answers, least);
  EXPECT_LE(answers, 2 * (least + 4));  // echoes and challenges
}

TEST(Transport, AnswersToAllTogetherAreBounded) {
  Peer b(2);
  size_t answers = 0;
  std::vector<Datagram> recorded;
  recorded.reserve(250);
  for (int i = 0; i < 250; ++i) recorded.push_back(Peer(9, static_cast<uint8_t>(i)).Say(Hello("x")));
  for (int ms = 0; ms < 10'000; ms += 10) {
    for (const Datagram& datagram : recorded) answers += b.Hear(kStart + Milliseconds(ms), datagram).size();
  }
  const auto rate = static_cast<size_t>(Seconds(10).ns / kChallengeInterval.ns);
  EXPECT_GE(answers, rate);
  EXPECT_LE(answers, recorded.size() + rate + kRepeatedAnswers);
  EXPECT_GT(b.rejected(Reject::kTooMany), 0u);
}

// A node that starts hears recordings of 66 earlier boots, four in a millisecond. The boots that live are believed at
// once, the one of a node whose earlier boots are played, too.
TEST(FieldE12Transport, RecordingsDoNotHinderANewcomer) {
  std::vector<Datagram> recorded;
  Peer listener(50);
  for (uint8_t node = 1; node <= 3; ++node) {
    for (uint8_t boot = 1; boot <= 22; ++boot) {
      Peer dead(node, boot);
      recorded.push_back(dead.Say(Hello("dead")));
      recorded.push_back(dead.Hear(kStart, listener.Say(Hello("x"))).at(0));  // a challenge
    }
  }
  Peer newcomer(9), known_by_name(1, 200), unknown(4);
  size_t next = 0;
  for (int ms = 0; ms < 700; ++ms) {
    const MonoTime now = kStart + Milliseconds(ms);
    for (int i = 0; i < 4; ++i) newcomer.Hear(now, recorded[next++ % recorded.size()]);
    if (ms == 300) Converse(now, &known_by_name, &newcomer, known_by_name.Say(Hello("a")));
    if (ms == 500) Converse(now, &unknown, &newcomer, unknown.Say(Hello("b")));
  }
  ASSERT_EQ(newcomer.heard.size(), 2U);
  EXPECT_EQ(newcomer.heard[0].message.hello().name(), "a");
  EXPECT_EQ(newcomer.heard[1].message.hello().name(), "b");
}

// What recordings of this machine's earlier boots are asked comes to it, too.
TEST(FieldE12Transport, OnlyTheBootThatAChallengeNamesAnswersIt) {
  Peer a(1), b(2), before(1, 2);
  const Datagram to_before = b.Hear(kStart, before.Say(Hello("x"))).at(0);
  const Datagram to_a = b.Hear(kStart, a.Say(Hello("a"))).at(0);
  EXPECT_EQ(a.Hear(kStart, to_before).size(), 1U) << "a challenge of its own";
  EXPECT_EQ(a.Hear(kStart, to_a).size(), 2U) << "the echo, and what it last said";
}

// A boot counts as unproven from its first word to its echo, or to a second of silence.
TEST(FieldE12Transport, BootsThatSpeakAndHaveProvenNothingAreNoticed) {
  Peer a(1), b(2), dead(3);
  EXPECT_FALSE(b.transport.HearsUnproven(kStart));
  b.Hear(kStart, dead.Say(Hello("x")));
  EXPECT_TRUE(b.transport.HearsUnproven(kStart));
  EXPECT_TRUE(b.transport.HearsUnproven(kStart + kChallengeLife - Milliseconds(1)));
  EXPECT_FALSE(b.transport.HearsUnproven(kStart + kChallengeLife));
  Acquaint(kStart + kChallengeLife, &a, &b);
  EXPECT_FALSE(b.transport.HearsUnproven(kStart + kChallengeLife));
}

// What never proves itself is answered ever less often where there is much of it.
TEST(FieldE12Transport, RecordingsAreAnsweredEverLess) {
  Peer b(2);
  std::vector<Datagram> recorded;
  for (uint8_t boot = 1; boot <= 64; ++boot) {
    recorded.push_back(Peer(static_cast<uint8_t>(10 + boot % 4), boot).Say(Hello("x")));
  }
  size_t answers = 0, late = 0;
  for (int ms = 0; ms < 60'000; ++ms) {
    const size_t more = b.Hear(kStart + Milliseconds(ms), recorded[static_cast<size_t>(ms) % recorded.size()]).size();
    answers += more;
    if (ms >= 40'000) late += more;
  }
  EXPECT_LE(answers, 64U * 16);
  EXPECT_LE(late, 64U * 3);
}

}  // namespace
}  // namespace qure::test
