#include "proto/dns.h"

#include <algorithm>

namespace qure {
namespace {

constexpr uint8_t kOpcodeQuery = 0;
constexpr size_t kMaxLabel = 63;          // RFC 1035 §2.3.4
constexpr uint8_t kLabelTypeMask = 0xc0;  // RFC 1035 §4.1.4: 00 a label, 11 a pointer
constexpr uint8_t kCompressionPointer = 0xc0;

struct QuestionTail {
  Be16 type;
  Be16 klass;
};
static_assert(sizeof(QuestionTail) == 4);

constexpr uint8_t ToLower(uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c | 0x20) : c;
}

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

ParseError ParseQuestion(ConstBytes message, DnsQuery* out) {
  const size_t name_end = SkipName(message, sizeof(DnsHeader), false);
  if (name_end == 0) return Reason::dns_format_error;
  const auto* tail = HeaderAt<QuestionTail>(message, name_end);
  if (tail == nullptr) return Reason::dns_format_error;
  out->name = message.subspan(sizeof(DnsHeader), name_end - sizeof(DnsHeader));
  out->type = tail->type.value();
  out->klass = tail->klass.value();
  out->question_end = static_cast<uint16_t>(name_end + sizeof(QuestionTail));
  return std::nullopt;
}

// What the records behind the question say together.
struct RecordWalk {
  size_t offset;
  uint8_t edns_version = 0;
};

// An OPT record (RFC 6891 §6.1.2): its class is the payload size, its TTL begins with extended RCODE and version.
ParseError ReadOpt(const DnsRecordHeader& record, bool root_owner, RecordWalk* walk, DnsQuery* out) {
  if (!root_owner || out->edns) return Reason::dns_format_error;  // RFC 6891 §6.1.1
  out->edns = true;
  out->payload_limit = std::clamp(record.klass.value(), kDnsPlainPayload, kDnsEdnsPayload);
  walk->edns_version = static_cast<uint8_t>(record.ttl.value() >> 16);
  out->dnssec_ok = (record.ttl.value() & 0x8000) != 0;  // RFC 3225 §3
  return std::nullopt;
}

// Steps over `count` records of one section. Each takes 11 bytes at least, so the message bounds the loop.
ParseError WalkSection(ConstBytes message, uint16_t count, bool additional, RecordWalk* walk, DnsQuery* out) {
  for (uint16_t i = 0; i < count; ++i) {
    const size_t name_end = SkipName(message, walk->offset, true);
    if (name_end == 0) return Reason::dns_format_error;
    const auto* record = HeaderAt<DnsRecordHeader>(message, name_end);
    if (record == nullptr) return Reason::dns_format_error;
    const size_t rdata = name_end + sizeof(DnsRecordHeader);
    if (record->rdata_length.value() > message.size() - rdata) return Reason::dns_format_error;
    if (record->type.value() == kDnsTypeOpt) {
      if (!additional) return Reason::dns_format_error;  // RFC 6891 §6.1.1
      const bool root_owner = message[walk->offset] == 0;
      if (const ParseError error = ReadOpt(*record, root_owner, walk, out)) return error;
    }
    walk->offset = rdata + record->rdata_length.value();
  }
  return std::nullopt;
}

// Reads one character at `*position`, resolving \. and \DDD (RFC 1035 §5.1); nullopt if the escape is not sound.
std::optional<uint8_t> ReadEscaped(std::string_view text, size_t* position) {
  const char c = text[(*position)++];
  if (c != '\\') return static_cast<uint8_t>(c);
  if (*position == text.size()) return std::nullopt;
  const auto is_digit = [](char d) { return d >= '0' && d <= '9'; };
  if (!is_digit(text[*position])) return static_cast<uint8_t>(text[(*position)++]);
  if (text.size() - *position < 3) return std::nullopt;
  int value = 0;
  for (const char d : text.substr(*position, 3)) {
    if (!is_digit(d)) return std::nullopt;
    value = value * 10 + (d - '0');
  }
  *position += 3;
  if (value > UINT8_MAX) return std::nullopt;
  return static_cast<uint8_t>(value);
}

void AppendEscaped(uint8_t c, std::string* text) {
  if (c == '.' || c == '\\') {
    *text += '\\';
  } else if (c <= ' ' || c > '~') {
    *text += '\\';
    *text += static_cast<char>('0' + c / 100);
    *text += static_cast<char>('0' + c / 10 % 10);
    c = static_cast<uint8_t>('0' + c % 10);
  }
  *text += static_cast<char>(c);
}

}  // namespace

ParseError ParseDnsQuery(ConstBytes message, DnsQuery* out) {
  *out = {};
  const auto* header = HeaderAt<DnsHeader>(message, 0);
  if (header == nullptr) return Reason::dns_short;
  out->header = header;
  if ((header->flags.value() & kDnsFlagResponse) != 0) return Reason::dns_response;
  if (header->opcode() != kOpcodeQuery) return Reason::dns_not_implemented;
  if (header->question_count.value() != 1) return Reason::dns_format_error;  // RFC 9619 §4
  if (const ParseError error = ParseQuestion(message, out)) return error;

  RecordWalk walk{.offset = out->question_end};
  for (const Be16 count : {header->answer_count, header->authority_count}) {
    if (const ParseError error = WalkSection(message, count.value(), false, &walk, out)) return error;
  }
  if (const ParseError error = WalkSection(message, header->additional_count.value(), true, &walk, out)) return error;
  if (walk.offset != message.size()) return Reason::dns_format_error;
  if (walk.edns_version != 0) return Reason::dns_bad_version;  // RFC 6891 §6.1.3
  return std::nullopt;
}

std::optional<std::string> DnsNameToWire(std::string_view text) {
  if (text == ".") return std::string(1, '\0');
  std::string wire;
  for (size_t position = 0; position < text.size();) {
    std::string label;
    while (position < text.size() && text[position] != '.') {
      const std::optional<uint8_t> c = ReadEscaped(text, &position);
      if (!c) return std::nullopt;
      label += static_cast<char>(ToLower(*c));
    }
    if (position < text.size()) ++position;  // the dot
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
    wire += static_cast<char>(label.size());
    wire += label;
  }
  if (wire.empty() || wire.size() + 1 > kDnsMaxName) return std::nullopt;
  wire += '\0';
  return wire;
}

std::string DnsNameToText(ConstBytes wire) {
  std::string text;
  for (size_t offset = 0; offset < wire.size() && wire[offset] != 0;) {
    const size_t length = std::min<size_t>(wire[offset], wire.size() - offset - 1);
    for (const uint8_t c : wire.subspan(offset + 1, length)) AppendEscaped(c, &text);
    text += '.';
    offset += 1 + length;
  }
  return text.empty() ? "." : text;
}

}  // namespace qure
