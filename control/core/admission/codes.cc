#include "control/core/admission/codes.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace qure::admission {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr int kBitsOfDigit = 5;
constexpr size_t kGroup = 4;
constexpr size_t kFingerprintDigits = 52;
constexpr size_t kRecoveryDigits = 26;
constexpr size_t kCheckDigits = 2;
constexpr std::string_view kTokenBegins = "Q1-";
constexpr size_t kTokenCheck = 4;

using Check = std::array<uint8_t, kTokenCheck>;

// Most significant bit first; the last digit is filled up with zeros.
std::string ToDigits(ConstBytes bytes) {
  std::string digits;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= kBitsOfDigit;) {
      count -= kBitsOfDigit;
      digits += kDigits[bits >> count & 31];
    }
    bits &= 31;
  }
  if (count > 0) digits += kDigits[bits << (kBitsOfDigit - count) & 31];
  return digits;
}

// The other way; false if the bits that fill up the last digit are not zero. There are digits for all of `out`.
bool FromDigits(std::string_view digits, MutableBytes out) {
  uint32_t bits = 0;
  int count = 0;
  size_t at = 0;
  for (const char digit : digits) {
    bits = bits << kBitsOfDigit | static_cast<uint32_t>(kDigits.find(digit));
    count += kBitsOfDigit;
    if (count >= 8 && at < out.size()) {
      count -= 8;
      out[at++] = static_cast<uint8_t>(bits >> count);
    }
    bits &= (1u << count) - 1;
  }
  return bits == 0;
}

std::string InGroups(std::string_view digits) {
  std::string text;
  for (size_t i = 0; i < digits.size(); i += kGroup) {
    if (i > 0) text += '-';
    text += digits.substr(i, kGroup);
  }
  return text;
}

// What was typed as digits alone. `most` bounds what is looked at, whatever is pasted.
absl::StatusOr<std::string> DigitsOf(std::string_view typed, size_t most) {
  std::string digits;
  for (const char typed_character : typed) {
    char character = absl::ascii_toupper(static_cast<unsigned char>(typed_character));
    if (character == '-' || absl::ascii_isspace(static_cast<unsigned char>(character))) continue;
    if (character == 'O') character = '0';
    if (character == 'I' || character == 'L') character = '1';
    if (kDigits.find(character) == std::string_view::npos) {
      return absl::InvalidArgumentError("a character that is no digit; use 0-9 and letters but U");
    }
    if (digits.size() == most) return absl::InvalidArgumentError(absl::StrCat("more than ", most, " digits"));
    digits += character;
  }
  return digits;
}

absl::StatusOr<std::string> JustDigitsOf(std::string_view typed, size_t count) {
  absl::StatusOr<std::string> digits = DigitsOf(typed, count);
  if (digits.ok() && digits->size() != count) {
    return absl::InvalidArgumentError(absl::StrCat(digits->size(), " digits; there are ", count));
  }
  return digits;
}

// In the manner of ISO/IEC 7064: a remainder by a prime of a sum with growing powers finds every wrong digit, and every
// two neighbors that were exchanged.
std::string CheckDigitsOf(std::string_view digits) {
  constexpr uint32_t kPrime = 1021;  // the greatest that two digits can tell
  constexpr uint32_t kPower = 10;    // a primitive root of it
  uint32_t sum = 0;
  for (const char digit : digits) sum = (sum + static_cast<uint32_t>(kDigits.find(digit))) * kPower % kPrime;
  return {kDigits[sum >> kBitsOfDigit], kDigits[sum & 31]};
}

std::vector<uint8_t> BytesOf(const Token& token) {
  std::vector<uint8_t> bytes(token.cluster.begin(), token.cluster.end());
  bytes.insert(bytes.end(), token.id.begin(), token.id.end());
  bytes.insert(bytes.end(), token.secret.begin(), token.secret.end());
  return bytes;
}

Check CheckOf(const Token& token) {
  const Digest digest = Hash("qure token check 1", {BytesOf(token)});
  Check check;
  std::copy_n(digest.begin(), check.size(), check.begin());
  return check;
}

}  // namespace

Fingerprint FingerprintOf(const PublicKey& identity) {
  return Hash("qure identity 1", {identity});
}

std::string ToText(const Fingerprint& fingerprint) {
  return InGroups(ToDigits(fingerprint));
}

std::string CodeOf(const Fingerprint& fingerprint) {
  return InGroups(ToDigits(fingerprint).substr(0, kCodeDigits));
}

std::string DigitsOf(const Fingerprint& fingerprint) {
  return ToDigits(fingerprint);
}

absl::StatusOr<std::string> ParseCode(std::string_view typed) {
  absl::StatusOr<std::string> digits = DigitsOf(typed, kFingerprintDigits);
  if (digits.ok() && digits->size() < kCodeDigits) {
    return absl::InvalidArgumentError(
        absl::StrCat(digits->size(), " digits; a code has ", kCodeDigits, ", a fingerprint ", kFingerprintDigits));
  }
  return digits;
}

absl::StatusOr<Fingerprint> ParseFingerprint(std::string_view typed) {
  const absl::StatusOr<std::string> digits = DigitsOf(typed, kFingerprintDigits);
  if (!digits.ok()) return digits.status();
  Fingerprint fingerprint{};
  if (digits->size() != kFingerprintDigits || !FromDigits(*digits, fingerprint)) {
    return absl::InvalidArgumentError(absl::StrCat("a fingerprint has ", kFingerprintDigits, " digits"));
  }
  return fingerprint;
}

bool Matches(std::string_view digits, const Fingerprint& fingerprint) {
  return digits.size() >= kCodeDigits && ToDigits(fingerprint).starts_with(digits);
}

std::string ToText(const RecoveryCode& code) {
  const std::string digits = ToDigits(code);
  return InGroups(digits + CheckDigitsOf(digits));
}

absl::StatusOr<RecoveryCode> ParseRecoveryCode(std::string_view typed) {
  const absl::StatusOr<std::string> digits = JustDigitsOf(typed, kRecoveryDigits + kCheckDigits);
  if (!digits.ok()) return digits.status();
  const std::string_view data = std::string_view(*digits).substr(0, kRecoveryDigits);
  RecoveryCode code;
  if (CheckDigitsOf(data) != digits->substr(kRecoveryDigits) || !FromDigits(data, code)) {
    return absl::InvalidArgumentError("a digit is wrong, or two are exchanged; compare with the paper");
  }
  return code;
}

Seed RecoverySeed(const RecoveryCode& code, const ClusterId& cluster) {
  return Hash("qure recovery 1", {code, cluster});
}

std::string ToText(const Token& token) {
  std::vector<uint8_t> bytes = BytesOf(token);
  const Check check = CheckOf(token);
  bytes.insert(bytes.end(), check.begin(), check.end());
  return std::string(kTokenBegins) + ToDigits(bytes);
}

Token MakeToken(const Fingerprint& cluster, const TokenId& id, const TokenSecret& secret) {
  Token token{.id = id, .secret = secret};
  std::copy_n(cluster.begin(), token.cluster.size(), token.cluster.begin());
  return token;
}

std::string ToText(const TokenId& id) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(id.data()), id.size()});
}

std::optional<TokenId> ParseTokenId(std::string_view typed) {
  TokenId id{};
  if (typed.size() != 2 * id.size() || !std::ranges::all_of(typed, absl::ascii_isxdigit)) return std::nullopt;
  std::ranges::copy(absl::HexStringToBytes({typed.data(), typed.size()}), id.begin());
  return id;
}

bool LooksLikeToken(std::string_view typed) {
  return !typed.empty() && absl::ascii_toupper(static_cast<unsigned char>(typed[0])) == kTokenBegins[0] &&
         typed.substr(1, 2) == kTokenBegins.substr(1);
}

absl::StatusOr<Token> ParseToken(std::string_view typed) {
  if (!LooksLikeToken(typed)) return absl::InvalidArgumentError("no token; one begins with Q1-");
  const absl::StatusOr<std::string> digits = JustDigitsOf(typed.substr(kTokenBegins.size()), kTokenDigits);
  if (!digits.ok()) return digits.status();
  std::array<uint8_t, sizeof(Token) + kTokenCheck> bytes;
  const bool whole = FromDigits(*digits, bytes);
  Token token;
  auto at = bytes.begin();
  for (const MutableBytes part : {MutableBytes(token.cluster), MutableBytes(token.id), MutableBytes(token.secret)}) {
    std::copy_n(at, part.size(), part.begin());
    at += static_cast<std::ptrdiff_t>(part.size());
  }
  if (!whole || !std::equal(at, bytes.end(), CheckOf(token).begin())) {
    return absl::InvalidArgumentError("a digit is wrong or missing; copy the token again");
  }
  return token;
}

Seed TokenSeed(const Token& token, const Fingerprint& cluster) {
  return Hash("qure token 1", {token.secret, cluster});
}

}  // namespace qure::admission
