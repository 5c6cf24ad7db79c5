// What the kernel makes of the questions is shown in the lab; here: they are sound, and only their answers are read.
#include "proto/net/way_in.h"

#include <gtest/gtest.h>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"

namespace qure {
namespace {

using Frame = std::vector<uint8_t>;
constexpr MacAddress kHost{{2, 0, 0, 0, 0, 1}};

class FieldD13WayIn : public ::testing::TestWithParam<const char*> {
 protected:
  const WayInQuestion question_{.host = kHost, .service = *ParseIp(GetParam()), .port = 80, .number = 0xfffffffe};
  const bool is_v4_ = question_.service.is_v4();
  const size_t transport_ = sizeof(EthernetHeader) + (is_v4_ ? sizeof(Ipv4Header) : sizeof(Ipv6Header));

  TcpHeader TcpOf(const Frame& frame) const { return *HeaderAt<TcpHeader>(ConstBytes(frame), transport_); }
  bool IsSound(const Frame& frame) const {
    const ConstBytes packet = ConstBytes(frame).subspan(sizeof(EthernetHeader));
    const ConstBytes segment = ConstBytes(frame).subspan(transport_);
    IpView view;
    if (is_v4_) {
      const auto* const ip = HeaderAt<Ipv4Header>(packet, 0);
      return !ParseIpv4(packet, false, &view) &&
             TransportChecksum(ip->source, ip->destination, kProtocolTcp, segment) == Be16(0);
    }
    const auto* const ip = HeaderAt<Ipv6Header>(packet, 0);
    return !ParseIpv6(packet, &view) &&
           TransportChecksum(ip->source, ip->destination, kProtocolTcp, segment) == Be16(0);
  }
  // The kernel's answer: the question turned around.
  Frame Answer(uint8_t flags) const {
    Frame frame = WayInSyn(question_);
    const MutableBytes bytes(frame);
    if (is_v4_) {
      auto* const ip = MutableHeaderAt<Ipv4Header>(bytes, sizeof(EthernetHeader));
      std::swap(ip->source, ip->destination);
    } else {
      auto* const ip = MutableHeaderAt<Ipv6Header>(bytes, sizeof(EthernetHeader));
      std::swap(ip->source, ip->destination);
    }
    auto* const tcp = MutableHeaderAt<TcpHeader>(bytes, transport_);
    std::swap(tcp->source_port, tcp->destination_port);
    tcp->flags = flags;
    tcp->acknowledgment = Be32(question_.number + 1);
    return frame;
  }
};

TEST_P(FieldD13WayIn, TheQuestionIsASoundSyn) {
  const Frame frame = WayInSyn(question_);
  EXPECT_TRUE(IsSound(frame));
  EXPECT_TRUE(std::equal(kHost.bytes.begin(), kHost.bytes.end(), frame.begin()));
  EXPECT_EQ(TcpOf(frame).flags, kTcpSyn);
  EXPECT_EQ(TcpOf(frame).sequence, Be32(question_.number));
  EXPECT_EQ(TcpOf(frame).destination_port, Be16(80));
}

TEST_P(FieldD13WayIn, TheResetIsOfTheSameConnection) {
  const Frame frame = WayInReset(question_);
  EXPECT_TRUE(IsSound(frame));
  EXPECT_EQ(TcpOf(frame).flags, kTcpRst);
  EXPECT_EQ(TcpOf(frame).sequence, Be32(question_.number + 1));
  EXPECT_EQ(TcpOf(frame).source_port, TcpOf(WayInSyn(question_)).source_port);
}

TEST_P(FieldD13WayIn, OnlyAnswersAreRead) {
  const auto open = ReadWayInAnswer(Answer(kTcpSyn | kTcpAck));
  ASSERT_TRUE(open);
  EXPECT_EQ(open->number, question_.number);
  EXPECT_TRUE(open->open);
  const auto shut = ReadWayInAnswer(Answer(kTcpRst | kTcpAck));
  ASSERT_TRUE(shut);
  EXPECT_EQ(shut->number, question_.number);
  EXPECT_FALSE(shut->open);
  EXPECT_FALSE(ReadWayInAnswer(Answer(kTcpAck)));
  EXPECT_FALSE(ReadWayInAnswer(Answer(kTcpRst)));
  EXPECT_FALSE(ReadWayInAnswer(WayInSyn(question_))) << "not to us";
  Frame other_port = Answer(kTcpSyn | kTcpAck);
  other_port[transport_ + 3] ^= 1;
  EXPECT_FALSE(ReadWayInAnswer(other_port));
  const Frame whole = Answer(kTcpSyn | kTcpAck);
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(ReadWayInAnswer(ConstBytes(whole).first(length)));
  }
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, FieldD13WayIn, ::testing::Values("198.51.100.50", "2001:db8:2::50"));

}  // namespace
}  // namespace qure
