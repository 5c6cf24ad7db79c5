// Two and more transports that hear each other, and a recorder of what they send.
#include "control/core/cluster/transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/bytes.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"
#include "proto/net/udp_frame.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr Ipv4Address kGroup{{239, 192, 1, 2}};
constexpr StoredKey kFirst{.id = 1, .key = {0x11}};
constexpr StoredKey kSecond{.id = 2, .key = {0x22}};

ClusterId Home() {
  return ClusterIdFromName("home");
}

wire::Message Hello(const std::string& name) {
  wire::Message message;
  message.mutable_hello()->set_name(name);
  return message;
}

wire::Message Ping(uint64_t nonce) {
  wire::Message message;
  message.mutable_ping()->set_nonce(nonce);
  return message;
}

// The datagram in a frame that the parsers find sound, and how it came.
Datagram DatagramOf(const Action& action) {
  const auto& frame = std::get<SendFrame>(action);
  EXPECT_FALSE(frame.answer);
  EthernetView ethernet;
  EXPECT_FALSE(ParseEthernet(frame.bytes, &ethernet));
  const ConstBytes packet = ConstBytes(frame.bytes).subspan(ethernet.length);
  IpView view;
  EXPECT_FALSE(ParseIpv4(packet, false, &view));
  const auto& ip = *HeaderAt<Ipv4Header>(packet, 0);
  EXPECT_EQ(ip.time_to_live, kUnroutedHops);
  EXPECT_EQ(TransportChecksum(ip.source, ip.destination, kProtocolUdp, packet.subspan(view.transport)), Be16(0));
  const auto& udp = *HeaderAt<UdpHeader>(packet, view.transport);
  EXPECT_EQ(udp.destination_port.value(), kDefaultClusterPort);
  const ConstBytes payload = packet.subspan(view.transport + sizeof(UdpHeader));
  Delivery delivery = Delivery::kUnicast;
  if (ip.destination == kGroup) delivery = Delivery::kMulticast;
  if (ip.destination == kLimitedBroadcast) delivery = Delivery::kBroadcast;
  EXPECT_EQ(ethernet.header->destination.is_multicast(), delivery != Delivery::kUnicast);
  return {ethernet.header->source, delivery, {payload.begin(), payload.end()}};
}

// A node's transport, and what it has received.
struct Peer {
  explicit Peer(uint8_t number, uint8_t boot = 1) : id{number}, boot_id{number, boot}, random(number * 256u + boot) {
    config.cluster = Home();
    config.keyring = {.keys = {kFirst}, .use = kFirst.id};
    config.group = kGroup;
    config.address = {{192, 0, 2, number}};
    config.mac = NodeMac(id, 0);
    transport.Configure(config);
  }

  Datagram Say(const wire::Message& message) {
    Actions out;
    transport.SendToAll(message, &out);
    EXPECT_EQ(out.size(), 1u);
    return DatagramOf(out.at(0));
  }
  // Frames that it sends in answer.
  std::vector<Datagram> Hear(MonoTime now, const Datagram& datagram) {
    Actions out;
    if (std::optional<Incoming> incoming = transport.Receive(now, datagram, &out)) heard.push_back(*incoming);
    std::vector<Datagram> answers;
    for (const Action& action : out) {
      if (!std::holds_alternative<Log>(action)) answers.push_back(DatagramOf(action));
    }
    return answers;
  }
  uint64_t rejected(Reject reject) const { return transport.rejected()[static_cast<size_t>(reject)]; }
  uint64_t all_rejected() const {
    uint64_t sum = 0;
    for (const uint64_t count : transport.rejected()) sum += count;
    return sum;
  }

  NodeId id;
  BootId boot_id;
  std::mt19937_64 random;
  TransportConfig config;
  Transport transport{id, boot_id, random};
  std::vector<Incoming> heard;
};

// Everything that `a` and `b` send from the first frame on; each frame is heard by the other.
std::vector<Datagram> Converse(MonoTime now, Peer* a, Peer* b, const Datagram& from_a) {
  std::vector<Datagram> said;
  std::vector<std::pair<Peer*, Datagram>> queue{{b, from_a}};
  for (size_t i = 0; i < queue.size() && i < 100; ++i) {
    const auto [to, datagram] = queue[i];
    said.push_back(datagram);
    for (const Datagram& answer : to->Hear(now, datagram)) queue.emplace_back(to == a ? b : a, answer);
  }
  EXPECT_LT(queue.size(), 100u) << "they go on for ever";
  return said;
}

// Both have proven to the other that they are active.
std::vector<Datagram> Acquaint(MonoTime now, Peer* a, Peer* b) {
  std::vector<Datagram> said = Converse(now, a, b, a->Say(Hello("a")));
  EXPECT_TRUE(b->Hear(now, a->Say(Ping(1))).empty());
  EXPECT_TRUE(a->Hear(now, b->Say(Ping(1))).empty());
  for (const Peer* peer : {a, b}) EXPECT_TRUE(!peer->heard.empty() && peer->heard.back().message.has_ping());
  a->heard.clear();
  b->heard.clear();
  return said;
}

TEST(Transport, RejectsHaveNames) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kRejectCount; ++i) names.insert(NameOf(static_cast<Reject>(i)));
  EXPECT_EQ(names.size(), kRejectCount);
  EXPECT_FALSE(names.contains("?"));
}

TEST(Transport, UnknownBootIsNotBelievedUntilItProvesThatItIsActive) {
  Peer a(1), b(2);
  const std::vector<Datagram> challenge = b.Hear(kStart, a.Say(Hello("first")));
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kUnknownBoot), 1u);
  ASSERT_EQ(challenge.size(), 1u);
  EXPECT_EQ(challenge[0].delivery, Delivery::kUnicast);

  const std::vector<Datagram> answers = a.Hear(kStart, challenge[0]);
  ASSERT_EQ(answers.size(), 3u);  // echo, what it last sent to all, and a challenge of its own
  EXPECT_TRUE(b.Hear(kStart, answers[0]).empty());
  EXPECT_TRUE(b.heard.empty());  // the echo itself is not for others
  b.Hear(kStart, answers[1]);
  ASSERT_EQ(b.heard.size(), 1u);
  EXPECT_EQ(b.heard[0].message.hello().name(), "first");
  EXPECT_EQ(b.heard[0].delivery, Delivery::kUnicast);
  b.Hear(kStart, a.Say(Ping(9)));
  ASSERT_EQ(b.heard.size(), 2u);
  EXPECT_EQ(b.heard[1].message.ping().nonce(), 9u);
}

TEST(Transport, RoundTrip) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  EXPECT_TRUE(b.Hear(kStart, a.Say(Hello("two"))).empty());
  ASSERT_EQ(b.heard.size(), 1u);
  const Incoming& incoming = b.heard[0];
  EXPECT_EQ(incoming.node, a.id);
  EXPECT_EQ(incoming.boot, a.boot_id);
  EXPECT_EQ(incoming.from.mac, a.config.mac);
  EXPECT_EQ(incoming.from.address, a.config.address);
  EXPECT_EQ(incoming.delivery, Delivery::kMulticast);
  EXPECT_EQ(incoming.message.hello().name(), "two");

  Actions out;
  b.transport.SendTo(incoming.from, Ping(3), &out);
  ASSERT_EQ(out.size(), 1u);
  const auto& frame = std::get<SendFrame>(out[0]);
  EXPECT_EQ(HeaderAt<EthernetHeader>(frame.bytes, 0)->destination, a.config.mac);
  a.Hear(kStart, DatagramOf(out[0]));
  ASSERT_EQ(a.heard.size(), 1u);
  EXPECT_EQ(a.heard[0].delivery, Delivery::kUnicast);
}

TEST(Transport, WaysToAll) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  a.transport.UseWay(Transport::Way::kBroadcast);
  EXPECT_EQ(a.Say(Ping(1)).delivery, Delivery::kBroadcast);
  a.transport.UseWay(Transport::Way::kBoth);
  Actions out;
  a.transport.SendToAll(Ping(2), &out);
  ASSERT_EQ(out.size(), 2u);
  for (const Action& action : out) b.Hear(kStart, DatagramOf(action));
  ASSERT_EQ(b.heard.size(), 2u);  // who hears only one of them must be noticed
  EXPECT_EQ(b.heard[0].delivery, Delivery::kMulticast);
  EXPECT_EQ(b.heard[1].delivery, Delivery::kBroadcast);
}

TEST(Transport, WithoutKeyNothingIsSaidButThatItIsThere) {
  Peer a(1), b(2);
  b.config.keyring = {};
  b.transport.Configure(b.config);
  EXPECT_FALSE(b.transport.enabled());
  const std::vector<Datagram> hint = b.Hear(kStart, a.Say(Hello("a")));
  ASSERT_EQ(hint.size(), 1u);
  EXPECT_EQ(hint[0].delivery, Delivery::kBroadcast);
  EXPECT_TRUE(a.Hear(kStart, hint[0]).empty());
  EXPECT_EQ(a.rejected(Reject::kUnknownKey), 1u);
  EXPECT_TRUE(b.Hear(kStart, a.Say(Hello("a"))).empty()) << "not again at once";
  EXPECT_TRUE(a.heard.empty());
  EXPECT_TRUE(b.heard.empty());
  Actions out;
  b.transport.SendToAll(Hello("b"), &out);
  b.transport.SendTo({}, Hello("b"), &out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(b.all_rejected(), 0u);

  b.config.keyring = {.keys = {kFirst}, .use = kSecond.id};  // the key in use is not there
  b.transport.Configure(b.config);
  EXPECT_FALSE(b.transport.enabled());
}

TEST(Transport, OpenClustersHearEachOtherOnlyWithin) {
  Peer a(1), b(2), stranger(3), sealed(4);
  for (Peer* peer : {&a, &b, &stranger}) {
    peer->config.open = true;
    peer->config.keyring = {};
    if (peer == &stranger) peer->config.cluster = ClusterIdFromName("shop");
    peer->transport.Configure(peer->config);
    EXPECT_TRUE(peer->transport.enabled());
  }
  Acquaint(kStart, &a, &b);
  EXPECT_TRUE(b.Hear(kStart, stranger.Say(Hello("shop"))).empty());
  EXPECT_EQ(b.rejected(Reject::kUnauthentic), 1u);
  EXPECT_TRUE(sealed.Hear(kStart, a.Say(Hello("a"))).empty());
  EXPECT_EQ(sealed.rejected(Reject::kUnknownKey), 1u);
}

TEST(Transport, AnotherClusterUnderTheSameKey) {
  Peer a(1), b(2);
  a.config.cluster = ClusterIdFromName("shop");
  a.transport.Configure(a.config);
  EXPECT_TRUE(b.Hear(kStart, a.Say(Hello("a"))).empty());
  EXPECT_EQ(b.rejected(Reject::kUnauthentic), 1u);
}

TEST(Transport, ReplayWithinABoot) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const Datagram first = a.Say(Ping(1));
  const Datagram second = a.Say(Ping(2));
  b.Hear(kStart, second);
  b.Hear(kStart, first);  // overtaken, not replayed
  EXPECT_EQ(b.heard.size(), 2u);
  for (const Datagram& again : {first, second}) EXPECT_TRUE(b.Hear(kStart, again).empty());
  EXPECT_EQ(b.heard.size(), 2u);
  EXPECT_EQ(b.rejected(Reject::kReplayed), 2u);
}

TEST(Transport, EveryBitCounts) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const uint64_t before = b.all_rejected();
  const Datagram sound = a.Say(Hello("name"));
  for (size_t bit = 0; bit < sound.payload.size() * 8; ++bit) {
    Datagram changed = sound;
    changed.payload[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_TRUE(b.Hear(kStart, changed).empty()) << "bit " << bit;
  }
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.all_rejected() - before, sound.payload.size() * 8);
  b.Hear(kStart, sound);  // and none of them changed anything
  EXPECT_EQ(b.heard.size(), 1u);
}

TEST(Transport, TruncatedAtEveryByte) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const Datagram sound = a.Say(Hello("name"));
  for (size_t length = 0; length < sound.payload.size(); ++length) {
    Datagram cut = sound;
    cut.payload.resize(length);
    EXPECT_TRUE(b.Hear(kStart, cut).empty());
  }
  EXPECT_TRUE(b.heard.empty());
}

TEST(Transport, OwnFramesComeBack) {
  Peer a(1);
  EXPECT_TRUE(a.Hear(kStart, a.Say(Hello("a"))).empty());
  EXPECT_EQ(a.rejected(Reject::kOwn), 1u);
}

TEST(Transport, AnotherBootOfThisNodeIsHeard) {
  Peer original(1, 1), clone(1, 2);
  Acquaint(kStart, &original, &clone);
  original.Hear(kStart, clone.Say(Ping(1)));
  ASSERT_EQ(original.heard.size(), 1u);
  EXPECT_EQ(original.heard[0].node, original.id);
  EXPECT_NE(original.heard[0].boot, original.boot_id);
}

TEST(Transport, KeysRotateInThreeSteps) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const auto set = [](Peer* peer, std::vector<StoredKey> keys, uint32_t use) {
    peer->config.keyring = {.keys = std::move(keys), .use = use};
    peer->transport.Configure(peer->config);
  };
  const auto both_hear = [&] {
    a.heard.clear();
    b.heard.clear();
    b.Hear(kStart, a.Say(Ping(1)));
    a.Hear(kStart, b.Say(Ping(1)));
    return a.heard.size() == 1 && b.heard.size() == 1;
  };
  // Each node in its turn, at each step: they hear each other always.
  for (Peer* peer : {&a, &b}) {
    set(peer, {kFirst, kSecond}, kFirst.id);
    EXPECT_TRUE(both_hear());
  }
  for (Peer* peer : {&a, &b}) {
    set(peer, {kFirst, kSecond}, kSecond.id);
    EXPECT_TRUE(both_hear());
    EXPECT_EQ(PeekEnvelope(peer->Say(Ping(1)).payload)->key_id.value(), kSecond.id);
  }
  EXPECT_EQ(a.transport.SendKey().id, kSecond.id);
  ASSERT_EQ(b.transport.KeysOf(a.id, a.boot_id).size(), 2u);
  EXPECT_EQ(b.transport.KeysOf(a.id, a.boot_id)[1].key, a.transport.SendKey().key);
  for (Peer* peer : {&a, &b}) {
    set(peer, {kSecond}, kSecond.id);
    EXPECT_TRUE(both_hear());
  }
  // The old key is worth nothing any more, nor a new one under its id.
  Peer old(3);
  b.Hear(kStart, old.Say(Hello("old")));
  EXPECT_EQ(b.rejected(Reject::kUnknownKey), 1u);
  set(&b, {{.id = kFirst.id, .key = {0x33}}, kSecond}, kSecond.id);
  b.Hear(kStart, old.Say(Hello("old")));
  EXPECT_EQ(b.rejected(Reject::kUnauthentic), 1u);
}

// All that was sent between two nodes is played to one of them, later and in any order.
TEST(Transport, RecordedSessionAfterARestart) {
  Peer a(1), b(2);
  std::vector<Datagram> recorded = Acquaint(kStart, &a, &b);
  for (int i = 0; i < 20; ++i) recorded.push_back(a.Say(Hello("recorded")));

  Peer restarted(2, 2);
  MonoTime now = kStart;
  size_t answers = 0;
  for (int round = 0; round < 3; ++round) {
    for (const Datagram& datagram : recorded) answers += restarted.Hear(now = now + Milliseconds(5), datagram).size();
    std::ranges::reverse(recorded);
  }
  EXPECT_TRUE(restarted.heard.empty());
  EXPECT_GE(answers, 1u);
  const auto periods = static_cast<size_t>((now - kStart).ns / kChallengeInterval.ns);
  EXPECT_LE(answers, 2 * (periods + 1));

  // The boots themselves are heard as soon as they speak, and their recordings still are not.
  Acquaint(now + Seconds(1), &a, &restarted);
  const uint64_t replayed = restarted.rejected(Reject::kReplayed);
  for (const Datagram& datagram : recorded) {
    if (PeekEnvelope(datagram.payload)->sender == a.id) restarted.Hear(now + Seconds(2), datagram);
  }
  EXPECT_TRUE(restarted.heard.empty());
  EXPECT_GE(restarted.rejected(Reject::kReplayed), replayed + 20);
}

TEST(Transport, EchoMustMatch) {
  Peer a(1), b(2), c(3);
  const Datagram to_b = a.Hear(kStart, c.Hear(kStart, a.Say(Hello("a"))).at(0)).at(0);  // an echo, but to c
  b.Hear(kStart, a.Say(Hello("a")));
  EXPECT_TRUE(b.Hear(kStart, to_b).empty());
  b.Hear(kStart, a.Say(Ping(1)));
  EXPECT_TRUE(b.heard.empty());

  // An echo without a challenge: not even a session.
  Peer d(4);
  EXPECT_TRUE(d.Hear(kStart, to_b).empty());
  EXPECT_EQ(d.rejected(Reject::kUnknownBoot), 1u);
}

TEST(Transport, LateEchoProvesNothing) {
  Peer a(1), b(2);
  const Datagram challenge = b.Hear(kStart, a.Say(Hello("a"))).at(0);
  const Datagram echo = a.Hear(kStart, challenge).at(0);
  b.Hear(kStart + kChallengeLife + Milliseconds(1), echo);
  b.Hear(kStart + kChallengeLife + Milliseconds(1), a.Say(Ping(1)));
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kUnknownBoot), 3u);
}

// On a slow path the echo of the first challenge may come after the second went out.
TEST(Transport, EchoOfAnEarlierChallengeCounts) {
  Peer a(1), b(2);
  const Datagram first = b.Hear(kStart, a.Say(Hello("a"))).at(0);
  ASSERT_EQ(b.Hear(kStart + Milliseconds(100), a.Say(Hello("a"))).size(), 1u);
  b.Hear(kStart + Milliseconds(150), a.Hear(kStart + Milliseconds(120), first).at(0));
  b.Hear(kStart + Milliseconds(150), a.Say(Ping(1)));
  EXPECT_EQ(b.heard.size(), 1u);
}

TEST(Transport, OnlyWhatComesAfterTheEchoIsHeard) {
  Peer a(1), b(2);
  const Datagram challenge = b.Hear(kStart, a.Say(Hello("a"))).at(0);
  const Datagram earlier = a.Say(Ping(1));
  b.Hear(kStart, a.Hear(kStart, challenge).at(0));
  EXPECT_TRUE(b.Hear(kStart, earlier).empty());
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kReplayed), 1u);
}

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

// Messages of many dead boots do not push out the active ones.
TEST(Transport, SessionsAreBounded) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  for (size_t i = 0; i < 2 * kMaxSessions; ++i) {
    Peer dead(static_cast<uint8_t>(10 + i / 250), static_cast<uint8_t>(i % 250));
    b.Hear(kStart + Milliseconds(static_cast<int64_t>(i)), dead.Say(Hello("x")));
  }
  b.heard.clear();
  b.Hear(kStart + Seconds(10), a.Say(Ping(1)));
  EXPECT_EQ(b.heard.size(), 1u);
}

TEST(Transport, ForgottenBootProvesItselfAnew) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const Datagram recorded = a.Say(Ping(1));
  b.transport.Forget(a.id, a.boot_id);
  b.Hear(kStart, recorded);
  EXPECT_TRUE(b.heard.empty());
  Converse(kStart + Seconds(1), &a, &b, a.Say(Hello("a")));
  ASSERT_EQ(b.heard.size(), 1u);  // its last word, behind the echo
  EXPECT_EQ(b.heard[0].message.hello().name(), "a");
}

TEST(Transport, NoHelloFollowsAGoodbye) {
  Peer a(1), b(2);
  a.Say(Hello("a"));
  wire::Message goodbye;
  goodbye.mutable_goodbye();
  const Datagram last = a.Say(goodbye);
  const Datagram challenge = b.Hear(kStart, last).at(0);
  const std::vector<Datagram> answers = a.Hear(kStart, challenge);
  EXPECT_EQ(answers.size(), 2u);  // echo and challenge
}

TEST(Transport, LargestMessage) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  wire::Message message = Hello("");
  for (size_t size = 0; message.ByteSizeLong() < kMaxMessage; ++size) {
    message.mutable_hello()->set_name(std::string(size, 'n'));
  }
  ASSERT_EQ(message.ByteSizeLong(), kMaxMessage);
  const Datagram largest = a.Say(message);
  EXPECT_EQ(largest.payload.size(), kMaxDatagram);
  b.Hear(kStart, largest);
  EXPECT_EQ(b.heard.size(), 1u);

  message.mutable_hello()->mutable_name()->push_back('n');
  Actions out;
  a.transport.SendToAll(message, &out);
  a.transport.SendTo({}, message, &out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(a.transport.oversized(), 2u);
}

// An authentic envelope with something else in it.
TEST(Transport, WhatIsNoMessage) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const auto seal = [&](Channel channel, uint64_t counter, const std::vector<uint8_t>& plain) {
    EnvelopeHeader header = *PeekEnvelope(a.Say(Ping(1)).payload);
    header.channel = static_cast<uint8_t>(channel);
    header.counter = Be64(counter);
    Datagram datagram{a.config.mac, Delivery::kUnicast, {}};
    Seal(a.transport.SendKey().key, header, plain, &datagram.payload);
    return datagram;
  };
  const std::vector<uint8_t> bare{0x12, 0x09, 0x09, 1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<uint8_t> ping = bare;
  ping.insert(ping.end(), {0xf2, 0x01, 14, 0x0a, 6});
  ping.insert(ping.end(), a.config.mac.bytes.begin(), a.config.mac.bytes.end());
  ping.insert(ping.end(), {0x12, 4, 192, 0, 2, 1});
  const uint64_t before = b.rejected(Reject::kMalformed);
  b.Hear(kStart, seal(Channel::kControl, 1000, {}));                  // no message
  b.Hear(kStart, seal(Channel::kControl, 1001, {0x12, 0x09}));        // cut off
  b.Hear(kStart, seal(Channel::kControl, 1002, {0xfa, 0x01, 0x00}));  // a message of the future
  b.Hear(kStart, seal(Channel::kHeartbeat, 1003, ping));              // not for the control core
  EXPECT_TRUE(b.heard.empty());
  b.Hear(kStart, seal(Channel::kControl, 1004, bare));  // from nowhere
  EXPECT_EQ(b.rejected(Reject::kMalformed), before + 5);
  b.Hear(kStart, seal(Channel::kControl, 1005, ping));
  EXPECT_EQ(b.heard.size(), 1u);
}

// A host without the key repeats what the receiver has missed, from its own MAC. The original may still come.
TEST(FieldE1Transport, ARelabelledDatagramMovesNothing) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const MacAddress stranger{{0x02, 0, 0, 0, 0x77, 0x02}};
  Datagram missed = a.Say(Hello("missed"));
  missed.mac = stranger;
  EXPECT_TRUE(b.Hear(kStart, missed).empty());
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kRelabelled), 1u);
  missed.mac = a.config.mac;
  b.Hear(kStart, missed);
  ASSERT_EQ(b.heard.size(), 1u);
  EXPECT_EQ(b.heard[0].from.mac, a.config.mac);
}

// A boot that has proven nothing yet is challenged where it says that it is, and from nowhere else.
TEST(FieldE1Transport, NothingIsSentToTheSourceOfAFrame) {
  Peer a(1), b(2);
  Datagram relabelled = a.Say(Hello("a"));
  relabelled.mac = {{0x02, 0, 0, 0, 0x77, 0x02}};
  EXPECT_TRUE(b.Hear(kStart, relabelled).empty());
  EXPECT_EQ(b.rejected(Reject::kRelabelled), 1u);

  Actions out;
  b.transport.Receive(kStart, a.Say(Hello("a")), &out);
  ASSERT_EQ(out.size(), 1u);
  const auto& frame = std::get<SendFrame>(out[0]);
  EXPECT_EQ(HeaderAt<EthernetHeader>(frame.bytes, 0)->destination, a.config.mac);
  EXPECT_EQ(HeaderAt<Ipv4Header>(frame.bytes, sizeof(EthernetHeader))->destination, a.config.address);
}

// What was kept back and is repeated later, as it was, counts as overtaken.
TEST(FieldE1Transport, AnOvertakenMessageIsMarked) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const Datagram kept = a.Say(Hello("kept"));
  b.Hear(kStart, a.Say(Hello("newer")));
  b.Hear(kStart + Seconds(1), kept);
  ASSERT_EQ(b.heard.size(), 2u);
  EXPECT_FALSE(b.heard[0].overtaken);
  EXPECT_TRUE(b.heard[1].overtaken);
}

TEST(FieldE1Transport, SenderAddressMustBeUsable) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const uint64_t before = b.rejected(Reject::kMalformed);
  EnvelopeHeader header = *PeekEnvelope(a.Say(Ping(1)).payload);
  const auto say = [&](const MacAddress& mac, const Ipv4Address& address) {
    wire::Message message = Ping(1);
    message.mutable_from()->set_mac(WriteMac(mac));
    message.mutable_from()->set_address(WriteAddress(address));
    header.counter = Be64(header.counter.value() + 1);
    Datagram datagram{mac, Delivery::kUnicast, {}};
    Seal(a.transport.SendKey().key, header, AsBytes(message.SerializeAsString()), &datagram.payload);
    b.Hear(kStart, datagram);
  };
  say({}, {{192, 0, 2, 1}});
  say(kBroadcastMac, {{192, 0, 2, 1}});
  say(NodeMac(a.id, 0), {});
  say(NodeMac(a.id, 0), kGroup);
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kMalformed), before + 4);
  say(a.config.mac, a.config.address);
  EXPECT_EQ(b.heard.size(), 1u);
}

// Zero stands for "no boot" in every plan: a node that claims it would be one that does not exist.
TEST(Transport, ABootWithoutIdIsRefused) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  Datagram datagram = a.Say(Ping(1));
  EnvelopeHeader header = *PeekEnvelope(datagram.payload);
  header.boot = BootId{};
  Seal(a.transport.SendKey().key, header, std::vector<uint8_t>{0x12, 0x00}, &datagram.payload);
  const uint64_t before = b.rejected(Reject::kMalformed);
  b.Hear(kStart, datagram);
  EXPECT_TRUE(b.heard.empty());
  EXPECT_EQ(b.rejected(Reject::kMalformed), before + 1);
}

}  // namespace
}  // namespace qure
