// Reads DNS messages as a resolver would: by its own rules, not by those of the code under test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"
#include "proto/dns/zone.h"

namespace qure::testing {

struct ReadRecord {
  std::string name;  // text, final dot, case kept
  uint16_t type = 0;
  uint32_t ttl = 0;
  std::string rdata;  // names within it as text, between blanks
  friend bool operator==(const ReadRecord&, const ReadRecord&) = default;
  friend auto operator<=>(const ReadRecord&, const ReadRecord&) = default;
};

struct ReadMessage {
  uint16_t flags = 0;
  std::string question;
  std::vector<ReadRecord> answers;
  std::vector<ReadRecord> authorities;
  std::vector<ReadRecord> additional;
};

// nullopt unless all is sound, pointers point back, and nothing is left over.
std::optional<ReadMessage> ReadDns(ConstBytes message);

// What a zone answers to a question, as it stands in a message behind it.
struct ZoneAnswer {
  DnsZone::Outcome outcome;
  std::vector<ReadRecord> records;
  std::vector<ReadRecord> additional;
  size_t length = 0;  // of `records`, in the message
};
// `name` in wire form. nullopt if the message cannot be read.
std::optional<ZoneAnswer> AskZone(const DnsZone& zone, std::string_view name, uint16_t type);

}  // namespace qure::testing
