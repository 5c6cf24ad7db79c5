#include "proto/dns/answer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "proto/dns/cookie.h"
#include "proto/dns/moves.h"

namespace qure {
namespace {

// Root owner, type OPT, our payload size, extended rcode and version, flags, length of the options (RFC 6891 §6.1.2).
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

// What the OPT record of the answer carries. Made before the answer is written over the query.
class Options {
 public:
  Options(const DnsAuthority& authority, const DnsClient& client, const DnsQuery& query) {
    if (query.nsid && !authority.nsid.empty()) {
      Put(kDnsOptionNsid, {reinterpret_cast<const uint8_t*>(authority.nsid.data()), authority.nsid.size()});
    }
    if (query.client_cookie.empty() || authority.cookie_secrets.empty()) return;
    const auto state =
        CheckDnsCookie(authority.cookie_secrets, query.client_cookie, query.server_cookie, client.address, client.time);
    std::array<uint8_t, kDnsClientCookie + kDnsServerCookie> cookie;
    std::memcpy(cookie.data(), query.client_cookie.data(), kDnsClientCookie);
    client_proven_ = state != DnsCookieState::kForeign;
    if (state == DnsCookieState::kGood) {
      std::memcpy(&cookie[kDnsClientCookie], query.server_cookie.data(), kDnsServerCookie);
    } else {
      const DnsServerCookie fresh =
          MakeDnsCookie(authority.cookie_secrets.front(), query.client_cookie, client.address, client.time);
      std::memcpy(&cookie[kDnsClientCookie], fresh.data(), fresh.size());
    }
    Put(kDnsOptionCookie, cookie);
  }

  ConstBytes bytes() const { return ConstBytes(bytes_).first(size_); }
  bool client_proven() const { return client_proven_; }

 private:
  void Put(uint16_t code, ConstBytes value) {
    const Be16 words[] = {Be16(code), Be16(static_cast<uint16_t>(value.size()))};
    std::memcpy(&bytes_[size_], words, sizeof(words));
    std::memcpy(&bytes_[size_ + sizeof(words)], value.data(), value.size());
    size_ += sizeof(words) + value.size();
  }

  size_t size_ = 0;
  bool client_proven_ = false;
  std::array<uint8_t, 4 + kDnsMaxNsid + 4 + kDnsClientCookie + kDnsServerCookie> bytes_;
};

// What the header of an answer states about its records.
struct Header {
  uint8_t rcode = kDnsNoError;
  bool authoritative = false;
  bool truncated = false;
  uint16_t answers = 0;
  uint16_t authorities = 0;
  uint16_t additional = 0;
};

uint8_t RcodeOf(Reason error) {
  switch (error) {
    case Reason::dns_format_error:
      return kDnsFormErr;
    case Reason::dns_not_implemented:
      return kDnsNotImp;
    case Reason::dns_bad_version:
      return kDnsBadVers;
    case Reason::dns_failure:
      return kDnsServFail;
    default:
      return kDnsRefused;
  }
}

// The records of an answer, one name after the other along the aliases.
class Composer {
 public:
  // `lan`: those who get answers from zones for the LAN only; `client` may be one of them.
  Composer(const DnsZones& zones, const LanHosts& lan, const IpAddress& client, uint8_t* message, uint16_t start,
           uint16_t limit)
      : zones_(zones), lan_(lan), client_(client), message_(message), at_(start), limit_(limit) {}

  // Follows `place`, the question name. False if the records do not fit.
  bool Compose(DnsPlace place, uint16_t type, const DnsLookahead& ahead) {
    for (size_t step = 0; step < kMostAliases; ++step) {
      const DnsNameView name = NameAt(place);
      const bool known = step == 0 && ahead.zone != nullptr && type != kDnsTypeDs;
      const DnsZone* const zone = known ? ahead.zone : Find(name, type);
      if (zone == nullptr || !MaySee(*zone) || WasAt(name, step)) return true;
      places_[step] = place;
      const DnsZone::Found found = zone->Lookup(name, known ? ahead.hash : zone->Hash(name), type);
      outcome_ = found.outcome;
      if (step == 0) subject_ = found.subject;
      if (outcome_ == DnsZone::Outcome::kFailure) return true;
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
  uint64_t subject() const { return subject_; }  // of the question

 private:
  static constexpr uint16_t kRecordHead = sizeof(Be16) + sizeof(DnsRecordHeader);
  static constexpr size_t kMostAliases = 8;

  // The closest zone; for DS at its apex the one above, where delegations are, if it is served and has the name (RFC
  // 4035 §3.1.4.1).
  const DnsZone* Find(const DnsNameView& name, uint16_t type) const {
    const DnsZone* const zone = zones_.Find(name);
    if (type != kDnsTypeDs || zone == nullptr || name.length() != zone->apex().size() || name.is_root()) return zone;
    const DnsZone* const above = zones_.Find(name.parent());
    return above != nullptr && above->Lookup(name, type).outcome != DnsZone::Outcome::kNxDomain ? above : zone;
  }

  bool MaySee(const DnsZone& zone) const { return !zone.lan_only() || lan_.Contain(client_); }

  uint16_t MessageId() const { return reinterpret_cast<const DnsHeader*>(message_)->id.value(); }
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
    if (records.rotates()) records.Rotate(message_, at_, MessageId());
    at_ = static_cast<uint16_t>(at_ + (whole ? records.whole_length() : records.length()));
    if (whole) header_.additional = records.additional();
    const bool answer = found.outcome == DnsZone::Outcome::kAnswer || found.outcome == DnsZone::Outcome::kAlias;
    (answer ? header_.answers : header_.authorities) += records.count();
    header_.authoritative |= !referral;
    if (found.outcome == DnsZone::Outcome::kNxDomain) header_.rcode = kDnsNxDomain;
    return true;
  }

  const DnsZones& zones_;
  const LanHosts& lan_;
  const IpAddress& client_;
  uint8_t* message_;
  uint16_t at_;
  const uint16_t limit_;
  Header header_;
  std::optional<DnsZone::Outcome> outcome_;
  uint64_t subject_ = 0;
  std::array<DnsPlace, kMostAliases> places_;  // of the names so far
};

DnsNameView NameIn(const DnsQuery& query) {
  return {query.name.data(), query.name.size()};
}

uint16_t AddressTypeOf(const IpAddress& address) {
  return address.is_v4() ? kDnsTypeA : kDnsTypeAaaa;
}

// The client's own address as the one record, if it fits; how many records that makes.
uint16_t PutEcho(const IpAddress& client, Writer* writer) {
  const Ipv4Address v4 = client.is_v4() ? client.v4() : Ipv4Address();
  const Ipv6Address v6 = client.is_v4() ? Ipv6Address() : client.v6();
  const ConstBytes address = client.is_v4() ? ConstBytes(v4.bytes) : ConstBytes(v6.bytes);
  const Be16 owner(kDnsPointer | sizeof(DnsHeader));
  const DnsRecordHeader record = {.type = Be16(AddressTypeOf(client)),
                                  .klass = Be16(kDnsClassIn),
                                  .ttl = Be32(0),  // the next one asks from elsewhere
                                  .rdata_length = Be16(static_cast<uint16_t>(address.size()))};
  if (!writer->fits(sizeof(owner) + sizeof(record) + address.size())) return 0;
  writer->Put({reinterpret_cast<const uint8_t*>(&owner), sizeof(owner)});
  writer->Put({reinterpret_cast<const uint8_t*>(&record), sizeof(record)});
  writer->Put(address);
  return 1;
}

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

// One query on its way to the answer that is written over it.
class Answerer {
 public:
  Answerer(const DnsAuthority& authority, const DnsClient& client, const DnsQuery& query, uint8_t* message,
           uint16_t capacity)
      : authority_(authority),
        client_(client),
        query_(query),
        message_(message),
        limit_(std::min(client.stream ? kDnsStreamPayload : query.payload_limit, capacity)),
        start_(query.question_end != 0 ? query.question_end : static_cast<uint16_t>(sizeof(DnsHeader))),
        options_(authority, client, query),
        opt_(static_cast<uint16_t>(query.edns ? kOptLength + options_.bytes().size() : 0)) {}

  bool has_room() const { return start_ + opt_ <= limit_; }

  DnsReply Error(Reason reason) { return Finish(reason, {.rcode = RcodeOf(reason)}, start_); }

  DnsReply Answer(const DnsLookahead& ahead) {
    const bool chaos = query_.klass == kDnsClassChaos;
    if ((!chaos && query_.klass != kDnsClassIn) || IsMetaType(query_.type)) return Error(Reason::dns_refused);
    if (!chaos && IsEcho()) return authority_.lan.IsGateway(client_.address) ? Error(Reason::dns_gateway) : Echo();
    Composer composer(chaos ? authority_.about : authority_.zones, authority_.lan, client_.address, message_, start_,
                      records_limit());
    static constexpr DnsLookahead kNothing;
    const bool fits =
        composer.Compose({.length = static_cast<uint16_t>(query_.name.size())}, query_.type, chaos ? kNothing : ahead);
    if (!composer.outcome()) return chaos ? Error(Reason::dns_refused) : FromOthers();
    if (composer.outcome() == DnsZone::Outcome::kFailure) return Error(Reason::dns_failure);
    if (fits) return Finish(ReasonOf(*composer.outcome()), composer.header(), composer.at(), composer.subject());
    const bool referral = composer.outcome() == DnsZone::Outcome::kReferral;
    const Header header = {.authoritative = composer.header().authoritative || !referral, .truncated = true};
    return Finish(Reason::dns_truncated, header, start_, composer.subject());
  }

  // What another server has answered, TTLs counted down.
  DnsReply FromCache(const DnsCachedAnswer& cached) {
    if (start_ + cached.bytes.size() > records_limit()) {
      return Finish(Reason::dns_truncated, {.truncated = true}, start_);
    }
    Writer writer(message_, start_, limit_);
    writer.Put(cached.bytes);
    const uint32_t age = client_.time - std::min(client_.time, cached.since);
    for (const uint16_t at : cached.ttl_at) {
      uint8_t* const place = message_ + start_ + at;
      Be32 ttl;
      std::memcpy(&ttl, place, sizeof(ttl));
      ttl = Be32(ttl.value() - std::min(ttl.value(), age));
      std::memcpy(place, &ttl, sizeof(ttl));
    }
    const Header header = {.rcode = cached.rcode, .answers = cached.answers, .authorities = cached.authorities};
    return Finish(Reason::dns_cached, header, writer.at(), cached.name.view().Hash(0));
  }

 private:
  uint16_t records_limit() const { return static_cast<uint16_t>(limit_ - opt_); }

  // Other types are the zone's, in which the name has no records.
  bool IsEcho() const {
    return authority_.echo && (query_.type == AddressTypeOf(client_.address) || query_.type == kDnsTypeAny) &&
           NameIn(query_).Matches(authority_.echo->view());
  }

  DnsReply Echo() {
    Writer writer(message_, start_, records_limit());
    const uint16_t answers = PutEcho(client_.address, &writer);
    if (answers == 0) return Finish(Reason::dns_truncated, {.authoritative = true, .truncated = true}, start_);
    return Finish(Reason::dns_answer, {.authoritative = true, .answers = answers}, writer.at());
  }

  // For clients that asked for recursion and may have it (RFC 5358 §4: no others).
  DnsReply FromOthers() {
    const bool desired = (query_.header->flags.value() & kDnsFlagRecursionDesired) != 0;
    if (!desired || authority_.forwarding == nullptr) return Error(Reason::dns_refused);
    if (authority_.recursion.IsGateway(client_.address)) return Error(Reason::dns_gateway);
    if (!MayRecurse()) return Error(Reason::dns_refused);
    const DnsCachedAnswer* const cached = authority_.forwarding->cache.Find(NameIn(query_), query_.type, client_.time);
    return cached != nullptr ? FromCache(*cached) : DnsReply{.reason = Reason::dns_forwarded};
  }

  bool MayRecurse() const { return authority_.forwarding != nullptr && authority_.recursion.Contain(client_.address); }

  // Header and OPT around what stands between; `end` is behind the last record.
  DnsReply Finish(Reason reason, const Header& fields, uint16_t end, uint64_t subject = 0) {
    Writer writer(message_, end, limit_);
    if (query_.edns) PutOpt(fields.rcode, &writer);
    auto* header = reinterpret_cast<DnsHeader*>(message_);
    uint16_t flags = static_cast<uint16_t>(header->flags.value() & (kOpcodeMask | kDnsFlagRecursionDesired));
    flags |= kDnsFlagResponse | (fields.rcode & 0x0f);
    if (fields.authoritative) flags |= kDnsFlagAuthoritative;
    if (fields.truncated) flags |= kDnsFlagTruncated;
    if (MayRecurse()) flags |= kDnsFlagRecursionAvailable;
    header->flags = Be16(flags);
    header->question_count = Be16(query_.question_end != 0 ? 1 : 0);
    header->answer_count = Be16(fields.answers);
    header->authority_count = Be16(fields.authorities);
    header->additional_count = Be16(static_cast<uint16_t>(fields.additional + (query_.edns ? 1 : 0)));
    return {.reason = reason,
            .length = writer.at(),
            .records = start_,
            .opt = opt_,
            .client_proven = options_.client_proven(),
            .subject = subject};
  }

  void PutOpt(uint8_t rcode, Writer* writer) const {
    const ConstBytes options = options_.bytes();
    const uint8_t opt[kOptLength] = {0,
                                     0,
                                     kDnsTypeOpt,
                                     kDnsEdnsPayload >> 8,
                                     kDnsEdnsPayload & 0xff,
                                     static_cast<uint8_t>(rcode >> 4),
                                     0,  // extended rcode, version 0
                                     static_cast<uint8_t>((query_.dnssec_ok ? kOptDnssecOk : 0) >> 8),
                                     0,  // RFC 3225 §3
                                     static_cast<uint8_t>(options.size() >> 8),
                                     static_cast<uint8_t>(options.size() & 0xff)};
    writer->Put(opt);
    if (!options.empty()) writer->Put(options);
  }

  const DnsAuthority& authority_;
  const DnsClient& client_;
  const DnsQuery& query_;
  uint8_t* const message_;
  const uint16_t limit_;
  const uint16_t start_;  // of the records
  const Options options_;
  const uint16_t opt_;  // bytes of the OPT record
};

}  // namespace

DnsReply AnswerDns(const DnsAuthority& authority, const DnsClient& client, uint8_t* message, uint16_t length,
                   uint16_t capacity, const DnsLookahead& ahead) {
  DnsQuery query;
  const ParseError error = ParseDnsQuery({message, length}, &query, ahead.name_length);
  if (error && VerdictOf(*error) != Verdict::kAnswer) return {*error};
  Answerer answerer(authority, client, query, message, capacity);
  if (!answerer.has_room()) return {Reason::no_room};
  return error ? answerer.Error(*error) : answerer.Answer(ahead);
}

DnsReply AnswerDnsFrom(const DnsCachedAnswer& cached, const DnsAuthority& authority, const DnsClient& client,
                       uint8_t* message, uint16_t length, uint16_t capacity) {
  DnsQuery query;
  if (ParseDnsQuery({message, length}, &query)) return {Reason::dns_short};
  Answerer answerer(authority, client, query, message, capacity);
  if (!answerer.has_room()) return {Reason::no_room};
  return answerer.FromCache(cached);
}

DnsAsked QuestionIn(const DnsReply& reply, const uint8_t* message) {
  if (reply.records <= sizeof(DnsHeader)) return {};
  Be16 type;
  const size_t name_end = reply.records - 2 * sizeof(type);  // the type and the class
  std::memcpy(&type, message + name_end, sizeof(type));
  return {.name = {message + sizeof(DnsHeader), name_end - sizeof(DnsHeader)}, .type = type.value()};
}

DnsReply TruncateDns(const DnsReply& reply, uint8_t* message) {
  auto* header = reinterpret_cast<DnsHeader*>(message);
  header->flags = Be16(header->flags.value() | kDnsFlagTruncated);
  header->answer_count = Be16();
  header->authority_count = Be16();
  header->additional_count = Be16(reply.opt != 0 ? 1 : 0);
  std::memmove(message + reply.records, message + reply.length - reply.opt, reply.opt);
  DnsReply truncated = reply;
  truncated.length = static_cast<uint16_t>(reply.records + reply.opt);
  return truncated;
}

}  // namespace qure
