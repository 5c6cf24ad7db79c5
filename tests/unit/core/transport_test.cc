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
#include "tests/unit/core/transport_peer.h"

namespace qure::test {
namespace {

using Peer = TransportPeer;

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
  EXPECT_TRUE(b.transport.HearsUnproven(kStart)) << "its word is still to come";
  b.Hear(kStart, answers[1]);
  EXPECT_FALSE(b.transport.HearsUnproven(kStart));
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

// By them a worker tells what a known boot has sent from what somebody else sends under its name.
TEST(FieldE2Transport, KnownBootsComeWithTheirKeys) {
  Peer a(1), b(2);
  Acquaint(kStart, &a, &b);
  const ClusterPeers peers = b.transport.TakePeers();
  ASSERT_EQ(peers.size(), 1u);
  ASSERT_EQ(peers[0].keys.size(), 1u);
  const std::vector<uint8_t> sealed = a.Say(Ping(1)).payload;
  std::vector<uint8_t> plain(sealed.size() - kEnvelopeOverhead);
  EXPECT_TRUE(Unseal(peers[0].keys[0].key, sealed, plain));
  EXPECT_FALSE(b.transport.peers_changed());

  b.config.keyring.keys.push_back(kSecond);
  b.transport.Configure(b.config);
  ASSERT_TRUE(b.transport.peers_changed());
  EXPECT_EQ(b.transport.TakePeers().at(0).keys.size(), 2u);
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
}  // namespace qure::test
