#include "dataplane/dns_responder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "dataplane/answer.h"
#include "proto/checksum.h"
#include "proto/dns.h"
#include "proto/ip.h"
#include "proto/udp.h"

namespace qure {

namespace {

// Root owner, type OPT, our payload size, extended rcode and version, flags, no options (RFC 6891 §6.1.2).
constexpr uint16_t kOptLength = 11;
constexpr uint16_t kOptDnssecOk = 0x8000;
constexpr uint16_t kOpcodeMask = 0x7800;

// Types that are questions about the server, not records (RFC 6895 §3.1): 128 to 254. ANY is answered.
bool IsMetaType(uint16_t type) {
  return type == kDnsTypeOpt || (type >= 128 && type < kDnsTypeAny);
}

// Appends to a message within a limit.
class Writer {
 public:
  Writer(uint8_t* message, uint16_t at, uint16_t limit) : message_(message), at_(at), limit_(limit) {}

  bool fits(size_t more) const { return at_ + more <= limit_; }
  uint16_t at() const { return at_; }
  void Put(ConstBytes bytes) {
    std::memcpy(message_ + at_, bytes.data(), bytes.size());
    at_ = static_cast<uint16_t>(at_ + bytes.size());
  }

 private:
  uint8_t* message_;
  uint16_t at_;
  const uint16_t limit_;
};

struct Header {
  uint8_t rcode = kDnsNoError;
  bool authoritative = false;
  bool truncated = false;
  uint16_t answers = 0;
  uint16_t authorities = 0;
  uint16_t additional = 0;
};

// Header and OPT around what stands between: `writer` is behind the last record.
DnsReply Finish(Reason reason, const DnsQuery& query, const Header& fields, uint8_t* message, Writer writer) {
  auto* header = reinterpret_cast<DnsHeader*>(message);
  if (query.edns) {
    const uint8_t opt[kOptLength] = {0,
                                     0,
                                     kDnsTypeOpt,
                                     kDnsEdnsPayload >> 8,
                                     kDnsEdnsPayload & 0xff,
                                     static_cast<uint8_t>(fields.rcode >> 4),
                                     0,  // extended rcode, version 0
                                     static_cast<uint8_t>((query.dnssec_ok ? kOptDnssecOk : 0) >> 8),
                                     0,  // RFC 3225 §3
                                     0,
                                     0};
    writer.Put(opt);
  }
  uint16_t flags = static_cast<uint16_t>(header->flags.value() & (kOpcodeMask | kDnsFlagRecursionDesired));
  flags |= kDnsFlagResponse | (fields.rcode & 0x0f);
  if (fields.authoritative) flags |= kDnsFlagAuthoritative;
  if (fields.truncated) flags |= kDnsFlagTruncated;
  header->flags = Be16(flags);
  header->question_count = Be16(query.question_end != 0 ? 1 : 0);
  header->answer_count = Be16(fields.answers);
  header->authority_count = Be16(fields.authorities);
  header->additional_count = Be16(static_cast<uint16_t>(fields.additional + (query.edns ? 1 : 0)));
  return {reason, writer.at()};
}

DnsReply AnswerError(Reason reason, const DnsQuery& query, uint8_t* message, Writer writer) {
  Header header;
  header.rcode = reason == Reason::dns_format_error      ? kDnsFormErr
                 : reason == Reason::dns_not_implemented ? kDnsNotImp
                 : reason == Reason::dns_bad_version     ? kDnsBadVers
                                                         : kDnsRefused;
  return Finish(reason, query, header, message, writer);
}

// The records of an answer, one name after the other along the aliases.
class Composer {
 public:
  Composer(const DnsZones& zones, uint8_t* message, uint16_t start, uint16_t limit)
      : zones_(zones), message_(message), at_(start), limit_(limit) {}

  // Follows `place`, the question name. False if the records do not fit.
  bool Compose(DnsPlace place, uint16_t type) {
    for (size_t step = 0; step < kMostAliases; ++step) {
      const DnsNameView name = NameAt(place);
      const DnsZone* const zone = zones_.Find(name);
      if (zone == nullptr || WasAt(name, step)) return true;
      places_[step] = place;
      const DnsZone::Found found = zone->Lookup(name, type);
      outcome_ = found.outcome;
      if (outcome_ != DnsZone::Outcome::kAlias) return Put(found, place);
      const uint16_t at = at_;
      if (!Put(found, place)) return false;
      place = {.at = static_cast<uint16_t>(at + kRecordHead), .length = static_cast<uint16_t>(at_ - at - kRecordHead)};
    }
    return true;
  }

  uint16_t at() const { return at_; }
  const Header& header() const { return header_; }
  // Of the last name that is ours; none if there is none.
  std::optional<DnsZone::Outcome> outcome() const { return outcome_; }

 private:
  static constexpr uint16_t kRecordHead = sizeof(Be16) + sizeof(DnsRecordHeader);
  static constexpr size_t kMostAliases = 8;

  DnsNameView NameAt(DnsPlace place) const { return {message_ + place.at, place.length}; }
  bool WasAt(const DnsNameView& name, size_t steps) const {
    return std::ranges::any_of(std::span(places_).first(steps),
                               [&](const DnsPlace& place) { return NameAt(place) == name; });
  }

  bool Put(const DnsZone::Found& found, DnsPlace place) {
    const DnsRecords& records = found.records;
    if (at_ + records.length() > limit_) return false;
    const bool referral = found.outcome == DnsZone::Outcome::kReferral;
    const bool whole = at_ + records.whole_length() <= limit_;
    if (referral && !whole) return false;  // glue is not optional (RFC 9471 §3.1)
    records.Write(message_, at_, place, whole);
    at_ = static_cast<uint16_t>(at_ + (whole ? records.whole_length() : records.length()));
    if (whole) header_.additional = records.additional();
    const bool answer = found.outcome == DnsZone::Outcome::kAnswer || found.outcome == DnsZone::Outcome::kAlias;
    (answer ? header_.answers : header_.authorities) += records.count();
    header_.authoritative |= !referral;
    if (found.outcome == DnsZone::Outcome::kNxDomain) header_.rcode = kDnsNxDomain;
    return true;
  }

  const DnsZones& zones_;
  uint8_t* message_;
  uint16_t at_;
  const uint16_t limit_;
  Header header_;
  std::optional<DnsZone::Outcome> outcome_;
  std::array<DnsPlace, kMostAliases> places_;  // of the names so far
};

Reason ReasonOf(DnsZone::Outcome outcome) {
  switch (outcome) {
    case DnsZone::Outcome::kReferral:
      return Reason::dns_referral;
    case DnsZone::Outcome::kNoData:
      return Reason::dns_nodata;
    case DnsZone::Outcome::kNxDomain:
      return Reason::dns_nxdomain;
    default:
      return Reason::dns_answer;
  }
}

}  // namespace

DnsReply AnswerDns(const DnsAuthority& authority, uint8_t* message, uint16_t length, uint16_t capacity) {
  DnsQuery query;
  const ParseError error = ParseDnsQuery({message, length}, &query);
  if (error && VerdictOf(*error) != Verdict::kAnswer) return {*error};

  const uint16_t limit = std::min(query.payload_limit, capacity);
  const uint16_t start = query.question_end != 0 ? query.question_end : static_cast<uint16_t>(sizeof(DnsHeader));
  const uint16_t opt = query.edns ? kOptLength : 0;
  Writer writer(message, start, limit);
  if (!writer.fits(opt)) return {Reason::no_room};
  if (error) return AnswerError(*error, query, message, writer);
  if (query.klass != kDnsClassIn || IsMetaType(query.type))
    return AnswerError(Reason::dns_refused, query, message, writer);

  Composer composer(authority.zones, message, start, static_cast<uint16_t>(limit - opt));
  const bool fits = composer.Compose({.length = static_cast<uint16_t>(query.name.size())}, query.type);
  if (!composer.outcome()) return AnswerError(Reason::dns_refused, query, message, writer);
  if (!fits) {
    const bool referral = composer.outcome() == DnsZone::Outcome::kReferral;
    return Finish(Reason::dns_truncated, query, {.authoritative = !referral, .truncated = true}, message, writer);
  }
  return Finish(ReasonOf(*composer.outcome()), query, composer.header(), message,
                Writer(message, composer.at(), limit));
}

namespace {

// Common to both families: silence where a reply could loop, then the answer over the query and the UDP header turned
// around. The checksum is left zero.
DnsReply AnswerUdp(const DnsAuthority& authority, const Parsed& parsed, Frame* frame) {
  auto* udp = reinterpret_cast<UdpHeader*>(frame->data + parsed.transport);
  const uint16_t asker = udp->source_port.value();
  if (asker == kDnsPort || asker == 0) return {Reason::dns_reflection};
  const uint16_t start = static_cast<uint16_t>(parsed.transport + sizeof(UdpHeader));
  const uint16_t capacity = static_cast<uint16_t>(frame->length + frame->tailroom - start);
  const uint16_t length = static_cast<uint16_t>(udp->length.value() - sizeof(UdpHeader));
  DnsReply reply = AnswerDns(authority, frame->data + start, length, capacity);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply;

  std::swap(udp->source_port, udp->destination_port);
  udp->length = Be16(static_cast<uint16_t>(sizeof(UdpHeader) + reply.length));
  udp->checksum = Be16();
  const uint16_t end = static_cast<uint16_t>(start + reply.length);
  frame->tailroom = static_cast<uint16_t>(frame->length + frame->tailroom - end);
  frame->length = end;
  return reply;
}

// A computed checksum of zero is sent as all ones (RFC 768).
Be16 UdpChecksum(Be16 computed) {
  return computed == Be16() ? Be16(0xffff) : computed;
}

}  // namespace

Reason RespondDns4(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<Ipv4Header*>(frame.data + parsed.network);
  auto* udp = reinterpret_cast<UdpHeader*>(frame.data + parsed.transport);
  const ConstBytes query(frame.data + parsed.transport, udp->length.value());
  if (!frame.l4_checksum_good && udp->checksum != Be16() &&  // zero: the sender made none (RFC 768)
      TransportChecksum(ip->source, ip->destination, kProtocolUdp, query) != Be16()) {
    return Reason::udp_checksum;
  }
  const DnsReply reply = AnswerUdp(*snapshot.dns, parsed, &frame);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  ip->total_length = Be16(static_cast<uint16_t>(frame.length - parsed.network));
  ip->time_to_live = kAnswerHops;
  ip->checksum = Be16();
  ip->checksum = InternetChecksum({frame.data + parsed.network, ip->header_length()});
  const ConstBytes segment(frame.data + parsed.transport, udp->length.value());
  udp->checksum = UdpChecksum(TransportChecksum(ip->source, ip->destination, kProtocolUdp, segment));
  return reply.reason;
}

Reason RespondDns6(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<Ipv6Header*>(frame.data + parsed.network);
  auto* udp = reinterpret_cast<UdpHeader*>(frame.data + parsed.transport);
  const ConstBytes query(frame.data + parsed.transport, udp->length.value());
  if (udp->checksum == Be16()) return Reason::udp_checksum;  // not optional over IPv6 (RFC 8200 §8.1)
  if (!frame.l4_checksum_good && TransportChecksum(ip->source, ip->destination, kProtocolUdp, query) != Be16()) {
    return Reason::udp_checksum;
  }
  const DnsReply reply = AnswerUdp(*snapshot.dns, parsed, &frame);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  ip->payload_length = udp->length;
  ip->hop_limit = kAnswerHops;
  const ConstBytes segment(frame.data + parsed.transport, udp->length.value());
  udp->checksum = UdpChecksum(TransportChecksum(ip->source, ip->destination, kProtocolUdp, segment));
  return reply.reason;
}

}  // namespace qure
