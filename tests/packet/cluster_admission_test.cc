// What the allowances of the cluster's port let through, over time.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "dataplane/pipeline/cluster_admission.h"
#include "proto/cluster/cluster_peer.h"
#include "proto/cluster/envelope.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

BootId Boot(uint32_t number) {
  BootId boot{};
  std::memcpy(boot.data(), &number, sizeof(number));
  return boot;
}

// 200,000 datagrams in a second, each under another name.
TEST(FieldE2Admission, JunkGetsNoMoreThanItsShare) {
  ClusterAdmission admission;
  uint32_t let_through = 0;
  for (uint32_t i = 0; i < 200'000; ++i) {
    admission.Begin(MonoTime{} + Seconds(100) + Microseconds(5) * i);
    let_through += admission.TakeStranger(Boot(i)) ? 1 : 0;
  }
  EXPECT_GE(let_through, ClusterAdmission::kStrangersRate);
  EXPECT_LE(let_through, ClusterAdmission::kStrangersRate + ClusterAdmission::kStrangersBurst);
  for (int i = 0; i < ClusterAdmission::kKnownBurst; ++i) EXPECT_TRUE(admission.TakeKnown(Boot(7)));
  EXPECT_FALSE(admission.TakeKnown(Boot(7)));
  EXPECT_TRUE(admission.TakeKnown(Boot(8)));
}

// Recordings of 64 boots, four in a millisecond, do not use up what a boot that starts needs.
TEST(FieldE12Admission, RecordingsLeaveRoomForANewBoot) {
  ClusterAdmission admission;
  int refused = 0;
  for (uint32_t i = 0; i < 40'000; ++i) {
    admission.Begin(MonoTime{} + Seconds(100) + Microseconds(250) * i);
    admission.TakeStranger(Boot(1 + i % 64));
    if (i % 400 != 0) continue;  // each 100 ms, both ways
    refused += admission.TakeStranger(Boot(999)) ? 0 : 1;
    refused += admission.TakeStranger(Boot(999)) ? 0 : 1;
  }
  EXPECT_EQ(refused, 0);
}

const MacAddress kPeerMac = Mac("02:22:22:22:22:20");
const Ipv4Address kPeer4 = Ip4("198.51.100.12");
const NodeId kPeer{0x22};
const SessionKey kKey{0x33};
constexpr uint16_t kPort = 7873;

// A LAN with one other node, which this one knows.
class FieldE2Spoofed : public ::testing::Test {
 protected:
  FieldE2Spoofed() {
    snapshot_.cluster_port = kPort;
    snapshot_.node_address = kNode4;
    const ClusterPeer peer{.node = kPeer, .boot = Boot(1), .mac = kPeerMac, .keys = {{.id = 1, .key = kKey}}};
    snapshot_.cluster_peers = std::make_shared<const ClusterPeers>(ClusterPeers{peer});
  }

  // A message of that node, or what another host makes look like one, from the same MAC.
  static Bytes Message(uint64_t counter, const SessionKey& key = kKey) {
    const EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                                .version = kEnvelopeVersion,
                                .channel = static_cast<uint8_t>(Channel::kControl),
                                .key_id = Be32(1),
                                .sender = kPeer,
                                .boot = Boot(1),
                                .counter = Be64(counter),
                                .salt = {}};
    Bytes sealed;
    Seal(key, header, Bytes(100), &sealed);
    const Ip4Header ip{.source = kPeer4, .destination = kNode4, .protocol = 17, .ttl = 255};
    return Build(Ether{kNodeMac, kPeerMac, 0x0800}, Build(ip, Udp(kPeer4, kNode4, kPort, kPort, sealed)));
  }
  static Bytes Forgery(uint64_t counter) { return Message(counter, SessionKey{0x44}); }

  Reason At(Duration time, const Bytes& frame) {
    admission_.Begin(MonoTime{} + Seconds(100) + time);
    return Process(snapshot_, {.flows = {}, .dns = {}, .cluster = &admission_, .now = {}}, Direction::kFromLan, frame)
        .reason;
  }
  // Another host sends 100,000 frames a second for half a second, `junk` says which, and the node a message each
  // 10 ms. How many of its messages did not go on.
  template <typename Junk>
  int Lost(uint64_t counter, Junk junk) {
    int lost = 0;
    for (int i = 0; i < 50'000; ++i) {
      const Duration time = Microseconds(10) * i;
      At(time, junk(i));
      if (i % 1000 == 999 && At(time, Message(counter++)) != Reason::cluster_message) ++lost;
    }
    return lost;
  }

  Snapshot snapshot_ = SiteSnapshot();
  ClusterAdmission admission_;
};

TEST_F(FieldE2Spoofed, ForgeriesUnderItsNameDoNotStarveABoot) {
  EXPECT_EQ(Lost(1, [forgery = Forgery(1)](int) { return forgery; }), 0);
}

TEST_F(FieldE2Spoofed, NorDoForgeriesWithCountersAhead) {
  EXPECT_EQ(Lost(1, [](int i) { return Forgery(1'000'000 + static_cast<uint64_t>(i)); }), 0);
}

// They are genuine, each once, until the node's next message makes them old. That one may be lost.
TEST_F(FieldE2Spoofed, NorDoRecordingsOfWhatItHasSent) {
  EXPECT_LE(Lost(100'001, [](int i) { return Message(1 + static_cast<uint64_t>(i)); }), 1);
}

TEST_F(FieldE2Spoofed, NorDoesOneRecordingAgainAndAgain) {
  EXPECT_EQ(Lost(8, [recording = Message(7)](int) { return recording; }), 0);
}

TEST_F(FieldE2Spoofed, WhatIsGenuineHasALimit) {
  uint32_t let_through = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    let_through += At(Microseconds(50) * static_cast<int64_t>(i), Message(1 + i)) == Reason::cluster_message ? 1 : 0;
  }
  EXPECT_GE(let_through, 2 * ClusterAdmission::kKnownRate);
  EXPECT_LE(let_through, 2 * (ClusterAdmission::kKnownRate + ClusterAdmission::kKnownBurst));
}

TEST_F(FieldE2Spoofed, TheTimeForProofsHasALimit) {
  uint32_t proofs = 0;
  admission_.Begin(MonoTime{} + Seconds(100));
  for (uint64_t i = 1; i <= 5'000; ++i) proofs += admission_.MayProve(Boot(1), i) ? 1 : 0;
  EXPECT_EQ(proofs, static_cast<uint32_t>(ClusterAdmission::kProofBurst));
}

}  // namespace

}  // namespace qure::testing
