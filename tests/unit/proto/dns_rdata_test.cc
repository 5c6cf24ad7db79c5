#include "proto/dns/rdata.h"

#include <gtest/gtest.h>

#include "proto/dns/message.h"

namespace qure::test {
namespace {

TEST(DnsRdata, OfAddresses) {
  const IpAddress v4 = *ParseIp("192.0.2.1");
  const IpAddress v6 = *ParseIp("2001:db8::1");
  EXPECT_EQ(DnsAddressType(v4), kDnsTypeA);
  EXPECT_EQ(DnsAddressType(v6), kDnsTypeAaaa);
  EXPECT_EQ(DnsAddressRdata(v4), std::string("\xc0\0\2\1", 4));
  EXPECT_EQ(DnsAddressOf(DnsAddressRdata(v4)), v4);
  EXPECT_EQ(DnsAddressOf(DnsAddressRdata(v6)), v6);
  for (const size_t size : {0, 3, 5, 15, 17}) EXPECT_EQ(DnsAddressOf(std::string(size, '\1')), std::nullopt) << size;
}

TEST(DnsRdata, Numbers) {
  std::string out = "x";
  AppendNumber(0x1234, 2, &out);
  AppendNumber(0x56789a, 6, &out);
  EXPECT_EQ(out, std::string("x\x12\x34\0\0\0\x56\x78\x9a", 9));
  EXPECT_EQ(NumberIn(std::string_view(out).substr(1, 2)), 0x1234U);
  EXPECT_EQ(NumberIn(std::string_view(out).substr(3)), 0x56789aU);
}

}  // namespace
}  // namespace qure::test
