#include "proto/dns/answer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/dns/message.h"
#include "proto/dns/zone_builder.h"
#include "tests/support/dns_reader.h"

namespace qure {
namespace {

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

DnsZoneBuilder Zone(std::string_view apex) {
  DnsZoneBuilder builder(Wire(apex), 1);
  builder.Add({Wire(apex), kDnsTypeSoa, 60, Wire("ns.example") + Wire("host.example") + std::string(20, '\1')});
  builder.Add({Wire(apex), kDnsTypeNs, 60, Wire("ns.example")});
  return builder;
}

std::shared_ptr<const DnsZone> Built(const DnsZoneBuilder& builder) {
  return std::make_shared<const DnsZone>(builder.Build());
}

testing::ReadMessage Ask(const DnsAuthority& authority, std::string_view name, uint16_t type) {
  std::vector<uint8_t> message = {0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  const std::string wire = Wire(name);
  message.insert(message.end(), wire.begin(), wire.end());
  message.insert(message.end(), {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type), 0, kDnsClassIn});
  const auto length = static_cast<uint16_t>(message.size());
  message.resize(kDnsPlainPayload);
  const DnsClient client = {.address = *ParseIp("192.0.2.9")};
  const DnsReply reply = AnswerDns(authority, client, message.data(), length, kDnsPlainPayload);
  message.resize(reply.length);
  const auto read = testing::ReadDns(message);
  EXPECT_TRUE(read) << name;
  return read.value_or(testing::ReadMessage{});
}

// RFC 4035 §3.1.4.1: what a DS says of a zone stands in the one above.
TEST(AnswerDns, ADelegationsSignatureIsTheParents) {
  DnsZoneBuilder parent = Zone("example");
  parent.Add({Wire("child.example"), kDnsTypeNs, 60, Wire("ns.example")});
  parent.Add({Wire("child.example"), kDnsTypeDs, 60, "ds"});
  const DnsAuthority both{.zones = DnsZones({Built(parent), Built(Zone("child.example"))})};
  const auto answer = Ask(both, "child.example", kDnsTypeDs);
  ASSERT_EQ(answer.answers.size(), 1u);
  EXPECT_EQ(answer.answers[0].type, kDnsTypeDs);
  EXPECT_EQ(Ask(both, "child.example", kDnsTypeNs).flags & kDnsFlagAuthoritative, kDnsFlagAuthoritative);

  const DnsAuthority alone{.zones = DnsZones({Built(Zone("child.example"))})};
  const auto nothing = Ask(alone, "child.example", kDnsTypeDs);
  EXPECT_TRUE(nothing.answers.empty());
  ASSERT_EQ(nothing.authorities.size(), 1u);
  EXPECT_EQ(nothing.authorities[0].name, "child.example.");

  const DnsAuthority unrelated{.zones = DnsZones({Built(Zone("example")), Built(Zone("child.example"))})};
  EXPECT_EQ(Ask(unrelated, "child.example", kDnsTypeDs).authorities.at(0).name, "child.example.");
}

}  // namespace
}  // namespace qure
