#include "control/names/lookup.h"

#include <optional>
#include <vector>

#include "control/base/text.h"
#include "proto/dns/answer.h"
#include "proto/dns/ldns.h"
#include "proto/dns/name.h"
#include "proto/dns/response.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

ordered_json Section(const ldns_rr_list* records) {
  ordered_json lines = ordered_json::array();
  for (size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    const LdnsText text(ldns_rr2str(ldns_rr_list_rr(records, i)));
    std::string line = text != nullptr ? text.get() : "";
    while (line.ends_with('\n')) line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

ordered_json LookUp(const DnsAuthority& authority, const std::string& name, const std::string& type,
                    uint64_t unix_now) {
  const std::optional<std::string> wire = DnsNameToWire(name);
  if (!wire) return {{"error", Concat("\"", name, "\" is not a DNS name; write it like www.home.example")}};
  const std::optional<uint16_t> number = DnsTypeOf(type);
  if (!number) return {{"error", Concat("\"", type, "\" is not a record type; use A, AAAA, TXT, SRV or the like")}};

  std::vector<uint8_t> message = WriteDnsQuestion({.name = *wire, .type = *number}, 0);
  const auto length = static_cast<uint16_t>(message.size());
  message.resize(kDnsStreamPayload);
  const DnsClient client = {
      .address = IpAddress(Ipv4Address{{127, 0, 0, 1}}), .time = static_cast<uint32_t>(unix_now), .stream = true};
  const DnsReply reply = AnswerDns(authority, client, message.data(), length, kDnsStreamPayload);

  ldns_pkt* read = nullptr;
  if (ldns_wire2pkt(&read, message.data(), reply.length) != LDNS_STATUS_OK) {
    return {{"error", "the answer cannot be shown"}};
  }
  const LdnsPacket packet(read);
  const LdnsText rcode(ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet.get())));
  return {{"reason", std::string(NameOf(reply.reason))},
          {"rcode", rcode.get()},
          {"answer", Section(ldns_pkt_answer(packet.get()))},
          {"authority", Section(ldns_pkt_authority(packet.get()))},
          {"additional", Section(ldns_pkt_additional(packet.get()))}};
}

}  // namespace qure
