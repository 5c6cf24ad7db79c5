// Queries as a responder reads them.
#include <gtest/gtest.h>

#include "proto/dns/message.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

const Bytes kName = Hex("03 577777 04 686f6d65 07 6578616d706c65 00");  // Www.home.example
const Bytes kQuestion = kName + Hex("001c 0001");
const Bytes kOpt = Hex("00 0029 1000 00 00 8000 0000");

Bytes Header(uint16_t flags, uint16_t questions, uint16_t answers, uint16_t authorities, uint16_t additionals) {
  return AsBytes(
      DnsHeader{Be16(0x1234), Be16(flags), Be16(questions), Be16(answers), Be16(authorities), Be16(additionals)});
}

Bytes PlainQuery() {
  return Header(kDnsFlagRecursionDesired, 1, 0, 0, 0) + kQuestion;
}
Bytes EdnsQuery(const Bytes& opt = kOpt) {
  return Header(0, 1, 0, 0, 1) + kQuestion + opt;
}

ParseError ErrorOf(const Bytes& message) {
  DnsQuery query;
  return ParseDnsQuery(message, &query);
}

TEST(DnsQuery, Plain) {
  const Bytes message = PlainQuery();
  DnsQuery query;
  ASSERT_EQ(ParseDnsQuery(message, &query), kSound);
  EXPECT_EQ(query.header->id.value(), 0x1234);
  EXPECT_EQ(Bytes(query.name.begin(), query.name.end()), kName);  // case kept
  EXPECT_EQ(query.name.data(), message.data() + 12);
  EXPECT_EQ(query.type, kDnsTypeAaaa);
  EXPECT_EQ(query.klass, kDnsClassIn);
  EXPECT_EQ(query.question_end, message.size());
  EXPECT_FALSE(query.edns);
  EXPECT_EQ(query.payload_limit, 512);
}

TEST(DnsQuery, QuestionForTheRoot) {
  const Bytes message = Header(0, 1, 0, 0, 0) + Hex("00 0002 0001");
  DnsQuery query;
  ASSERT_EQ(ParseDnsQuery(message, &query), kSound);
  EXPECT_EQ(query.name.size(), 1u);
}

TEST(DnsQuery, Edns) {
  const Bytes message = EdnsQuery();
  DnsQuery query;
  ASSERT_EQ(ParseDnsQuery(message, &query), kSound);
  EXPECT_TRUE(query.edns);
  EXPECT_EQ(query.payload_limit, kDnsEdnsPayload);  // 4096 was offered
  EXPECT_EQ(query.question_end, message.size() - kOpt.size());
}

TEST(DnsQuery, DnssecOk) {
  DnsQuery query;
  ASSERT_EQ(ParseDnsQuery(EdnsQuery(Hex("00 0029 04d0 00 00 8000 0000")), &query), kSound);
  EXPECT_TRUE(query.dnssec_ok);
  ASSERT_EQ(ParseDnsQuery(EdnsQuery(Hex("00 0029 04d0 00 00 7fff 0000")), &query), kSound);
  EXPECT_FALSE(query.dnssec_ok);
}

TEST(DnsQuery, PayloadLimitIsKeptInRange) {
  DnsQuery query;
  ASSERT_EQ(ParseDnsQuery(EdnsQuery(Hex("00 0029 0000 00 00 0000 0000")), &query), kSound);
  EXPECT_EQ(query.payload_limit, 512);
  ASSERT_EQ(ParseDnsQuery(EdnsQuery(Hex("00 0029 0258 00 00 0000 0000")), &query), kSound);
  EXPECT_EQ(query.payload_limit, 600);
}

TEST(DnsQuery, EdnsOptionsAreSteppedOver) {
  EXPECT_EQ(ErrorOf(EdnsQuery(Hex("00 0029 04d0 00 00 0000 000c 000a 0008 0102030405060708"))), kSound);
}

TEST(DnsQuery, OtherRecordsAreSteppedOver) {
  // An authority SOA and, behind the OPT, an additional record with a compressed owner.
  const Bytes soa = Hex("c00c 0006 0001 00000000 0002 abcd");
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 1, 2) + kQuestion + soa + kOpt + soa), kSound);
}

TEST(DnsQuery, ShortAtEveryByteOfTheHeader) {
  const Bytes message = PlainQuery();
  for (size_t length = 0; length < 12; ++length) {
    DnsQuery query;
    EXPECT_EQ(ParseDnsQuery(Prefix(message, length), &query), Reason::dns_short) << length;
    EXPECT_EQ(query.header, nullptr);
  }
}

TEST(DnsQuery, TruncatedAtEveryByteBehindTheHeader) {
  const Bytes message = EdnsQuery(Hex("00 0029 04d0 00 00 0000 0004 000a 0000"));
  const size_t question_end = 12 + kQuestion.size();
  for (size_t length = 12; length < message.size(); ++length) {
    const Bytes prefix = Prefix(message, length);
    DnsQuery query;
    EXPECT_EQ(ParseDnsQuery(prefix, &query), Reason::dns_format_error) << length;
    EXPECT_EQ(query.question_end, length < question_end ? 0 : question_end) << length;
    EXPECT_EQ(query.header->id.value(), 0x1234);
  }
}

TEST(DnsQuery, ResponsesAreNotQueries) {
  EXPECT_EQ(ErrorOf(Header(kDnsFlagResponse, 1, 0, 0, 0) + kQuestion), Reason::dns_response);
  EXPECT_EQ(ErrorOf(Header(0xffff, 0, 0, 0, 0)), Reason::dns_response);  // whatever else is wrong
}

TEST(DnsQuery, OtherOpcodes) {
  for (const int opcode : {1, 2, 4, 5, 15}) {
    const Bytes message = Header(static_cast<uint16_t>(opcode << 11), 1, 0, 0, 0) + kQuestion;
    DnsQuery query;
    EXPECT_EQ(ParseDnsQuery(message, &query), Reason::dns_not_implemented) << opcode;
    EXPECT_EQ(query.header->opcode(), opcode);
  }
}

TEST(DnsQuery, ExactlyOneQuestion) {
  EXPECT_EQ(ErrorOf(Header(0, 0, 0, 0, 0)), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(Header(0, 2, 0, 0, 0) + kQuestion + kQuestion), Reason::dns_format_error);
}

TEST(DnsQuery, CompressedQuestionName) {
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 0, 0) + Hex("c00c 0001 0001")), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 0, 0) + Hex("03777777 c00c 0001 0001")), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 0, 0) + Hex("41 00 0001 0001")), Reason::dns_format_error);  // extended label
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 0, 0) + Hex("80 00 0001 0001")), Reason::dns_format_error);
}

TEST(DnsQuery, NameLimits) {
  const Bytes label63 = Bytes{63} + Bytes(63, 'a');
  const Bytes head = Header(0, 1, 0, 0, 0) + label63 + label63 + label63;
  const Bytes tail = Hex("00 0001 0001");
  EXPECT_EQ(ErrorOf(head + Bytes{61} + Bytes(61, 'b') + tail), kSound);  // 255
  EXPECT_EQ(ErrorOf(head + Bytes{62} + Bytes(62, 'b') + tail), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(head + label63 + label63 + tail), Reason::dns_format_error);
}

TEST(DnsQuery, OneOptAtMost) {
  const Bytes message = Header(0, 1, 0, 0, 2) + kQuestion + kOpt + kOpt;
  DnsQuery query;
  EXPECT_EQ(ParseDnsQuery(message, &query), Reason::dns_format_error);
  EXPECT_TRUE(query.edns);  // so the error is answered with an OPT
  EXPECT_EQ(query.question_end, 12 + kQuestion.size());
}

TEST(DnsQuery, OptBelongsToTheRootAndTheAdditionalSection) {
  EXPECT_EQ(ErrorOf(EdnsQuery(Hex("01 61 00 0029 04d0 00 00 0000 0000"))), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(EdnsQuery(Hex("c00c 0029 04d0 00 00 0000 0000"))), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(Header(0, 1, 1, 0, 0) + kQuestion + kOpt), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(Header(0, 1, 0, 1, 0) + kQuestion + kOpt), Reason::dns_format_error);
}

TEST(DnsQuery, Version) {
  const Bytes message = EdnsQuery(Hex("00 0029 04d0 00 01 0000 0000"));
  DnsQuery query;
  EXPECT_EQ(ParseDnsQuery(message, &query), Reason::dns_bad_version);
  EXPECT_TRUE(query.edns);
  EXPECT_EQ(query.payload_limit, 1232);
  EXPECT_EQ(query.question_end, 12 + kQuestion.size());
}

TEST(DnsQuery, TrailingBytes) {
  EXPECT_EQ(ErrorOf(PlainQuery() + Hex("00")), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(EdnsQuery() + kOpt), Reason::dns_format_error);
}

TEST(DnsQuery, CountsBeyondTheMessage) {
  EXPECT_EQ(ErrorOf(Header(0, 1, 0xffff, 0xffff, 0xffff) + kQuestion), Reason::dns_format_error);
  EXPECT_EQ(ErrorOf(EdnsQuery(Hex("00 0029 04d0 00 00 0000 ffff"))), Reason::dns_format_error);
}

Bytes WithOptions(const Bytes& options) {
  return EdnsQuery(Hex("00 0029 1000 00 00 0000") + Bytes{0, static_cast<uint8_t>(options.size())} + options);
}

TEST(DnsQuery, Options) {
  DnsQuery query;
  const Bytes message = WithOptions(Hex("0003 0000  004d 0002 abcd  000a 0010 0102030405060708 1112131415161718"));
  ASSERT_EQ(ParseDnsQuery(message, &query), kSound);
  EXPECT_TRUE(query.nsid);
  EXPECT_EQ(Bytes(query.client_cookie.begin(), query.client_cookie.end()), Hex("0102030405060708"));
  EXPECT_EQ(Bytes(query.server_cookie.begin(), query.server_cookie.end()), Hex("1112131415161718"));
  const Bytes other = WithOptions(Hex("000a 0008 0102030405060708"));
  ASSERT_EQ(ParseDnsQuery(other, &query), kSound);
  EXPECT_FALSE(query.nsid);
  EXPECT_EQ(query.client_cookie.size(), 8u);
  EXPECT_TRUE(query.server_cookie.empty());
}

TEST(DnsQuery, OptionsThatAreUnsound) {
  for (const char* options : {"00", "000300", "0003 0001", "000a 0000", "000a 0007 01020304050607",
                              "000a 000f 0102030405060708 11121314151617"}) {
    EXPECT_EQ(ErrorOf(WithOptions(Hex(options))), Reason::dns_format_error) << options;
  }
  EXPECT_EQ(ErrorOf(WithOptions(Hex("000a 0028") + Bytes(40))), kSound);
  EXPECT_EQ(ErrorOf(WithOptions(Hex("000a 0029") + Bytes(41))), Reason::dns_format_error);
}

}  // namespace
}  // namespace qure
