// DNS messages on the wire (RFC 1035) with EDNS0 (RFC 6891), as far as an authoritative UDP responder reads and writes
// them.
#pragma once

#include <cstdint>

#include "proto/bytes.h"
#include "proto/endian.h"

namespace qure {

inline constexpr uint16_t kDnsPort = 53;

inline constexpr uint16_t kDnsTypeA = 1;
inline constexpr uint16_t kDnsTypeNs = 2;
inline constexpr uint16_t kDnsTypeCname = 5;
inline constexpr uint16_t kDnsTypeSoa = 6;
inline constexpr uint16_t kDnsTypePtr = 12;
inline constexpr uint16_t kDnsTypeMx = 15;
inline constexpr uint16_t kDnsTypeTxt = 16;
inline constexpr uint16_t kDnsTypeAaaa = 28;
inline constexpr uint16_t kDnsTypeSrv = 33;
inline constexpr uint16_t kDnsTypeDname = 39;
inline constexpr uint16_t kDnsTypeOpt = 41;
inline constexpr uint16_t kDnsTypeDs = 43;
inline constexpr uint16_t kDnsTypeRrsig = 46;
inline constexpr uint16_t kDnsTypeNsec = 47;
inline constexpr uint16_t kDnsTypeHttps = 65;
inline constexpr uint16_t kDnsTypeAny = 255;
inline constexpr uint16_t kDnsClassIn = 1;
inline constexpr uint16_t kDnsClassAny = 255;
inline constexpr uint16_t kDnsClassChaos = 3;

inline constexpr uint8_t kDnsNoError = 0;
inline constexpr uint8_t kDnsFormErr = 1;
inline constexpr uint8_t kDnsServFail = 2;
inline constexpr uint8_t kDnsNxDomain = 3;
inline constexpr uint8_t kDnsNotImp = 4;
inline constexpr uint8_t kDnsRefused = 5;
inline constexpr uint8_t kDnsBadVers = 16;  // extended: upper bits in the OPT record

inline constexpr uint16_t kDnsFlagResponse = 0x8000;
inline constexpr uint16_t kDnsFlagAuthoritative = 0x0400;
inline constexpr uint16_t kDnsFlagTruncated = 0x0200;
inline constexpr uint16_t kDnsFlagRecursionDesired = 0x0100;
inline constexpr uint16_t kDnsFlagRecursionAvailable = 0x0080;

inline constexpr uint16_t kDnsOptionNsid = 3;     // RFC 5001
inline constexpr uint16_t kDnsOptionCookie = 10;  // RFC 7873

inline constexpr uint16_t kDnsPlainPayload = 512;  // without EDNS (RFC 1035 §4.2.1)
inline constexpr uint16_t kDnsEdnsPayload = 1232;  // the most that we send, and that we announce (DNS flag day 2020)
inline constexpr uint16_t kDnsStreamPayload = 0x4000;  // the most that we send over TCP: all of it pointers can reach

struct DnsHeader {
  Be16 id;
  Be16 flags;
  Be16 question_count;
  Be16 answer_count;
  Be16 authority_count;
  Be16 additional_count;

  uint8_t opcode() const { return static_cast<uint8_t>((flags.value() >> 11) & 0xf); }
};
static_assert(sizeof(DnsHeader) == 12);

// Behind the owner name of every record (RFC 1035 §4.1.3).
struct DnsRecordHeader {
  Be16 type;
  Be16 klass;  // of an OPT record: the payload size that its sender takes (RFC 6891 §6.1.2)
  Be32 ttl;    // of an OPT record: extended RCODE, version, flags (RFC 6891 §6.1.3)
  Be16 rdata_length;
};
static_assert(sizeof(DnsRecordHeader) == 10);

struct DnsQuery {
  const DnsHeader* header = nullptr;
  ConstBytes name;  // question name in wire form as asked, case kept; never compressed
  uint16_t type = 0;
  uint16_t klass = 0;
  uint16_t question_end = 0;  // offset behind the question; 0 when no sound question was found
  bool edns = false;
  bool dnssec_ok = false;                     // the DO bit, to be copied into the answer (RFC 3225 §3)
  bool nsid = false;                          // wants to know which server this is
  ConstBytes client_cookie;                   // 8 bytes; empty: none
  ConstBytes server_cookie;                   // 8 to 32 bytes; empty: none
  uint16_t payload_limit = kDnsPlainPayload;  // what the client takes, within [512, kDnsEdnsPayload]
};

// The question name of a message, uncompressed; empty if there is no sound one.
ConstBytes DnsQuestionName(ConstBytes message);

// Parses a query. Filled as far as it got, so that an error can be answered.
// Silence is due for dns_short and dns_response; dns_not_implemented, dns_format_error (QDCOUNT not 1, names that do
// not end or are compressed, more than one OPT, OPT with an owner other than the root, options that do not fit, cookies
// of a wrong length, trailing bytes) and
// dns_bad_version are to be answered.
// `name_length`: that of a question name that was found to be sound before; 0: not known.
ParseError ParseDnsQuery(ConstBytes message, DnsQuery* out, size_t name_length = 0);

}  // namespace qure
