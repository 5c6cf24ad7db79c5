// Questions to other servers, and what their answers mean. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/bytes.h"
#include "proto/dns/zone.h"

namespace qure {

struct DnsQuestion {
  std::string name;  // lower-case wire form
  uint16_t type = 0;
  friend auto operator<=>(const DnsQuestion&, const DnsQuestion&) = default;
};

// A query of class IN with RD and an OPT record that offers kDnsEdnsPayload bytes.
std::vector<uint8_t> WriteDnsQuestion(const DnsQuestion& question, uint16_t id);

// What there is to a question.
struct DnsFinding {
  uint8_t rcode = 0;  // NOERROR, NXDOMAIN, or SERVFAIL if no server knew
  std::vector<DnsRecord>
      records;  // aliases from the question name on, then the records; names whole, owners in lower case
  std::optional<DnsRecord> soa;  // if there is no such name or no such record (RFC 2308 §2)
  uint32_t ttl = 0;              // seconds that all of it may be kept
  bool stale = false;            // it is older than that, but no server answers
  friend bool operator==(const DnsFinding&, const DnsFinding&) = default;
};

struct DnsResponse {
  enum class Kind : uint8_t {
    kFinding,
    kForeign,    // not the answer to this question: another one may come
    kTruncated,  // ask again by TCP
    kFailure,    // the server cannot or will not answer; finding.rcode has its reason
  };
  Kind kind = Kind::kForeign;
  bool authoritative = false;
  DnsFinding finding;
};

inline constexpr uint32_t kMostKept = 86'400;  // seconds; RFC 8767 §4 has a week
// What a message answers to `question` asked under `id`. Records that do not belong to the chain from the question name
// are left out: a server that was asked for one name proves nothing about others.
DnsResponse ReadDnsResponse(ConstBytes message, uint16_t id, const DnsQuestion& question);

}  // namespace qure
