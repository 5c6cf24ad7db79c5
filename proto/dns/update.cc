#include "proto/dns/update.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "proto/dns/ldns.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

constexpr size_t kMostTxtString = 255;  // RFC 1035 §3.3
constexpr std::string_view kClusterTag = "cluster=";
constexpr std::string_view kAddressTag = "a=";
// RFC 2136 §2.2
constexpr uint8_t kYxDomain = 6;
constexpr uint8_t kYxRrset = 7;
constexpr uint8_t kNxRrset = 8;

// A record of `rdata` in wire form; without any, as prerequisites and deletions have it (RFC 2136 §2.4, §2.5).
LdnsRecord MakeRr(std::string_view name, uint16_t type, ldns_rr_class rr_class, uint32_t ttl,
                  std::string_view rdata = {}) {
  LdnsRecord rr(ldns_rr_new());
  ldns_rr_set_owner(rr.get(), ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name.size(), name.data()));
  ldns_rr_set_type(rr.get(), static_cast<ldns_rr_type>(type));
  ldns_rr_set_class(rr.get(), rr_class);
  ldns_rr_set_ttl(rr.get(), ttl);
  if (!rdata.empty()) {  // ldns writes data of no known kind as it is
    ldns_rr_push_rdf(rr.get(), ldns_rdf_new_frm_data(LDNS_RDF_TYPE_NONE, rdata.size(), rdata.data()));
  }
  return rr;
}

// Of an UPDATE, with its zone section (RFC 2136 §2.3).
LdnsPacket MakePacket(uint16_t id, std::string_view zone) {
  LdnsPacket packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), id);
  ldns_pkt_set_opcode(packet.get(), LDNS_PACKET_UPDATE);
  LdnsRecord question = MakeRr(zone, kDnsTypeSoa, LDNS_RR_CLASS_IN, 0);
  ldns_rr_set_question(question.get(), true);
  ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question.release());
  return packet;
}

std::vector<uint8_t> WireOf(const ldns_pkt* packet) {
  uint8_t* wire = nullptr;
  size_t size = 0;
  const ldns_status status = ldns_pkt2wire(&wire, packet, &size);
  const LdnsBytes owned(wire);
  if (status != LDNS_STATUS_OK) return {};
  return {wire, wire + size};
}

void Push(const LdnsPacket& packet, ldns_pkt_section section, LdnsRecord rr) {
  ldns_pkt_push_rr(packet.get(), section, rr.release());
}

// RFC 2136 §2.4
void AddPrerequisites(const RegistrationNames& names, const std::optional<std::string>& before,
                      const LdnsPacket& packet) {
  if (before) {
    return Push(packet, LDNS_SECTION_ANSWER, MakeRr(names.owner, kDnsTypeTxt, LDNS_RR_CLASS_IN, 0, *before));
  }
  Push(packet, LDNS_SECTION_ANSWER, MakeRr(names.owner, kDnsTypeTxt, LDNS_RR_CLASS_NONE, 0));
  Push(packet, LDNS_SECTION_ANSWER, MakeRr(names.own, kDnsTypeA, LDNS_RR_CLASS_NONE, 0));
  Push(packet, LDNS_SECTION_ANSWER, MakeRr(names.own, kDnsTypeAaaa, LDNS_RR_CLASS_NONE, 0));
}

}  // namespace

std::string OwnerRdata(const OwnerRecord& owner) {
  std::string text = std::string(kClusterTag) + owner.cluster;
  for (const IpAddress& address : owner.addresses) text.append(";").append(kAddressTag).append(ToString(address));
  std::string rdata;
  for (size_t at = 0; at < text.size(); at += kMostTxtString) {
    const std::string part = text.substr(at, kMostTxtString);
    rdata.push_back(static_cast<char>(part.size()));
    rdata += part;
  }
  return rdata;
}

std::optional<OwnerRecord> ParseOwnerRdata(std::string_view rdata) {
  std::string text;
  while (!rdata.empty()) {
    const auto length = static_cast<uint8_t>(rdata[0]);
    if (length >= rdata.size()) return std::nullopt;
    text += rdata.substr(1, length);
    rdata.remove_prefix(size_t{1} + length);
  }
  OwnerRecord owner;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ';'))) {
    if (part.starts_with(kClusterTag) && owner.cluster.empty()) {
      owner.cluster = part.substr(kClusterTag.size());
    } else if (const auto address = ParseIp(std::string_view(part).substr(std::min(part.size(), kAddressTag.size())));
               part.starts_with(kAddressTag) && address) {
      owner.addresses.push_back(*address);
    } else {
      return std::nullopt;
    }
  }
  if (owner.cluster.empty()) return std::nullopt;
  std::ranges::sort(owner.addresses);
  return owner;
}

std::vector<uint8_t> UpdateMessage(uint16_t id, const RegistrationNames& names, uint32_t ttl,
                                   const RegistrationUpdate& update) {
  // The sections of an UPDATE have places of their own in the message (RFC 2136 §2): zone, prerequisites, updates.
  const LdnsPacket packet = MakePacket(id, names.zone);
  AddPrerequisites(names, update.before, packet);
  const auto change = [&](LdnsRecord rr) { Push(packet, LDNS_SECTION_AUTHORITY, std::move(rr)); };
  for (const uint16_t type : {kDnsTypeA, kDnsTypeAaaa}) change(MakeRr(names.own, type, LDNS_RR_CLASS_ANY, 0));
  change(MakeRr(names.owner, kDnsTypeTxt, LDNS_RR_CLASS_ANY, 0));
  if (update.after) change(MakeRr(names.owner, kDnsTypeTxt, LDNS_RR_CLASS_IN, ttl, *update.after));
  for (const IpAddress& address : update.own) {
    change(MakeRr(names.own, DnsAddressType(address), LDNS_RR_CLASS_IN, ttl, DnsAddressRdata(address)));
  }
  if (names.shared.empty()) return WireOf(packet.get());
  for (const IpAddress& address : update.shared_remove) {
    change(MakeRr(names.shared, DnsAddressType(address), LDNS_RR_CLASS_NONE, 0, DnsAddressRdata(address)));
  }
  for (const IpAddress& address : update.shared_add) {
    change(MakeRr(names.shared, DnsAddressType(address), LDNS_RR_CLASS_IN, ttl, DnsAddressRdata(address)));
  }
  return WireOf(packet.get());
}

bool IsAnswerTo(uint16_t id, ConstBytes answer) {
  const auto* const header = HeaderAt<DnsHeader>(answer, 0);
  return header != nullptr && header->id.value() == id && (header->flags.value() & kDnsFlagResponse) != 0;
}

bool IsCut(ConstBytes answer) {
  const auto* const header = HeaderAt<DnsHeader>(answer, 0);
  return header != nullptr && (header->flags.value() & kDnsFlagTruncated) != 0;
}

uint8_t RcodeOf(ConstBytes answer) {
  const auto* const header = HeaderAt<DnsHeader>(answer, 0);
  return header == nullptr ? kDnsFormErr : static_cast<uint8_t>(header->flags.value() & 0xf);
}

UpdateOutcome OutcomeOf(uint8_t rcode) {
  switch (rcode) {
    case kDnsNoError:
      return UpdateOutcome::kDone;
    case kDnsNxDomain:
    case kYxDomain:
    case kYxRrset:
    case kNxRrset:
      return UpdateOutcome::kOvertaken;
    default:
      return UpdateOutcome::kRefused;
  }
}

}  // namespace qure
