// TCP and UDP packets whose checksums are not complete, as a host on the same machine sends them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr size_t kIp4Transport = 14 + 20;
constexpr size_t kIp6Transport = 14 + 40;
constexpr size_t kTcpChecksum = 16;
constexpr size_t kUdpChecksum = 6;

// A packet with its whole checksum, and where that is.
struct Sent {
  std::string name;
  Bytes whole;
  size_t checksum = 0;
  uint16_t partial = 0;  // what the field holds instead

  Bytes WithField(uint16_t value) const {
    Bytes frame = whole;
    PutBe16(&frame, checksum, value);
    return frame;
  }
};

Sent Sent4(const char* name, uint8_t protocol, const Bytes& segment) {
  return {name,
          Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = protocol}, segment)),
          kIp4Transport + (protocol == 6 ? kTcpChecksum : kUdpChecksum),
          PseudoSum(kClient4, kService4, protocol, segment.size())};
}
Sent Sent6(const char* name, uint8_t protocol, const Bytes& segment) {
  return {name,
          Build(Ether{kServiceMac6, kGatewayMac, 0x86dd}, Build(Ip6Header{kClient6, kService6, protocol}, segment)),
          kIp6Transport + (protocol == 6 ? kTcpChecksum : kUdpChecksum),
          PseudoSum(kClient6, kService6, protocol, segment.size())};
}

std::vector<Sent> AllSent() {
  const Bytes query = Build(Dns{.name = "www.home.example"});
  return {
      Sent4("TCP", 6, Tcp(kClient4, kService4, 40000, 80, 0x10, Bytes(101, 7))),
      Sent4("TCP, a SYN", 6, Tcp(kClient4, kService4, 40000, 80, 2, {})),
      Sent4("UDP", 17, Udp(kClient4, kService4, 40000, 9999, {1, 2, 3})),
      Sent4("DNS", 17, Udp(kClient4, kService4, 40000, 53, query)),
      Sent6("TCP over IPv6", 6, Tcp(kClient6, kService6, 40000, 80, 0x10, Bytes(101, 7))),
      Sent6("UDP over IPv6", 17, Udp(kClient6, kService6, 40000, 9999, {1, 2, 3})),
      Sent6("DNS over IPv6", 17, Udp(kClient6, kService6, 40000, 53, query)),
  };
}

// A site whose flows to the service belong to a peer.
Snapshot Forwarding() {
  Snapshot site = SiteSnapshot();
  site.balance = OneOwner(kPeer1, kPeer1);
  return site;
}

void ExpectSame(const Outcome& outcome, const Outcome& expected) {
  EXPECT_EQ(NameOf(outcome.reason), NameOf(expected.reason));
  EXPECT_EQ(outcome.frame, expected.frame);
}

TEST(FieldA12, PartialChecksumsAreCompleted) {
  for (const Snapshot& site : {SiteSnapshot(), Forwarding()}) {
    for (const Sent& sent : AllSent()) {
      SCOPED_TRACE(sent.name);
      const Outcome expected = Process(site, Direction::kFromLan, sent.whole);
      ASSERT_NE(VerdictOf(expected.reason), Verdict::kDrop);
      for (const SegmentChecksum partial : {SegmentChecksum::kMaybePartial, SegmentChecksum::kPartial}) {
        ExpectSame(ProcessPartial(site, partial, sent.WithField(sent.partial)), expected);
        ExpectSame(ProcessPartial(site, partial, sent.whole), expected);
      }
    }
  }
}

// Each of them has its own checksum, or is passed on as it came.
TEST(FieldA12, DamageIsNotMended) {
  for (const Sent& sent : AllSent()) {
    SCOPED_TRACE(sent.name);
    for (const int value : {sent.partial + 1, sent.partial - 1, ~sent.partial}) {
      const Bytes damaged = sent.WithField(static_cast<uint16_t>(value));
      ExpectSame(ProcessPartial(SiteSnapshot(), SegmentChecksum::kMaybePartial, damaged),
                 Process(SiteSnapshot(), Direction::kFromLan, damaged));
    }
  }
}

// From a wire, the sum of the pseudo-header is a wrong checksum.
TEST(FieldA12, ARealPortHasNoPartialChecksums) {
  for (const Sent& sent : AllSent()) {
    SCOPED_TRACE(sent.name);
    const Bytes partial = sent.WithField(sent.partial);
    const Outcome outcome = ProcessPartial(SiteSnapshot(), SegmentChecksum::kUnknown, partial);
    if (sent.name.starts_with("DNS")) {
      EXPECT_EQ(NameOf(outcome.reason), NameOf(Reason::udp_checksum));
    } else {
      EXPECT_EQ(outcome.frame, ToKernel(partial));
    }
  }
}

// A fragment's checksum is the datagram's: the field says nothing of this frame.
TEST(FieldA12, FragmentsStayAsTheyAre) {
  const Bytes segment = Udp(kClient4, kService4, 40000, 9999, Bytes(24, 7));
  Bytes frame = Build(
      Ether{kServiceMac4, kGatewayMac, 0x0800},
      Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17, .fragment = 0x2000}, segment));
  PutBe16(&frame, kIp4Transport + kUdpChecksum, PseudoSum(kClient4, kService4, 17, segment.size()));
  for (const SegmentChecksum partial : {SegmentChecksum::kMaybePartial, SegmentChecksum::kPartial}) {
    EXPECT_EQ(ProcessPartial(SiteSnapshot(), partial, frame).frame, ToKernel(frame));
  }
}

// Whatever is cut off, nothing behind the end is read or written (AddressSanitizer).
TEST(FieldA12, TruncatedAtEveryByte) {
  for (const Sent& sent : AllSent()) {
    for (size_t length = 0; length < sent.whole.size(); ++length) {
      const Bytes cut(sent.whole.begin(), sent.whole.begin() + static_cast<ptrdiff_t>(length));
      ProcessPartial(SiteSnapshot(), SegmentChecksum::kPartial, cut);
    }
  }
}

}  // namespace

}  // namespace qure::testing
