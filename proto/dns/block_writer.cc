#include "proto/dns/block_writer.h"

#include <array>
#include <bit>
#include <optional>

#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

// Names further into the records are not pointed at: whatever stands before the records, a pointer reaches 16,383.
constexpr size_t kFarthest = 8192;

size_t NameLength(std::string_view rdata) {
  size_t length = 0;
  while (length < rdata.size() && rdata[length] != 0) length += size_t{1} + static_cast<uint8_t>(rdata[length]);
  return length + 1;
}

// Where the names are in the rdata of a type: `count` of them behind `prefix` bytes.
struct Names {
  size_t prefix = 0;
  size_t count = 0;
  bool compressed = true;
};
Names NamesOf(uint16_t type) {
  switch (type) {
    case kDnsTypeNs:
    case kDnsTypePtr:
      return {.prefix = 0, .count = 1};
    case kDnsTypeSoa:
      return {.prefix = 0, .count = 2};
    case kDnsTypeMx:
      return {.prefix = 2, .count = 1};
    case kDnsTypeSrv:
      return {.prefix = 6, .count = 1, .compressed = false};  // RFC 2782; but its target can be pointed at
    default:
      return {};
  }
}

}  // namespace

DnsBlockWriter::DnsBlockWriter(std::string_view known, uint16_t klass) : known_(known), klass_(klass) {}

void DnsBlockWriter::PutPointer(DnsMove::To to, size_t points_to) {
  moves_.emplace_back(to, bytes_.size());
  const auto bytes = std::bit_cast<std::array<uint8_t, 2>>(Be16(static_cast<uint16_t>(kDnsPointer | points_to)));
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void DnsBlockWriter::PutName(std::string_view name, bool compressed) {
  const std::string lower = DnsToLower(name);
  for (size_t at = 0; at < name.size(); at += size_t{1} + static_cast<uint8_t>(name[at])) {
    const std::string_view rest = std::string_view(lower).substr(at);
    if (rest.size() == 1) break;  // a pointer is longer than the root
    if (compressed && DnsIsWithin(known_, rest)) {
      return PutPointer(DnsMove::To::kEndOfName, sizeof(DnsHeader) + known_.size() - rest.size());
    }
    if (const auto written = written_.find(std::string(rest)); compressed && written != written_.end()) {
      return PutPointer(DnsMove::To::kRecords, sizeof(DnsHeader) + known_.size() + kDnsQuestionTail + written->second);
    }
    if (bytes_.size() < kFarthest) written_.try_emplace(std::string(rest), bytes_.size());
    Put(name.substr(at, size_t{1} + static_cast<uint8_t>(name[at])));
  }
  bytes_.push_back(0);
}

void DnsBlockWriter::PutRdata(uint16_t type, std::string_view rdata) {
  const Names names = NamesOf(type);
  Put(rdata.substr(0, names.prefix));
  rdata.remove_prefix(std::min(names.prefix, rdata.size()));
  for (size_t i = 0; i < names.count; ++i) {
    const size_t length = std::min(NameLength(rdata), rdata.size());
    PutName(rdata.substr(0, length), names.compressed);
    rdata.remove_prefix(length);
  }
  Put(rdata);
}

void DnsBlockWriter::Add(std::string_view owner, uint16_t type, uint32_t ttl, std::string_view rdata) {
  if (owner.empty()) {
    PutPointer(DnsMove::To::kName, sizeof(DnsHeader));
  } else {
    PutName(owner, true);
  }
  const auto header = std::bit_cast<std::array<uint8_t, sizeof(DnsRecordHeader)>>(
      DnsRecordHeader{Be16(type), Be16(klass_), Be32(ttl), Be16()});
  bytes_.insert(bytes_.end(), header.begin(), header.end());
  const size_t start = bytes_.size();
  PutRdata(type, rdata);
  const size_t length = bytes_.size() - start;
  bytes_[start - 2] = static_cast<uint8_t>(length >> 8);
  bytes_[start - 1] = static_cast<uint8_t>(length & 0xff);
}

}  // namespace qure
