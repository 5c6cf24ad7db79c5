#include "proto/dns/cookie.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

IpAddress Ip(std::string_view text) {
  return ParseIp(text).value();
}
DnsCookieSecret Secret(std::string_view hex) {
  const Bytes bytes = Hex(hex);
  DnsCookieSecret secret{};
  std::copy(bytes.begin(), bytes.end(), secret.begin());
  return secret;
}
Bytes ToBytes(const DnsServerCookie& cookie) {
  return {cookie.begin(), cookie.end()};
}

const DnsCookieSecret kSecret = Secret("e5e973e5a6b2a43f48e7dc849e37bfcf");
const DnsCookieSecret kOldSecret = Secret("dd3bdf9344b678b185a6f5cb60fca715");

// RFC 9018, appendix A.
TEST(DnsCookie, VectorsOfTheRfc) {
  EXPECT_EQ(ToBytes(MakeDnsCookie(kSecret, Hex("2464c4abcf10c957"), Ip("198.51.100.100"), 1559731985)),
            Hex("010000005cf79f111f8130c3eee29480"));
  EXPECT_EQ(ToBytes(MakeDnsCookie(kSecret, Hex("fc93fc62807ddb86"), Ip("203.0.113.203"), 1559734700)),
            Hex("010000005cf7a9acf73a7810aca2381e"));
  // The version 6 client of A.4: first with the old secret.
  EXPECT_EQ(
      ToBytes(MakeDnsCookie(kOldSecret, Hex("22681ab97d52c298"), Ip("2001:db8:220:1:59de:d0f4:8769:82b8"), 1559741817)),
      Hex("010000005cf7c57926556bd0934c72f8"));
  EXPECT_EQ(ToBytes(MakeDnsCookie(Secret("445536bcd2513298075a5d379663c962"), Hex("22681ab97d52c298"),
                                  Ip("2001:db8:220:1:59de:d0f4:8769:82b8"), 1559741961)),
            Hex("010000005cf7c609a6bb79d16625507a"));
}

TEST(DnsCookie, IsGoodForAnHourAndFromTheSameAddress) {
  const Bytes client = Hex("2464c4abcf10c957");
  const IpAddress address = Ip("198.51.100.100");
  constexpr uint32_t kMade = 1559731985;
  const Bytes cookie = ToBytes(MakeDnsCookie(kSecret, client, address, kMade));
  const auto state = [&](uint32_t time) { return CheckDnsCookie({kSecret}, client, cookie, address, time); };
  EXPECT_EQ(state(kMade), DnsCookieState::kGood);
  EXPECT_EQ(state(kMade + 1800), DnsCookieState::kGood);
  EXPECT_EQ(state(kMade + 1801), DnsCookieState::kAging);
  EXPECT_EQ(state(kMade + 3600), DnsCookieState::kAging);
  EXPECT_EQ(state(kMade + 3601), DnsCookieState::kForeign);
  EXPECT_EQ(state(kMade - 300), DnsCookieState::kGood);
  EXPECT_EQ(state(kMade - 301), DnsCookieState::kForeign);
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, cookie, Ip("198.51.100.101"), kMade), DnsCookieState::kForeign);
  EXPECT_EQ(CheckDnsCookie({kSecret}, Hex("2464c4abcf10c958"), cookie, address, kMade), DnsCookieState::kForeign);
  EXPECT_EQ(CheckDnsCookie({}, client, cookie, address, kMade), DnsCookieState::kForeign);
}

TEST(DnsCookie, TheSecretBeforeIsGoodToo) {
  const Bytes client = Hex("2464c4abcf10c957");
  const Bytes cookie = ToBytes(MakeDnsCookie(kOldSecret, client, Ip("2001:db8::1"), 1000));
  EXPECT_EQ(CheckDnsCookie({kSecret, kOldSecret}, client, cookie, Ip("2001:db8::1"), 1001), DnsCookieState::kGood);
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, cookie, Ip("2001:db8::1"), 1001), DnsCookieState::kForeign);
}

TEST(DnsCookie, TimeWraps) {
  const Bytes client = Hex("2464c4abcf10c957");
  const Bytes cookie = ToBytes(MakeDnsCookie(kSecret, client, Ip("2001:db8::1"), 0xffffffff));
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, cookie, Ip("2001:db8::1"), 9), DnsCookieState::kGood);
}

TEST(DnsCookie, OtherLengthsAndVersionsAreForeign) {
  const Bytes client = Hex("2464c4abcf10c957");
  Bytes cookie = ToBytes(MakeDnsCookie(kSecret, client, Ip("2001:db8::1"), 1000));
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, Prefix(cookie, 15), Ip("2001:db8::1"), 1000), DnsCookieState::kForeign);
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, cookie + Bytes{0}, Ip("2001:db8::1"), 1000), DnsCookieState::kForeign);
  cookie[0] = 2;
  EXPECT_EQ(CheckDnsCookie({kSecret}, client, cookie, Ip("2001:db8::1"), 1000), DnsCookieState::kForeign);
}

TEST(DnsCookie, SecretsFollowTheKey) {
  EXPECT_NE(DnsCookieSecretOf(Hex("00")), DnsCookieSecretOf(Hex("01")));
  EXPECT_EQ(DnsCookieSecretOf(Hex("00")), DnsCookieSecretOf(Hex("00")));
}

}  // namespace
}  // namespace qure
