#include "proto/dns/response.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "proto/dns/ldns.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

constexpr size_t kMostAliases = 16;
constexpr size_t kSoaTimes = 20;  // bytes; the last four are the TTL of negative answers

void Append(const void* bytes, size_t size, std::vector<uint8_t>* out) {
  const auto* first = static_cast<const uint8_t*>(bytes);
  out->insert(out->end(), first, first + size);
}

// With its highest bit set it counts as none (RFC 2181 §8).
uint32_t TtlOf(const ldns_rr* rr) {
  const uint32_t ttl = ldns_rr_ttl(rr);
  return ttl > INT32_MAX ? 0 : std::min(ttl, kMostKept);
}

// ldns takes a record without rdata as one of an UPDATE (RFC 2136 §2.4), whatever its type.
bool IsWhole(const ldns_rr* rr) {
  const ldns_rr_descriptor* const form = ldns_rr_descript(static_cast<uint16_t>(ldns_rr_get_type(rr)));
  return ldns_rr_rd_count(rr) >= ldns_rr_descriptor_minimum(form);
}

// The whole record, names uncompressed; nothing if it is not of class IN or is not sound.
std::optional<DnsRecord> RecordOf(const ldns_rr* rr) {
  if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN || !IsWhole(rr)) return std::nullopt;
  uint8_t* raw = nullptr;
  size_t size = 0;
  if (ldns_rr2wire(&raw, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK) return std::nullopt;
  const LdnsBytes owned(raw);
  const std::string_view wire(reinterpret_cast<const char*>(raw), size);
  size_t name = 0;
  while (name < size && wire[name] != 0) name += size_t{1} + static_cast<uint8_t>(wire[name]);
  const size_t rdata = name + 1 + sizeof(DnsRecordHeader);
  if (rdata > size) return std::nullopt;
  return DnsRecord{.name = DnsToLower({raw, name + 1}),
                   .type = static_cast<uint16_t>(ldns_rr_get_type(rr)),
                   .ttl = TtlOf(rr),
                   .rdata = std::string(wire.substr(rdata))};
}

std::vector<DnsRecord> RecordsOf(const ldns_rr_list* list) {
  std::vector<DnsRecord> records;
  for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    if (std::optional<DnsRecord> record = RecordOf(ldns_rr_list_rr(list, i))) records.push_back(*std::move(record));
  }
  return records;
}

bool Matches(const ldns_pkt& packet, uint16_t id, const DnsQuestion& question) {
  if (!ldns_pkt_qr(&packet) || ldns_pkt_id(&packet) != id || ldns_pkt_get_opcode(&packet) != LDNS_PACKET_QUERY) {
    return false;
  }
  const ldns_rr_list* const asked = ldns_pkt_question(&packet);
  if (ldns_rr_list_rr_count(asked) != 1) return false;
  const ldns_rr* const rr = ldns_rr_list_rr(asked, 0);
  const ldns_rdf* const owner = ldns_rr_owner(rr);
  return ldns_rr_get_type(rr) == question.type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
         DnsToLower({ldns_rdf_data(owner), ldns_rdf_size(owner)}) == question.name;
}

// Puts the records that follow from the question into `out`, aliases first, and the SOA of the name at the end of them.
// False if the aliases do not end.
bool FollowChain(const std::vector<DnsRecord>& records, const std::vector<DnsRecord>& authority,
                 const DnsQuestion& question, DnsFinding* out) {
  std::string name = question.name;
  for (size_t step = 0;; ++step) {
    const auto is_alias = [&](const DnsRecord& r) { return r.name == name && r.type == kDnsTypeCname; };
    const auto alias = std::ranges::find_if(records, is_alias);
    if (alias == records.end() || question.type == kDnsTypeCname) break;
    if (step == kMostAliases) return false;
    out->records.push_back(*alias);
    name = DnsToLower(alias->rdata);
  }
  for (const DnsRecord& record : records) {
    if (record.name == name && (record.type == question.type || question.type == kDnsTypeAny)) {
      out->records.push_back(record);
    }
  }
  for (const DnsRecord& record : authority) {
    if (record.type == kDnsTypeSoa && DnsIsWithin(name, record.name)) out->soa = record;
  }
  return true;
}

void SetTtl(const DnsQuestion& question, DnsFinding* out) {
  const auto answers = [&](const DnsRecord& record) {
    return record.type == question.type || question.type == kDnsTypeAny;
  };
  uint32_t ttl = kMostKept;
  for (const DnsRecord& record : out->records) ttl = std::min(ttl, record.ttl);
  if (std::ranges::any_of(out->records, answers) && out->rcode == kDnsNoError) {
    out->soa.reset();
  } else if (out->soa && out->soa->rdata.size() >= kSoaTimes) {
    ttl = std::min({ttl, out->soa->ttl,
                    static_cast<uint32_t>(NumberIn(
                        std::string_view(out->soa->rdata).substr(out->soa->rdata.size() - 4)))});  // RFC 2308 §5
  } else {
    ttl = 0;
  }
  out->ttl = ttl;
}

}  // namespace

std::vector<uint8_t> WriteDnsQuestion(const DnsQuestion& question, uint16_t id) {
  const DnsHeader header = {
      .id = Be16(id), .flags = Be16(kDnsFlagRecursionDesired), .question_count = Be16(1), .additional_count = Be16(1)};
  const Be16 tail[] = {Be16(question.type), Be16(kDnsClassIn)};
  const DnsRecordHeader opt = {.type = Be16(kDnsTypeOpt), .klass = Be16(kDnsEdnsPayload)};
  std::vector<uint8_t> message;
  Append(&header, sizeof(header), &message);
  Append(question.name.data(), question.name.size(), &message);
  Append(tail, sizeof(tail), &message);
  message.push_back(0);  // the root owns the OPT record
  Append(&opt, sizeof(opt), &message);
  return message;
}

DnsResponse ReadDnsResponse(ConstBytes message, uint16_t id, const DnsQuestion& question) {
  ldns_pkt* read = nullptr;
  if (ldns_wire2pkt(&read, message.data(), message.size()) != LDNS_STATUS_OK) return {};
  const LdnsPacket packet(read);
  if (!Matches(*packet, id, question)) return {};
  if (ldns_pkt_tc(packet.get())) return {.kind = DnsResponse::Kind::kTruncated, .finding = {}};
  DnsResponse response{.kind = DnsResponse::Kind::kFinding, .authoritative = ldns_pkt_aa(packet.get()), .finding = {}};
  response.finding.rcode = static_cast<uint8_t>(ldns_pkt_get_rcode(packet.get()));
  if (response.finding.rcode != kDnsNoError && response.finding.rcode != kDnsNxDomain) {
    response.kind = DnsResponse::Kind::kFailure;
    return response;
  }
  if (!FollowChain(RecordsOf(ldns_pkt_answer(packet.get())), RecordsOf(ldns_pkt_authority(packet.get())), question,
                   &response.finding)) {
    response.kind = DnsResponse::Kind::kFailure;
    response.finding = {.rcode = kDnsServFail};
    return response;
  }
  SetTtl(question, &response.finding);
  return response;
}

}  // namespace qure
