#include "tests/support/dns_reader.h"

#include "proto/dns/message.h"

namespace qure::testing {
namespace {

class Reader {
 public:
  explicit Reader(ConstBytes message) : message_(message) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == message_.size(); }
  size_t at() const { return at_; }
  uint32_t Number(size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | Byte();
    return value;
  }
  std::string Name() {
    std::string text;
    at_ += NameAt(at_, &text);
    return text.empty() ? "." : text;
  }
  std::string Bytes(size_t count) {
    std::string text;
    for (size_t i = 0; i < count && ok_; ++i) text += static_cast<char>(Byte());
    return text;
  }
  ReadRecord Record() {
    ReadRecord record{.name = Name(), .type = static_cast<uint16_t>(Number(2)), .ttl = 0, .rdata = {}};
    Number(2);
    record.ttl = Number(4);
    const size_t length = Number(2);
    const size_t end = at_ + length;
    if (record.type == kDnsTypeMx) record.rdata += Bytes(2);
    if (record.type == kDnsTypeSrv) record.rdata += Bytes(6);
    const bool one = record.type == kDnsTypeNs || record.type == kDnsTypeCname || record.type == kDnsTypePtr ||
                     record.type == kDnsTypeMx || record.type == kDnsTypeSrv;
    const int names = record.type == kDnsTypeSoa ? 2 : one ? 1 : 0;
    for (int i = 0; i < names && ok_; ++i) record.rdata += " " + Name() + " ";
    if (at_ > end) ok_ = false;
    if (ok_) record.rdata += Bytes(end - at_);
    return record;
  }

 private:
  uint8_t Byte() {
    if (at_ >= message_.size()) ok_ = false;
    return ok_ ? message_[at_++] : uint8_t{0};
  }

  // Appends the name at `at` and returns how many bytes it takes there.
  size_t NameAt(size_t at, std::string* text) {
    const size_t start = at;
    while (ok_ && at < message_.size()) {
      const uint8_t length = message_[at];
      if (length == 0) return at + 1 - start;
      if (length >= 0xc0) {
        const size_t to = at + 1 < message_.size() ? (length & 0x3fu) << 8 | message_[at + 1] : message_.size();
        if (to >= start || to < sizeof(DnsHeader)) break;  // back only, so it ends
        NameAt(to, text);
        return at + 2 - start;
      }
      if (length > 63 || at + 1 + length > message_.size()) break;
      text->append(reinterpret_cast<const char*>(&message_[at + 1]), length);
      *text += '.';
      at += 1u + length;
    }
    ok_ = false;
    return 0;
  }

  ConstBytes message_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

std::optional<ReadMessage> ReadDns(ConstBytes message) {
  Reader reader(message);
  ReadMessage read;
  reader.Number(2);
  read.flags = static_cast<uint16_t>(reader.Number(2));
  const uint32_t questions = reader.Number(2);
  const uint32_t counts[] = {reader.Number(2), reader.Number(2), reader.Number(2)};
  for (uint32_t i = 0; i < questions && reader.ok(); ++i) {
    read.question = reader.Name();
    reader.Number(4);
  }
  std::vector<ReadRecord>* const sections[] = {&read.answers, &read.authorities, &read.additional};
  for (size_t section = 0; section < 3; ++section) {
    for (uint32_t i = 0; i < counts[section] && reader.ok(); ++i) sections[section]->push_back(reader.Record());
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return read;
}

std::optional<ZoneAnswer> AskZone(const DnsZone& zone, std::string_view name, uint16_t type) {
  std::vector<uint8_t> message(sizeof(DnsHeader));
  message.insert(message.end(), name.begin(), name.end());
  message.resize(message.size() + 4);
  const DnsZone::Found found = zone.Lookup({&message[sizeof(DnsHeader)], name.size()}, type);
  const auto at = static_cast<uint16_t>(message.size());
  message.resize(at + found.records.whole_length());
  found.records.Write(message.data(), at, {.length = static_cast<uint16_t>(name.size())}, true);
  message[5] = 1;
  message[6] = static_cast<uint8_t>(found.records.count() >> 8);
  message[7] = static_cast<uint8_t>(found.records.count());
  message[10] = static_cast<uint8_t>(found.records.additional() >> 8);
  message[11] = static_cast<uint8_t>(found.records.additional());
  const auto read = ReadDns(message);
  if (!read) return std::nullopt;
  return ZoneAnswer{found.outcome, read->answers, read->additional, found.records.length()};
}

}  // namespace qure::testing
