// What an operator reads and types.
#include "control/core/admission/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <random>
#include <string>

namespace qure::admission::test {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

template <typename T>
T Random(std::mt19937& random) {
  T bytes;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// Computed apart from this code, with Python's hashlib and integers.
TEST(Codes, DerivationDoesNotChange) {
  const PublicKey identity = {1, 2, 3};
  EXPECT_EQ(ToText(FingerprintOf(identity)), "RNVA-8RAV-8BT5-VQSB-FQD0-H4TV-MJ83-E96N-DYKJ-9DQK-3C2C-4NVX-7KY0");
  EXPECT_EQ(CodeOf(FingerprintOf(identity)), "RNVA-8RAV-8BT5");
  EXPECT_EQ(ToText(RecoveryCode{1, 2, 3}), "0410-6000-0000-0000-0000-0000-00GT");
  EXPECT_EQ(ToText(Token{.cluster = {1}, .id = {2}, .secret = {3}}),
            "Q1-0400000000000000000000000000000008000000000000R000000000000000000000004AX2DF8");
  EXPECT_EQ(ToText(RecoverySeed({1, 2, 3}, {9})), "W272-KAMA-JETN-Y959-6CTS-FWXT-K2VM-M9AD-YTGD-JPCJ-VNNQ-1GDX-87EG");
  EXPECT_EQ(ToText(TokenSeed({.secret = {3}}, {4})),
            "A5ZN-5Q2V-9W4E-DBJX-TDB2-SNYT-EVC1-Q8A4-W7NZ-TCPW-PVQ3-FS8A-CA90");
}

TEST(Codes, ACodeIsTypedInManyWays) {
  const Fingerprint fingerprint = {0x00, 0x44, 0x32, 0x14, 0xd1, 0x2a, 0x2a, 0xd6};
  ASSERT_EQ(CodeOf(fingerprint), "0123-456H-58ND");
  for (const char* typed :
       {"0123-456H-58ND", "0123456h58nd", "OI23-456h-58nd", "ol23 456H 58nd", " 0-123-456H58ND\n"}) {
    const auto digits = ParseCode(typed);
    ASSERT_TRUE(digits.ok()) << typed;
    EXPECT_EQ(*digits, "0123456H58ND") << typed;
    EXPECT_TRUE(Matches(*digits, fingerprint)) << typed;
  }
  EXPECT_FALSE(Matches(*ParseCode("0123-456H-58NE"), fingerprint));
}

TEST(Codes, LessThanACodeNamesNobody) {
  const Fingerprint fingerprint{};
  for (const char* typed :
       {"", "0", "0000-0000", "0000-0000-000", "0000-0000-000U", "0000-0000-000!", "0000-0000-000\xff"}) {
    EXPECT_FALSE(ParseCode(typed).ok()) << typed;
  }
  EXPECT_FALSE(Matches("", fingerprint));
  EXPECT_FALSE(Matches("00000000000", fingerprint));
  EXPECT_TRUE(Matches("000000000000", fingerprint));
}

TEST(Codes, AFingerprintIsMatchedAsFarAsItWasTyped) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const auto fingerprint = Random<Fingerprint>(random);
    const std::string text = ToText(fingerprint);
    EXPECT_TRUE(text.starts_with(CodeOf(fingerprint)));
    const auto digits = ParseCode(text);
    ASSERT_TRUE(digits.ok());
    EXPECT_EQ(digits->size(), 52u);
    for (size_t size = 12; size <= 52; ++size) EXPECT_TRUE(Matches(digits->substr(0, size), fingerprint));
    Fingerprint other = fingerprint;
    other.back() ^= 1;
    EXPECT_FALSE(Matches(*digits, other));
    EXPECT_TRUE(Matches(digits->substr(0, 51), other));
    EXPECT_FALSE(ParseCode(text + "0").ok());
  }
}

TEST(RecoveryCodes, AreReadBackAndASlipIsFound) {
  std::mt19937 random(2);
  for (int i = 0; i < 50; ++i) {
    const auto code = Random<RecoveryCode>(random);
    const std::string text = ToText(code);
    ASSERT_EQ(text.size(), 28u + 6);
    EXPECT_EQ(*ParseRecoveryCode(text), code);
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '-') continue;
      for (const char digit : kAlphabet) {
        std::string wrong = text;
        wrong[at] = digit;
        EXPECT_EQ(ParseRecoveryCode(wrong).ok(), digit == text[at]) << text << " " << wrong;
      }
    }
    std::string digits = *ParseCode(text);
    for (size_t at = 0; at + 1 < 26; ++at) {
      std::swap(digits[at], digits[at + 1]);
      EXPECT_EQ(ParseRecoveryCode(digits).ok(), digits[at] == digits[at + 1]) << text << " " << digits;
      std::swap(digits[at], digits[at + 1]);
    }
    EXPECT_FALSE(ParseRecoveryCode(digits.substr(1)).ok());
    EXPECT_FALSE(ParseRecoveryCode(digits + "0").ok());
  }
}

// 26 digits are 130 bits: one code has one spelling.
TEST(RecoveryCodes, TheTwoBitsTooManyAreZero) {
  int accepted = 0;
  std::string digits(26, '0');
  for (const char last : kAlphabet) {
    digits.back() = last;
    for (const char first_check : kAlphabet) {
      for (const char second_check : kAlphabet) {
        accepted += ParseRecoveryCode(digits + first_check + second_check).ok() ? 1 : 0;
      }
    }
  }
  EXPECT_EQ(accepted, 8);
}

TEST(RecoveryCodes, TheSeedIsOfOneCodeAndOneCluster) {
  EXPECT_NE(RecoverySeed({1}, {1}), RecoverySeed({2}, {1}));
  EXPECT_NE(RecoverySeed({1}, {1}), RecoverySeed({1}, {2}));
}

TEST(Tokens, AreReadBackAndASlipIsFound) {
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) {
    const Token token{.cluster = Random<std::array<uint8_t, 20>>(random),
                      .id = Random<std::array<uint8_t, 8>>(random),
                      .secret = Random<std::array<uint8_t, 16>>(random)};
    const std::string text = ToText(token);
    ASSERT_EQ(text.size(), 3 + kTokenDigits);
    EXPECT_EQ(*ParseToken(text), token);
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_EQ(*ParseToken(lower + "\n"), token);
    for (size_t at = 3; at < text.size(); ++at) {
      for (const char digit : kAlphabet) {
        std::string wrong = text;
        wrong[at] = digit;
        EXPECT_EQ(ParseToken(wrong).ok(), digit == text[at]) << wrong;
      }
      EXPECT_FALSE(ParseToken(text.substr(0, at)).ok());
    }
    EXPECT_FALSE(ParseToken(text.substr(3)).ok());
    EXPECT_FALSE(ParseToken("Q2" + text.substr(2)).ok());
    EXPECT_FALSE(ParseToken(text + "0").ok());
  }
}

TEST(Tokens, TheSeedIsOfOneSecretAndOneCluster) {
  EXPECT_NE(TokenSeed({.secret = {1}}, {1}), TokenSeed({.secret = {2}}, {1}));
  EXPECT_NE(TokenSeed({.secret = {1}}, {1}), TokenSeed({.secret = {1}}, {2}));
}

}  // namespace
}  // namespace qure::admission::test
