// DNS queries: everything found lies inside the message, and names that differ in case alone are the same.
#include <algorithm>

#include "proto/dns/message.h"
#include "proto/dns/zone.h"
#include "proto/dns/zone_builder.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

DnsZone MakeZone() {
  const auto wire = [](std::string_view name) { return DnsNameToWire(name).value(); };
  DnsZoneBuilder builder(wire("home.example"), 1);
  builder.Add({wire("home.example"), kDnsTypeSoa, 60, std::string(22, '\0')});
  builder.Add({wire("www.home.example"), kDnsTypeA, 60, "\xc6\x33\x64\x32"});
  builder.Add({wire("deep.ent.home.example"), kDnsTypeTxt, 60, "\2hi"});
  return builder.Build();
}

constexpr bool IsLetter(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A question name as ParseDnsQuery promises it: labels of at most 63 bytes up to the root.
void CheckName(ConstBytes name) {
  FUZZ_CHECK(!name.empty() && name.size() <= kDnsMaxName);
  size_t offset = 0;
  while (name[offset] != 0) {
    FUZZ_CHECK(name[offset] <= 63);
    offset += 1u + name[offset];
    FUZZ_CHECK(offset < name.size());
  }
  FUZZ_CHECK(offset + 1 == name.size());
}

void CheckLookup(const DnsQuery& query) {
  static const DnsZone zone = MakeZone();
  std::vector<uint8_t> other_case = fuzz::Copy(query.name);
  for (uint8_t& c : other_case) {
    if (IsLetter(c)) c ^= 0x20;
  }
  const DnsNameView name(query.name.data(), query.name.size());
  const DnsNameBuffer again(other_case);
  FUZZ_CHECK(name == again.view());
  FUZZ_CHECK(name.Hash(3) == again.view().Hash(3));
  const std::string lower = DnsToLower(query.name);
  FUZZ_CHECK(name == DnsNameBuffer(lower).view());
  if (DnsIsWithin(lower, zone.apex())) FUZZ_CHECK(zone.Lookup(name, query.type).records.count() > 0);
  other_case[other_case.size() / 2] ^= 0x80;
  FUZZ_CHECK(!(name == DnsNameBuffer(other_case).view()));

  // Text and back is the same name in lower case.
  const auto wire = DnsNameToWire(DnsNameToText(query.name));
  FUZZ_CHECK(wire.has_value() && wire->size() == query.name.size());
  FUZZ_CHECK(std::equal(wire->begin(), wire->end(), query.name.begin(), [](char known, uint8_t asked) {
    return static_cast<uint8_t>(known) == (IsLetter(asked) ? asked | 0x20 : asked);
  }));
}

void CheckQuestion(ConstBytes message, const DnsQuery& query) {
  if (query.question_end == 0) {
    FUZZ_CHECK(query.name.empty());
    return;
  }
  FUZZ_CHECK(fuzz::Within(query.name, message));
  FUZZ_CHECK(query.name.data() == message.data() + sizeof(DnsHeader));
  FUZZ_CHECK(query.question_end == sizeof(DnsHeader) + query.name.size() + 4);
  FUZZ_CHECK(query.question_end <= message.size());
  CheckName(query.name);
  CheckLookup(query);
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  if (size > UINT16_MAX) return 0;  // longer than any UDP payload
  const ConstBytes message(data, size);
  DnsQuery query;
  const ParseError error = ParseDnsQuery(message, &query);
  FUZZ_CHECK((query.header == nullptr) == (size < sizeof(DnsHeader)));
  FUZZ_CHECK(query.payload_limit >= kDnsPlainPayload && query.payload_limit <= kDnsEdnsPayload);
  FUZZ_CHECK(query.edns || query.payload_limit == kDnsPlainPayload);
  FUZZ_CHECK(!error || *error == Reason::dns_short || *error == Reason::dns_response ||
             *error == Reason::dns_not_implemented || *error == Reason::dns_format_error ||
             *error == Reason::dns_bad_version);
  CheckQuestion(message, query);
  if (error) return 0;

  FUZZ_CHECK(query.question_end != 0);
  // Not a byte may be missing, and none too many.
  DnsQuery other;
  FUZZ_CHECK(ParseDnsQuery(fuzz::Copy(message.first(size - 1)), &other));
  std::vector<uint8_t> longer = fuzz::Copy(message);
  longer.push_back(0);
  FUZZ_CHECK(ParseDnsQuery(longer, &other) == Reason::dns_format_error);
  return 0;
}
