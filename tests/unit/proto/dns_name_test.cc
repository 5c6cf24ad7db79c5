// Names between text and wire form.
#include <gtest/gtest.h>

#include <random>

#include "proto/dns/name.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

using namespace std::string_literals;

std::string TextOf(const std::string& wire) {
  return DnsNameToText({reinterpret_cast<const uint8_t*>(wire.data()), wire.size()});
}

TEST(DnsName, TextToWire) {
  EXPECT_EQ(DnsNameToWire("www.home.example"), "\3www\4home\7example\0"s);
  EXPECT_EQ(DnsNameToWire("www.home.example."), "\3www\4home\7example\0"s);
  EXPECT_EQ(DnsNameToWire("WwW.Home.EXAMPLE"), "\3www\4home\7example\0"s);
  EXPECT_EQ(DnsNameToWire("_sip._udp.x"), "\4_sip\4_udp\1x\0"s);
  EXPECT_EQ(DnsNameToWire("."), "\0"s);
}

TEST(DnsName, Escapes) {
  EXPECT_EQ(DnsNameToWire("a\\.b.c"), "\3a.b\1c\0"s);
  EXPECT_EQ(DnsNameToWire("a\\\\b"), "\3a\\b\0"s);
  EXPECT_EQ(DnsNameToWire("a\\000b"), "\3a\0b\0"s);
  EXPECT_EQ(DnsNameToWire("\\065\\255"), "\2a\xff\0"s);  // case does not depend on the notation
  EXPECT_EQ(DnsNameToWire("\\@"), "\1@\0"s);
  EXPECT_EQ(DnsNameToWire("\\046"), "\1.\0"s);
}

TEST(DnsName, Refused) {
  for (const char* text : {"", "..", ".a", "a..b", "a.b..", "a\\", "a\\1", "a\\12", "a\\256", "a\\1x2", "a\\25"}) {
    EXPECT_FALSE(DnsNameToWire(text)) << text;
  }
}

TEST(DnsName, Limits) {
  const std::string label63(63, 'a');
  EXPECT_TRUE(DnsNameToWire(label63));
  EXPECT_FALSE(DnsNameToWire(label63 + "a"));
  const std::string longest = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
  ASSERT_TRUE(DnsNameToWire(longest));
  EXPECT_EQ(DnsNameToWire(longest)->size(), kDnsMaxName);
  EXPECT_TRUE(DnsNameToWire(longest + "."));
  EXPECT_FALSE(DnsNameToWire(longest + "b"));
}

TEST(DnsName, WireToText) {
  EXPECT_EQ(TextOf("\3www\4home\7example\0"s), "www.home.example.");
  EXPECT_EQ(TextOf("\3wWw\1x\0"s), "wWw.x.");
  EXPECT_EQ(TextOf("\0"s), ".");
  EXPECT_EQ(TextOf("\3a.b\2\\c\0"s), "a\\.b.\\\\c.");
  EXPECT_EQ(TextOf("\4\0 \x7f\xff\0"s), "\\000\\032\\127\\255.");
}

TEST(DnsName, UnsoundWireIsReadWithinItsBounds) {
  EXPECT_EQ(TextOf("\3ww"s), "ww.");
  EXPECT_EQ(TextOf(""s), ".");
  EXPECT_EQ(TextOf("\377ab"s), "ab.");
}

TEST(DnsName, RoundTripOfRandomNames) {
  std::mt19937 random(6);
  for (int i = 0; i < 2000; ++i) {
    std::string wire;
    while (wire.size() < random() % 180) {
      const size_t length = 1 + random() % 63;
      wire += static_cast<char>(length);
      for (size_t j = 0; j < length; ++j) {
        const auto c = static_cast<char>(random());
        wire += c >= 'A' && c <= 'Z' ? 'x' : c;
      }
    }
    wire += '\0';
    if (wire.size() > kDnsMaxName) continue;
    EXPECT_EQ(DnsNameToWire(TextOf(wire)), wire);
  }
}

}  // namespace
}  // namespace qure
