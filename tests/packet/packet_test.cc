// The packet tables through the production pipeline, and properties that hold for all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>

#include "proto/dns/zone_builder.h"
#include "proto/net/arp.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

std::string Text(const Event& e) {
  return std::to_string(static_cast<int>(e.kind)) + ' ' + ToString(e.mac) + ' ' + ToString(e.ip) + " to " +
         ToString(e.to) + " v" + std::to_string(e.version) + ' ' + std::to_string(e.span.ns);
}

bool Same(const Event& a, const Event& b) {
  return a.kind == b.kind && a.mac == b.mac && a.ip == b.ip && a.to == b.to && a.version == b.version &&
         a.span == b.span;
}

Snapshot SiteOf(const Case& c) {
  Snapshot snapshot = SiteSnapshot();
  if (c.site) c.site(&snapshot);
  return snapshot;
}

bool IsAnswer(Reason reason) {
  return VerdictOf(reason) == Verdict::kAnswer || reason == Reason::handover_answer;
}

void Check(const Case& c) {
  SCOPED_TRACE(c.name);
  const Outcome outcome = Process(SiteOf(c), c.direction, c.in);
  EXPECT_EQ(NameOf(outcome.reason), NameOf(c.reason));
  EXPECT_EQ(c.out.has_value(), VerdictOf(c.reason) != Verdict::kDrop) << "the table contradicts itself";
  if (c.out) {
    EXPECT_EQ(outcome.frame, *c.out);
  }
  ASSERT_EQ(outcome.events.size(), c.events.size());
  for (size_t i = 0; i < c.events.size(); ++i) {
    EXPECT_TRUE(Same(outcome.events[i], c.events[i])) << Text(outcome.events[i]) << " instead of " << Text(c.events[i]);
  }
}

}  // namespace

TEST(Packet, Arp) {
  for (const Case& c : ArpCases()) Check(c);
}
TEST(Packet, Neighbor) {
  for (const Case& c : NeighborCases()) Check(c);
}
TEST(Packet, Echo) {
  for (const Case& c : EchoCases()) Check(c);
}
TEST(Packet, Dns) {
  for (const Case& c : DnsCases()) Check(c);
}
TEST(Packet, Delivery) {
  for (const Case& c : DeliveryCases()) Check(c);
}
TEST(Packet, Cluster) {
  for (const Case& c : ClusterCases()) Check(c);
}
TEST(Packet, Handover) {
  for (const Case& c : HandoverCases()) Check(c);
}
TEST(Packet, Malformed) {
  for (const Case& c : MalformedCases()) Check(c);
}
TEST(Packet, Host) {
  for (const Case& c : HostCases()) Check(c);
}

TEST(Packet, Forward) {
  for (const Case& c : ForwardCases()) Check(c);
}

// No frame as the gateway is an answer, but one to a MAC of ours alone.
TEST(FieldE7, OnlyAnAnswerToOneOfOursIsReportedAsOne) {
  size_t answers = 0;
  for (const auto& table : {ArpCases(), NeighborCases()}) {
    for (const Case& c : table) {
      SCOPED_TRACE(c.name);
      for (const Event& event : Process(SiteOf(c), c.direction, c.in).events) {
        if (event.kind != EventKind::kNeighbor) continue;
        ++answers;
        EXPECT_TRUE(std::equal(event.to.bytes.begin(), event.to.bytes.end(), c.in.begin()));
        EXPECT_FALSE(event.to.is_multicast());
        EXPECT_NE(event.mac, kStrangerMac);
      }
    }
  }
  EXPECT_GE(answers, 5u);
}

// What the kernel asks is never a probe: that would make a host that boots give its address up (RFC 5227 §2.1.1).
TEST(FieldA4, NoQuestionOfTheKernelLooksLikeAProbe) {
  size_t questions = 0;
  for (const Case& c : HostCases()) {
    SCOPED_TRACE(c.name);
    const Outcome outcome = Process(SiteOf(c), c.direction, c.in);
    if (outcome.reason != Reason::lan_arp_anonymous) continue;
    ++questions;
    const ArpPacket* arp = nullptr;
    ASSERT_FALSE(ParseArp(ConstBytes(outcome.frame).subspan(sizeof(EthernetHeader)), &arp));
    EXPECT_FALSE(arp->is_probe());
    EXPECT_EQ(arp->sender_ip, kNode4);
    EXPECT_TRUE(std::equal(arp->sender_mac.bytes.begin(), arp->sender_mac.bytes.end(), outcome.frame.begin() + 6))
        << "the answer has to come to where the question came from";
  }
  EXPECT_EQ(questions, 2u);
}

// Who names the service MAC without sending from it is no node of the cluster: its answer is not the cluster's.
TEST(FieldE4, NobodySpeaksForAServiceMacFromElsewhere) {
  size_t strangers = 0;
  for (const auto& table : {ArpCases(), NeighborCases()}) {
    for (const Case& c : table) {
      SCOPED_TRACE(c.name);
      const Snapshot snapshot = SiteOf(c);
      const bool from_service = std::ranges::any_of(
          std::array{kServiceMac4, kIdleMac4, kServiceMac6, kIdleMac6},
          [&](const auto& mac) { return std::equal(mac.bytes.begin(), mac.bytes.end(), c.in.begin() + 6); });
      for (const Event& event : Process(snapshot, c.direction, c.in).events) {
        if (event.kind != EventKind::kAddressUsed) continue;
        strangers += event.mac == kStrangerMac ? 1 : 0;
        EXPECT_TRUE(from_service || !snapshot.IsServiceMac(event.mac));
      }
    }
  }
  EXPECT_GE(strangers, 4u);
}

TEST(Packet, EverythingOnAVlan) {
  for (const auto& table :
       {ArpCases(), NeighborCases(), EchoCases(), DnsCases(), ClusterCases(), HandoverCases(), ForwardCases()}) {
    for (const Case& c : table) {
      if (c.direction == Direction::kFromLan) Check(OnVlan(c));
    }
  }
}

// Every reason has a case, but those that the worker and the control path give, and those that take more than one frame
// (forwarder_test.cc, dns_limit_test.cc).
TEST(Packet, EveryReasonHasACase) {
  std::set<Reason> missing;
  for (size_t i = 0; i < kReasonCount; ++i) missing.insert(static_cast<Reason>(i));
  for (Reason elsewhere :
       {Reason::control_announce, Reason::control_frame, Reason::heartbeat_sent, Reason::gate_shut,
        Reason::cluster_full, Reason::cluster_over_limit, Reason::no_room, Reason::lan_full, Reason::host_full,
        Reason::forward_flow, Reason::forward_fragment, Reason::other_owner, Reason::forward_unanswered,
        Reason::dns_slipped, Reason::dns_limited, Reason::way_in_question}) {
    missing.erase(elsewhere);
  }
  for (const Case& c : AllCases()) missing.erase(c.reason);
  for (Reason reason : missing) ADD_FAILURE() << "no case for " << NameOf(reason);
}

// A frame cut at any byte is never answered as if it were whole, and never read beyond its end (ASan).
TEST(Packet, TruncatedAtEveryByte) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.name);
    const Snapshot snapshot = SiteOf(c);
    for (size_t length = 0; length < c.in.size(); ++length) {
      const Outcome outcome =
          Process(snapshot, c.direction, Bytes(c.in.begin(), c.in.begin() + static_cast<ptrdiff_t>(length)));
      if (!IsAnswer(outcome.reason)) continue;
      // Only padding may be missing: the answer is then the same but for it.
      ASSERT_TRUE(c.out && outcome.reason == c.reason) << "cut to " << length << " of " << c.in.size();
      ASSERT_TRUE(std::equal(outcome.frame.begin(), outcome.frame.end(), c.out->begin())) << "cut to " << length;
    }
  }
}

TEST(Packet, SameInputSameOutput) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.name);
    const Outcome first = Process(SiteOf(c), c.direction, c.in);
    const Outcome second = Process(SiteOf(c), c.direction, c.in);
    EXPECT_EQ(first.reason, second.reason);
    EXPECT_EQ(first.frame, second.frame);
  }
}

// Nothing is answered, nor delivered, for an address that is not held.
TEST(Packet, ANodeThatHoldsNothingAnswersNothing) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.name);
    Snapshot snapshot = SiteOf(c);
    for (ServiceAddress& s : snapshot.addresses_v4) s.serving = false;
    for (ServiceAddress& s : snapshot.addresses_v6) s.serving = false;
    const Outcome outcome = Process(snapshot, c.direction, c.in);
    EXPECT_FALSE(IsAnswer(outcome.reason)) << NameOf(outcome.reason);
    EXPECT_NE(outcome.reason, Reason::host_service);
  }
}

// An answer that comes back, reflected or looped, is not answered again.
TEST(Packet, AnswersAreNotAnswered) {
  for (const Case& c : AllCases()) {
    if (!IsAnswer(c.reason) || c.reason == Reason::return_service) continue;
    SCOPED_TRACE(c.name);
    const Snapshot snapshot = SiteOf(c);
    const Bytes answer = Process(snapshot, c.direction, c.in).frame;
    EXPECT_FALSE(IsAnswer(Process(snapshot, c.direction, answer).reason));
    // Turned around by a host that echoes frames: source and destination MAC swapped.
    Bytes turned = answer;
    std::swap_ranges(turned.begin(), turned.begin() + 6, turned.begin() + 6);
    EXPECT_FALSE(IsAnswer(Process(snapshot, c.direction, turned).reason));
  }
}

TEST(Packet, ChecksumsVerifiedByThePortAreNotVerifiedAgain) {
  for (const Case& c : MalformedCases()) {
    if (c.reason != Reason::ip4_checksum) continue;
    EXPECT_EQ(Process(SiteSnapshot(), Direction::kFromLan, c.in, true).reason, Reason::host_service);
  }
}

TEST(Packet, NoRoomForATagOrAnOption) {
  Bytes bytes = HostCases().front().in;
  Frame frame{.data = bytes.data(), .length = static_cast<uint16_t>(bytes.size())};
  Snapshot snapshot = SiteSnapshot();
  Vlan7(&snapshot);
  EXPECT_EQ(ProcessControl(snapshot, Reason::control_announce, &frame), Reason::no_room);

  // A solicitation without an option cannot grow into an advertisement when nothing is behind it.
  Bytes solicitation;
  for (const Case& c : NeighborCases()) {
    if (c.name == "unicast solicitation without option") solicitation = c.in;
  }
  ASSERT_FALSE(solicitation.empty());
  Batch batch;
  batch.count = 1;
  batch.frames[0] = {.data = solicitation.data(), .length = static_cast<uint16_t>(solicitation.size())};
  ProcessLan(SiteSnapshot(), {}, &batch);
  EXPECT_EQ(batch.reasons[0], Reason::no_room);
}

TEST(Packet, ControlFramesGetTheTag) {
  Bytes buffer(kHeadroom + 60);
  Frame frame{.data = buffer.data() + kHeadroom, .length = 60, .headroom = kHeadroom};
  Snapshot snapshot = SiteSnapshot();
  EXPECT_EQ(ProcessControl(snapshot, Reason::control_frame, &frame), Reason::control_frame);
  EXPECT_EQ(frame.length, 60);
  Vlan7(&snapshot);
  EXPECT_EQ(ProcessControl(snapshot, Reason::control_announce, &frame), Reason::control_announce);
  EXPECT_EQ(frame.length, 64);
  EXPECT_EQ(Bytes(frame.data + 12, frame.data + 16), (Bytes{0x81, 0, 0, 7}));
}

TEST(FieldD13, QuestionsForTheKernelGetNoTag) {
  Bytes buffer(kHeadroom + 60);
  Frame frame{.data = buffer.data() + kHeadroom, .length = 60, .headroom = kHeadroom};
  Snapshot snapshot = SiteSnapshot();
  Vlan7(&snapshot);
  EXPECT_EQ(ProcessControl(snapshot, Reason::way_in_question, &frame), Reason::way_in_question);
  EXPECT_EQ(frame.length, 60);
}

// In bursts of many kinds each frame gets what it gets alone.
void ExpectInBursts(const Snapshot& snapshot) {
  std::vector<Case> cases;
  for (const Case& c : AllCases()) {
    if (c.site == nullptr && c.direction == Direction::kFromLan) cases.push_back(c);
  }
  std::vector<Bytes> buffers(kBurst, Bytes(kHeadroom + kRoom));
  for (size_t start = 0; start < cases.size(); start += kBurst) {
    Batch batch;
    batch.count = std::min(kBurst, cases.size() - start);
    for (size_t i = 0; i < batch.count; ++i) {
      const Bytes& in = cases[start + i].in;
      std::copy(in.begin(), in.end(), buffers[i].begin() + kHeadroom);
      batch.frames[i] = {.data = buffers[i].data() + kHeadroom,
                         .length = static_cast<uint16_t>(in.size()),
                         .headroom = kHeadroom,
                         .tailroom = static_cast<uint16_t>(kRoom - in.size())};
    }
    ProcessLan(snapshot, {}, &batch);
    for (size_t i = 0; i < batch.count; ++i) {
      SCOPED_TRACE(cases[start + i].name);
      EXPECT_EQ(NameOf(batch.reasons[i]), NameOf(cases[start + i].reason));
      const Frame& out = batch.frames[i];
      if (cases[start + i].out) {
        EXPECT_EQ(Bytes(out.data, out.data + out.length), *cases[start + i].out);
      }
    }
  }
}

TEST(Packet, FramesOfABurstDoNotDisturbEachOther) {
  ExpectInBursts(SiteSnapshot());
}

// A stranger whom the filter of our MACs takes for one of them is compared, and found to be a stranger.
TEST(Packet, TheMacFilterOnlySparesComparisons) {
  Snapshot snapshot = SiteSnapshot();
  for (uint32_t i = 0; i < 10'000; ++i) {
    snapshot.macs.Add({{2, 1, 1, 1, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}});
  }
  ASSERT_TRUE(snapshot.macs.MayHold(kStrangerMac));
  ExpectInBursts(snapshot);
}

// What is fetched ahead for a burst changes no answer, and whatever stands in a query, nothing beyond it is read.
TEST(Packet, QueriesLookedUpAhead) {
  const auto wire = [](const std::string& text) {
    const Bytes name = WireName(text);
    return std::string(name.begin(), name.end());
  };
  DnsZoneBuilder builder(wire("zone.example"), 1);
  builder.Add(
      {wire("zone.example"), kDnsTypeSoa, 60, wire("zone.example") + wire("zone.example") + std::string(20, '\1')});
  for (int i = 0; i < 1000; ++i) {
    builder.Add({wire("n" + std::to_string(i) + ".zone.example"), kDnsTypeA, 60, "\x0a\x01" + std::string(2, '\2')});
  }
  Snapshot snapshot = SiteSnapshot();
  snapshot.dns = std::make_shared<const DnsAuthority>(
      DnsAuthority{.zones = DnsZones({std::make_shared<const DnsZone>(builder.Build())})});

  std::vector<Bytes> frames;
  for (size_t i = 0; i < kBurst; ++i) {
    const char* const zone = i % 8 == 7 ? ".elsewhere.example" : ".zone.example";
    Bytes message = Build(Dns{.name = "n" + std::to_string(i * 30) + zone});
    if (i % 4 == 1) message.resize(message.size() - i % 32);
    if (i % 4 == 3) message[12] = static_cast<uint8_t>(63 + i);
    frames.push_back(Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                           Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17},
                                 Udp(kClient4, kService4, 40000, 53, message))));
  }
  std::vector<std::unique_ptr<uint8_t[]>> buffers;
  Batch batch;
  batch.count = kBurst;
  for (size_t i = 0; i < kBurst; ++i) {
    const Bytes& in = frames[i];
    buffers.push_back(std::make_unique<uint8_t[]>(in.size()));  // no room: reading beyond it is seen
    std::ranges::copy(in, buffers[i].get());
    batch.frames[i] = {.data = buffers[i].get(), .length = static_cast<uint16_t>(in.size())};
  }
  ProcessLan(snapshot, {}, &batch);
  std::vector<Bytes> roomy(kBurst, Bytes(kRoom));
  for (size_t i = 0; i < kBurst; ++i) {
    std::ranges::copy(frames[i], roomy[i].begin());
    batch.frames[i] = {.data = roomy[i].data(),
                       .length = static_cast<uint16_t>(frames[i].size()),
                       .tailroom = static_cast<uint16_t>(kRoom - frames[i].size())};
  }
  ProcessLan(snapshot, {}, &batch);
  for (size_t i = 0; i < kBurst; ++i) {
    const Outcome alone = Process(snapshot, Direction::kFromLan, frames[i]);
    EXPECT_EQ(NameOf(batch.reasons[i]), NameOf(alone.reason)) << i;
    EXPECT_EQ(Bytes(batch.frames[i].data, batch.frames[i].data + batch.frames[i].length), alone.frame) << i;
    if (i % 2 == 0) {
      EXPECT_EQ(alone.reason, Reason::dns_answer) << i;
    }
  }
}

TEST(Packet, EventsOfABurstAreBounded) {
  Batch batch;
  for (size_t i = 0; i < kBurst; ++i)
    batch.Emit({.kind = EventKind::kAddressUsed, .ip = Ipv4Address{{198, 51, 100, 50}}});
  EXPECT_EQ(batch.event_count, 1u) << "the same once a burst";
  for (uint8_t i = 0; i < kBurst; ++i)
    batch.Emit({.kind = EventKind::kAddressUsed, .ip = Ipv4Address{{203, 0, 113, i}}});
  EXPECT_EQ(batch.event_count, Batch::kMaxEvents);
}

}  // namespace qure::testing
