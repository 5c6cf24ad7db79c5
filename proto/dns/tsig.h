// Signatures of DNS messages with a shared secret (RFC 8945). Made with libcrypto: ldns 1.8 signs by the system clock
// alone, checks no time, and does not know hmac-sha384.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"

namespace qure {

inline constexpr uint16_t kTsigFudge = 300;  // seconds that two clocks may differ (RFC 8945 §10)
inline constexpr uint16_t kTsigBadSig = 16;  // RFC 8945 §3
inline constexpr uint16_t kTsigBadKey = 17;
inline constexpr uint16_t kTsigBadTime = 18;
inline constexpr uint16_t kTsigBadTrunc = 22;

enum class TsigAlgorithm : uint8_t { kHmacSha256, kHmacSha384, kHmacSha512 };

// A secret that is shared with a DNS server (RFC 8945).
struct TsigKey {
  std::string name;  // wire form, lower case
  TsigAlgorithm algorithm = TsigAlgorithm::kHmacSha256;
  std::string secret;  // its bytes; in no log, answer or error
  friend bool operator==(const TsigKey&, const TsigKey&) = default;
};

// RFC 8945 §6
inline constexpr std::array<std::string_view, 3> kTsigAlgorithmNames = {"hmac-sha256", "hmac-sha384", "hmac-sha512"};
constexpr std::string_view NameOf(TsigAlgorithm algorithm) {
  return kTsigAlgorithmNames[static_cast<size_t>(algorithm)];
}

// Appends the TSIG record, made at `time` (seconds since 1970), to a message that has none. Returns its MAC, which the
// answer is signed with too.
std::string TsigSign(const TsigKey& key, uint64_t time, std::vector<uint8_t>* message);

struct TsigResult {
  enum class Kind : uint8_t {
    kSound,     // made with our key, for our request, and not long ago
    kUnsigned,  // no signature, or an empty one as an error has (RFC 8945 §5.3.2)
    kForeign,   // another key or algorithm
    kForged,    // the MAC is not right
    kStale,     // the MAC is right, the time is not
  };
  Kind kind = Kind::kUnsigned;
  uint16_t error = 0;        // the server's verdict on our signature, kTsigBadSig and so on
  uint64_t server_time = 0;  // seconds since 1970; 0: not given. Proven only with kSound and kStale
};

// Checks the answer to a request whose signature had the MAC `request_mac` (RFC 8945 §5.4).
TsigResult TsigVerify(const TsigKey& key, std::string_view request_mac, uint64_t now, ConstBytes answer);

}  // namespace qure
