#include "proto/dns/message.h"

#include <algorithm>

#include "proto/dns/cookie.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr uint8_t kOpcodeQuery = 0;
constexpr uint8_t kLabelTypeMask = 0xc0;  // RFC 1035 §4.1.4: 00 a label, 11 a pointer
constexpr uint8_t kCompressionPointer = 0xc0;

struct QuestionTail {
  Be16 type;
  Be16 klass;
};
static_assert(sizeof(QuestionTail) == 4);

// The offset behind the name at `offset`, or 0 if it does not end inside the message, is too long, or is compressed
// although it may not be. A pointer is stepped over, never followed.
size_t SkipName(ConstBytes message, size_t offset, bool may_be_compressed) {
  const size_t start = offset;
  while (offset < message.size()) {
    const uint8_t length = message[offset];
    if (length == 0) return offset + 1 - start <= kDnsMaxName ? offset + 1 : 0;
    if ((length & kLabelTypeMask) == kCompressionPointer) {
      return may_be_compressed && message.size() - offset >= 2 ? offset + 2 : 0;
    }
    if ((length & kLabelTypeMask) != 0) return 0;  // RFC 6891 §5: the other label types are gone
    offset += 1u + length;
    if (offset - start > kDnsMaxName) return 0;
  }
  return 0;
}

ParseError ParseQuestion(ConstBytes message, size_t name_length, DnsQuery* out) {
  const bool known = name_length != 0 && sizeof(DnsHeader) + name_length <= message.size();
  const ConstBytes name = known ? message.subspan(sizeof(DnsHeader), name_length) : DnsQuestionName(message);
  if (name.empty()) return Reason::dns_format_error;
  const size_t name_end = sizeof(DnsHeader) + name.size();
  const auto* tail = HeaderAt<QuestionTail>(message, name_end);
  if (tail == nullptr) return Reason::dns_format_error;
  out->name = name;
  out->type = tail->type.value();
  out->klass = tail->klass.value();
  out->question_end = static_cast<uint16_t>(name_end + sizeof(QuestionTail));
  return std::nullopt;
}

struct OptionHeader {
  Be16 code;
  Be16 length;
};
static_assert(sizeof(OptionHeader) == 4);

// Client cookie, and server cookie if the client has one (RFC 7873 §5.2).
ParseError ReadCookie(ConstBytes option, DnsQuery* out) {
  constexpr size_t kShortestServer = 8;
  constexpr size_t kLongestServer = 32;
  if (!out->client_cookie.empty()) return std::nullopt;  // the first one counts
  const size_t server = option.size() - std::min(option.size(), kDnsClientCookie);
  if (option.size() < kDnsClientCookie || (server != 0 && (server < kShortestServer || server > kLongestServer))) {
    return Reason::dns_format_error;  // RFC 7873 §5.2.2
  }
  out->client_cookie = option.first(kDnsClientCookie);
  out->server_cookie = option.subspan(kDnsClientCookie);
  return std::nullopt;
}

// The options that we know; all others are ignored (RFC 6891 §6.1.2).
ParseError ReadOptions(ConstBytes options, DnsQuery* out) {
  while (!options.empty()) {
    const auto* header = HeaderAt<OptionHeader>(options, 0);
    if (header == nullptr) return Reason::dns_format_error;
    options = options.subspan(sizeof(OptionHeader));
    const size_t length = header->length.value();
    if (length > options.size()) return Reason::dns_format_error;
    if (header->code.value() == kDnsOptionNsid) out->nsid = true;
    if (header->code.value() == kDnsOptionCookie) {
      if (const ParseError error = ReadCookie(options.first(length), out)) return error;
    }
    options = options.subspan(length);
  }
  return std::nullopt;
}

// An OPT record (RFC 6891 §6.1.2): its class is the payload size, its TTL begins with extended RCODE and version.
ParseError ReadOpt(const DnsRecordHeader& record, ConstBytes options, uint8_t* version, DnsQuery* out) {
  if (out->edns) return Reason::dns_format_error;  // RFC 6891 §6.1.1
  out->edns = true;
  out->payload_limit = std::clamp(record.klass.value(), kDnsPlainPayload, kDnsEdnsPayload);
  *version = static_cast<uint8_t>(record.ttl.value() >> 16);
  out->dnssec_ok = (record.ttl.value() & 0x8000) != 0;  // RFC 3225 §3
  return *version == 0 ? ReadOptions(options, out) : std::nullopt;
}

// Steps over all records, up to the end of the message. Each takes 11 bytes at least, so the message bounds the loop.
ParseError WalkRecords(ConstBytes message, DnsQuery* out) {
  const DnsHeader& header = *out->header;
  const uint32_t others = uint32_t{header.answer_count.value()} + header.authority_count.value();
  const uint32_t count = others + header.additional_count.value();
  size_t offset = out->question_end;
  uint8_t edns_version = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const bool root = offset < message.size() && message[offset] == 0;  // mostly: of an OPT record
    const size_t name_end = root ? offset + 1 : SkipName(message, offset, true);
    if (name_end == 0) return Reason::dns_format_error;
    const auto* record = HeaderAt<DnsRecordHeader>(message, name_end);
    if (record == nullptr) return Reason::dns_format_error;
    const size_t rdata = name_end + sizeof(DnsRecordHeader);
    const size_t length = record->rdata_length.value();
    if (length > message.size() - rdata) return Reason::dns_format_error;
    if (record->type.value() == kDnsTypeOpt) {
      if (!root || i < others) return Reason::dns_format_error;  // RFC 6891 §6.1.1, §6.1.2
      if (const ParseError error = ReadOpt(*record, message.subspan(rdata, length), &edns_version, out)) return error;
    }
    offset = rdata + length;
  }
  if (offset != message.size()) return Reason::dns_format_error;
  return edns_version == 0 ? std::nullopt : ParseError(Reason::dns_bad_version);  // RFC 6891 §6.1.3
}

}  // namespace

ConstBytes DnsQuestionName(ConstBytes message) {
  const size_t end = SkipName(message, sizeof(DnsHeader), false);
  return end == 0 ? ConstBytes() : message.subspan(sizeof(DnsHeader), end - sizeof(DnsHeader));
}

ParseError ParseDnsQuery(ConstBytes message, DnsQuery* out, size_t name_length) {
  *out = {};
  const auto* header = HeaderAt<DnsHeader>(message, 0);
  if (header == nullptr) return Reason::dns_short;
  out->header = header;
  if ((header->flags.value() & kDnsFlagResponse) != 0) return Reason::dns_response;
  if (header->opcode() != kOpcodeQuery) return Reason::dns_not_implemented;
  if (header->question_count.value() != 1) return Reason::dns_format_error;  // RFC 9619 §4
  if (const ParseError error = ParseQuestion(message, name_length, out)) return error;
  return WalkRecords(message, out);
}

}  // namespace qure
