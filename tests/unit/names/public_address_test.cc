#include "control/names/public_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Echo = PublicAddresses::Echo;

const IpAddress kA = *ParseIp("203.0.113.5");
const IpAddress kB = *ParseIp("203.0.113.77");
const IpAddress kV6 = *ParseIp("2001:db8::5");
const Endpoint kServer{.address = *ParseIp("198.51.100.7")};
const Endpoint kServer6{.address = *ParseIp("2001:db8::7")};
const std::string kName = DnsNameToWire("address.localcluster").value();

TEST(PublicAddresses, TheMajorityDecides) {
  PublicAddresses addresses;
  addresses.OnRound({{kServer, kA}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kA));
  EXPECT_EQ(addresses.problem(), "");
  addresses.OnRound({{kServer, kA}, {kServer, kB}, {kServer, kB}, {kServer6, kV6}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kB, kV6));
  EXPECT_THAT(addresses.problem(), HasSubstr("do not agree: 203.0.113.5 (1), 203.0.113.77 (2)"));
}

TEST(PublicAddresses, WithoutAMajorityTheFormerAddressStays) {
  PublicAddresses addresses;
  addresses.OnRound({{kServer, kA}, {kServer, kB}});
  EXPECT_THAT(addresses.addresses(), IsEmpty());
  EXPECT_NE(addresses.problem(), "");
  addresses.OnRound({{kServer, kB}, {kServer, kB}});
  addresses.OnRound({{kServer, kA}, {kServer, kB}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kB));
}

TEST(FieldE14, OneThatLiesAmongSilentOnesDecidesNothing) {
  PublicAddresses addresses;
  addresses.OnRound({{kServer, kB}, {kServer, {}}, {kServer, {}}, {kServer, {}}, {kServer6, kV6}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kV6));
  EXPECT_THAT(addresses.problem(), HasSubstr("only 1 of 4"));
  addresses.OnRound({{kServer, kA}, {kServer, kA}, {kServer, {}}, {kServer, {}}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kV6));
  addresses.OnRound({{kServer, kA}, {kServer, kA}, {kServer, kA}, {kServer, kB}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kA, kV6));
}

TEST(PublicAddresses, SilenceChangesNothing) {
  PublicAddresses addresses;
  addresses.OnRound({{kServer, kA}, {kServer6, kV6}});
  addresses.OnRound({{kServer, kB}, {kServer6, {}}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kB, kV6));
  EXPECT_EQ(addresses.problem(), "");
  addresses.OnRound({{kServer, {}}, {kServer6, {}}});
  EXPECT_THAT(addresses.addresses(), ElementsAre(kB, kV6));
  EXPECT_THAT(addresses.problem(), HasSubstr("no echo server"));
}

// An answer with these addresses.
DnsFinding Told(const std::vector<IpAddress>& addresses) {
  DnsFinding finding;
  for (const IpAddress& address : addresses) {
    finding.records.push_back(
        {.name = kName, .type = DnsAddressType(address), .ttl = 0, .rdata = DnsAddressRdata(address)});
  }
  return finding;
}

TEST(EchoIn, OneAddressThatTheInternetCanHave) {
  EXPECT_EQ(EchoIn(Told({kA}), kServer), kA);
  EXPECT_EQ(EchoIn(Told({kA, kB}), kServer), std::nullopt);
  EXPECT_EQ(EchoIn(Told({}), kServer), std::nullopt);
  for (const char* const unfit : {"127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "255.255.255.255"}) {
    EXPECT_EQ(EchoIn(Told({*ParseIp(unfit)}), kServer), std::nullopt) << unfit;
  }
}

TEST(FieldE3, NoPrivateAddressIsPublic) {
  for (const char* const unfit :
       {"10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "100.127.0.1"}) {
    EXPECT_EQ(EchoIn(Told({*ParseIp(unfit)}), kServer), std::nullopt) << unfit;
  }
  for (const char* const fit : {"11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.1.1", "100.63.0.1", "100.128.0.1"}) {
    EXPECT_EQ(EchoIn(Told({*ParseIp(fit)}), kServer), *ParseIp(fit)) << fit;
  }
  EXPECT_EQ(EchoIn(Told({*ParseIp("fd00::1")}), kServer6), std::nullopt);
}

TEST(EchoIn, OverIpv6TheIpv6Address) {
  EXPECT_EQ(EchoIn(Told({kV6}), kServer6), kV6);
  EXPECT_EQ(EchoIn(Told({kV6}), kServer), std::nullopt);
  for (const char* const unfit : {"::", "::1", "fe80::1", "ff02::1"}) {
    EXPECT_EQ(EchoIn(Told({*ParseIp(unfit)}), kServer6), std::nullopt) << unfit;
  }
}

}  // namespace
}  // namespace qure::test
