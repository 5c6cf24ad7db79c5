// What an operator reads, types and carries: fingerprints and their codes, the recovery code, tokens. Crockford's
// base32 (https://www.crockford.com/base32.html): 0-9 and the letters but I, L, O, U; as typed, case, dashes and blanks
// do not matter, o is 0, i and l are 1.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/core/admission/signing.h"
#include "control/core/cluster/identity.h"

namespace qure::admission {

Fingerprint FingerprintOf(const PublicKey& identity);

// All 52 digits in groups of four. Its beginning, three groups, is the code: 60 bits, too many to find another identity
// that has them.
std::string ToText(const Fingerprint& fingerprint);
std::string CodeOf(const Fingerprint& fingerprint);
inline constexpr size_t kCodeDigits = 12;
// All 52 without dashes, as ParseCode returns them.
std::string DigitsOf(const Fingerprint& fingerprint);

// A code, a fingerprint, or as much of one as the operator typed, in digits without dashes. Less than a code is
// refused.
absl::StatusOr<std::string> ParseCode(std::string_view typed);
// Whether the fingerprint begins with what ParseCode returned.
bool Matches(std::string_view digits, const Fingerprint& fingerprint);

// All digits of a fingerprint.
absl::StatusOr<Fingerprint> ParseFingerprint(std::string_view typed);

// 128 random bits that are on the operator's paper alone: 26 digits, then two that find a slip.
using RecoveryCode = std::array<uint8_t, 16>;
std::string ToText(const RecoveryCode& code);
absl::StatusOr<RecoveryCode> ParseRecoveryCode(std::string_view typed);
// Of the key that signs the rosters of this cluster.
Seed RecoverySeed(const RecoveryCode& code, const ClusterId& cluster);

using TokenId = std::array<uint8_t, 8>;  // zero: none
using TokenSecret = std::array<uint8_t, 16>;

// Lets a bare node that carries it choose this cluster, and be admitted. The cluster keeps only the public key.
struct Token {
  std::array<uint8_t, 20> cluster{};  // how the cluster's fingerprint begins
  TokenId id{};
  TokenSecret secret{};
  friend bool operator==(const Token&, const Token&) = default;
};
Token MakeToken(const Fingerprint& cluster, const TokenId& id, const TokenSecret& secret);
inline constexpr size_t kTokenDigits = 77;  // after "Q1-"; the last 32 bits are a check
std::string ToText(const Token& token);
absl::StatusOr<Token> ParseToken(std::string_view typed);
bool LooksLikeToken(std::string_view typed);
// Of its public part, by which it is closed: 16 hexadecimal digits.
std::string ToText(const TokenId& id);
std::optional<TokenId> ParseTokenId(std::string_view typed);
// Of the key by which a candidate shows that it holds the token; `cluster` is the whole fingerprint.
Seed TokenSeed(const Token& token, const Fingerprint& cluster);

}  // namespace qure::admission
