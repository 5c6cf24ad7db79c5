#include "proto/dns/mdns.h"

#include <map>
#include <string_view>

#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr uint16_t kTopBit = 0x8000;  // of a class: QU in a question, cache-flush in a record
constexpr uint8_t kPointer = 0xc0;
constexpr size_t kMostReachable = 0x3fff;  // by a pointer (RFC 1035 §4.1.4)
constexpr size_t kSrvFixed = 6;            // priority, weight, port

// How many bytes of the rdata come before a name that can be compressed; nullopt: there is none.
std::optional<size_t> NameOffset(uint16_t type) {
  switch (type) {
    case kDnsTypeNs:
    case kDnsTypeCname:
    case kDnsTypePtr:
    case kDnsTypeDname:
    case kDnsTypeNsec:
      return 0;
    case kDnsTypeSrv:
      return kSrvFixed;
    default:
      return std::nullopt;
  }
}

class Reader {
 public:
  explicit Reader(ConstBytes message) : message_(message) {}

  bool sound() const { return sound_; }
  uint16_t Two() {
    const uint16_t high = One();
    return static_cast<uint16_t>(high << 8 | One());
  }
  uint32_t Four() {
    const uint32_t high = Two();
    return high << 16 | Two();
  }

  std::string Name() {
    std::string name;
    size_t at = at_;
    size_t lowest = at_;  // pointers only lead back, so it ends
    bool jumped = false;
    while (at < message_.size()) {
      const uint8_t length = message_[at];
      if ((length & kPointer) == kPointer) {
        if (at + 1 >= message_.size()) break;
        const size_t target = static_cast<size_t>(length & ~kPointer) << 8 | message_[at + 1];
        if (!jumped) at_ = at + 2;
        jumped = true;
        if (target >= lowest || ++jumps_ > kMdnsMostJumps) break;
        at = lowest = target;
        continue;
      }
      const size_t size = size_t{1} + length;
      if (length > kDnsMaxLabel || at + size > message_.size() || name.size() + size > kDnsMaxName) break;
      name.append(reinterpret_cast<const char*>(&message_[at]), size);
      at += size;
      if (length != 0) continue;
      if (!jumped) at_ = at;
      return name;
    }
    sound_ = false;
    return name;
  }

  std::string Rdata(uint16_t type) {
    const size_t length = Two();
    if (!sound_ || at_ + length > message_.size()) {
      sound_ = false;
      return {};
    }
    const size_t end = at_ + length;
    std::string rdata;
    if (const auto offset = NameOffset(type)) {
      if (*offset >= length) {
        sound_ = false;
        return {};
      }
      rdata = Take(*offset);
      rdata += Name();
      if (at_ > end) sound_ = false;
      if (!sound_) return {};
    }
    return rdata + Take(end - at_);
  }

 private:
  uint8_t One() {
    if (at_ >= message_.size()) sound_ = false;
    return sound_ ? message_[at_++] : 0;
  }
  std::string Take(size_t length) {
    at_ += length;
    return std::string(AsText(message_.subspan(at_ - length, length)));
  }

  ConstBytes message_;
  size_t at_ = 0;
  size_t jumps_ = 0;  // so far, in all names
  bool sound_ = true;
};

void ReadRecords(uint16_t count, Reader* reader, std::vector<MdnsRecord>* records) {
  for (uint16_t i = 0; i < count && reader->sound(); ++i) {
    MdnsRecord record;
    record.name = reader->Name();
    record.type = reader->Two();
    const uint16_t klass = reader->Two();
    record.unique = (klass & kTopBit) != 0;
    record.ttl = reader->Four();
    record.rdata = reader->Rdata(record.type);
    const bool counts = record.type != kDnsTypeOpt && (klass & ~kTopBit) == kDnsClassIn;
    if (reader->sound() && counts) records->push_back(std::move(record));
  }
}

class Writer {
 public:
  void Two(size_t value) {
    bytes_.push_back(static_cast<uint8_t>(value >> 8));
    bytes_.push_back(static_cast<uint8_t>(value));
  }

  void Name(std::string_view name) {
    while (name.size() > 1) {
      const auto [known, is_new] = names_.emplace(name, bytes_.size());
      if (!is_new) return Two(known->second | size_t{kPointer} << 8);
      if (bytes_.size() > kMostReachable) names_.erase(known);
      Bytes(name.substr(0, size_t{1} + static_cast<uint8_t>(name[0])));
      name = DnsParent(name);
    }
    bytes_.push_back(0);
  }

  void Record(const MdnsRecord& record) {
    Name(record.name);
    Two(record.type);
    Two(kDnsClassIn | (record.unique ? kTopBit : 0));
    Two(record.ttl >> 16);
    Two(record.ttl);
    const size_t start = bytes_.size();
    Two(0);
    // An NSEC record has something behind the name, and few names in it are long.
    const auto offset = record.type == kDnsTypeNsec ? std::nullopt : NameOffset(record.type);
    Bytes(std::string_view(record.rdata).substr(0, offset.value_or(record.rdata.size())));
    if (offset) Name(std::string_view(record.rdata).substr(*offset));
    const size_t length = bytes_.size() - start - 2;
    bytes_[start] = static_cast<uint8_t>(length >> 8);
    bytes_[start + 1] = static_cast<uint8_t>(length);
  }

  std::vector<uint8_t> Done() { return std::move(bytes_); }

 private:
  void Bytes(std::string_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  std::vector<uint8_t> bytes_;
  std::map<std::string, size_t, std::less<>> names_;  // where they are; by exact case, which is to be kept
};

}  // namespace

std::optional<MdnsMessage> ParseMdns(ConstBytes bytes) {
  Reader reader(bytes);
  MdnsMessage message;
  message.id = reader.Two();
  message.flags = reader.Two();
  const uint16_t questions = reader.Two();
  const uint16_t answers = reader.Two();
  const uint16_t authority = reader.Two();
  const uint16_t additional = reader.Two();
  for (uint16_t i = 0; i < questions && reader.sound(); ++i) {
    MdnsQuestion question;
    question.name = reader.Name();
    question.type = reader.Two();
    const uint16_t klass = reader.Two();
    question.unicast = (klass & kTopBit) != 0;
    const uint16_t plain = klass & ~kTopBit;
    if (plain == kDnsClassIn || plain == kDnsClassAny) message.questions.push_back(std::move(question));
  }
  ReadRecords(answers, &reader, &message.answers);
  ReadRecords(authority, &reader, &message.authority);
  ReadRecords(additional, &reader, &message.additional);
  if (!reader.sound()) return std::nullopt;
  return message;
}

std::vector<uint8_t> WriteMdns(const MdnsMessage& message) {
  Writer writer;
  writer.Two(message.id);
  writer.Two(message.flags);
  writer.Two(message.questions.size());
  for (const auto* section : {&message.answers, &message.authority, &message.additional}) writer.Two(section->size());
  for (const MdnsQuestion& question : message.questions) {
    writer.Name(question.name);
    writer.Two(question.type);
    writer.Two(kDnsClassIn | (question.unicast ? kTopBit : 0));
  }
  for (const auto* section : {&message.answers, &message.authority, &message.additional}) {
    for (const MdnsRecord& record : *section) writer.Record(record);
  }
  return writer.Done();
}

}  // namespace qure
