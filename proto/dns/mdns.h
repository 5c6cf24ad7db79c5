// Multicast DNS messages (RFC 6762 §18) as values: names in wire form with their case kept, rdata without compression.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/bytes.h"

namespace qure {

inline constexpr uint16_t kMdnsPort = 5353;
inline constexpr size_t kMdnsPayload = 1440;  // what we send fits one frame of 1500 bytes over either family

struct MdnsQuestion {
  std::string name;
  uint16_t type = 0;
  bool unicast = false;  // the answer may be unicast (RFC 6762 §5.4)
  friend bool operator==(const MdnsQuestion&, const MdnsQuestion&) = default;
};

struct MdnsRecord {
  std::string name;
  uint16_t type = 0;
  std::string rdata;
  uint32_t ttl = 0;     // seconds; 0: goodbye (RFC 6762 §10.1)
  bool unique = false;  // the cache-flush bit (RFC 6762 §10.2)
  friend bool operator==(const MdnsRecord&, const MdnsRecord&) = default;
};

struct MdnsMessage {
  uint16_t id = 0;
  uint16_t flags = 0;
  std::vector<MdnsQuestion> questions;
  std::vector<MdnsRecord> answers;
  std::vector<MdnsRecord> authority;
  std::vector<MdnsRecord> additional;
};

// Pointers that are followed in all names of a message (RFC 1035 §4.1.4). The longest message of RFC 6762 §17 has fewer
// than 800 records of two names, and each leads to a name that is written once.
inline constexpr size_t kMdnsMostJumps = 4096;

// nullopt if the message is cut off, has a name that is none, or more than kMdnsMostJumps pointers to follow. Questions
// and records of other classes than IN are left out, as is OPT.
std::optional<MdnsMessage> ParseMdns(ConstBytes message);

// Names are compressed.
std::vector<uint8_t> WriteMdns(const MdnsMessage& message);

}  // namespace qure
