#include "proto/dns_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace qure {
namespace {

constexpr uint16_t kQuestionPointer = 0xc00c;  // to the name behind the message header (RFC 1035 §4.1.4)
constexpr size_t kWord = sizeof(uint64_t);

template <typename T>
T Load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

// Eight bytes at a time: adds 0x20 to those within 'A' … 'Z'. Length bytes of labels are below 'A' and stay.
constexpr uint64_t ToLower(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low_bits = word & (0x7f * kEach);
  const uint64_t from_a = low_bits + (0x80 - 'A') * kEach;
  const uint64_t beyond_z = low_bits + (0x7f - 'Z') * kEach;
  const uint64_t upper = (from_a ^ beyond_z) & ~word & (0x80 * kEach);
  return word | upper >> 2;
}
static_assert(ToLower(0x405a415b617ac1da) == 0x407a615b617ac1da);

// Both halves of the product depend on all bits of both factors.
constexpr uint64_t FoldedMultiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// `name` must be followed by zeros up to the next multiple of eight bytes from its beginning.
uint64_t HashOf(ConstBytes name, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  uint64_t hash = seed ^ name.size();
  for (size_t i = 0; i < name.size(); i += kWord) hash = FoldedMultiply(hash ^ Load<uint64_t>(&name[i]), kMultiplier);
  return FoldedMultiply(hash ^ seed, kMultiplier);
}

constexpr uint32_t TagOf(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 32);
}

// The last `count` < 8 bytes of a name with zeros behind them. Put together in a register: a word read back from memory
// just after its bytes were written would wait for them.
uint64_t Tail(const uint8_t* p, size_t count) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t word = 0;
  for (size_t i = count; i-- > 0;) word = word << 8 | p[i];
  return word;
}

// A name in lower case with zeros behind it, so that it and every parent of it can be hashed in whole words.
class PaddedName {
 public:
  explicit PaddedName(ConstBytes name) : length_(std::min(name.size(), kDnsMaxName)) {
    size_t i = 0;
    for (; i + kWord <= length_; i += kWord) Store(i, Load<uint64_t>(&name[i]));
    Store(i, Tail(name.data() + i, length_ - i));
    Store(i + kWord, 0);
  }

  ConstBytes all() const { return ConstBytes(bytes_).first(length_); }

 private:
  void Store(size_t offset, uint64_t word) {
    word = ToLower(word);
    std::memcpy(&bytes_[offset], &word, kWord);
  }

  size_t length_;
  std::array<uint8_t, 256 + kWord> bytes_;
};

ConstBytes Parent(ConstBytes name) {
  return name.subspan(size_t{1} + name[0]);
}
std::string_view Parent(std::string_view name) {
  return name.substr(size_t{1} + static_cast<uint8_t>(name[0]));
}

ConstBytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

template <typename T>
void Append(const T& field, std::vector<uint8_t>* wire) {
  const auto bytes = std::bit_cast<std::array<uint8_t, sizeof(T)>>(field);
  wire->insert(wire->end(), bytes.begin(), bytes.end());
}

// A record from its type field on.
void AppendRecord(uint16_t type, uint32_t ttl, std::string_view rdata, std::vector<uint8_t>* wire) {
  Append(DnsRecordHeader{Be16(type), Be16(kDnsClassIn), Be32(ttl), Be16(static_cast<uint16_t>(rdata.size()))}, wire);
  wire->insert(wire->end(), rdata.begin(), rdata.end());
}

// The last field of a SOA (RFC 1035 §3.3.13).
uint32_t MinimumOf(std::string_view soa) {
  const auto* minimum = soa.size() < sizeof(Be32) ? nullptr : HeaderAt<Be32>(AsBytes(soa), soa.size() - sizeof(Be32));
  return minimum == nullptr ? 0 : minimum->value();
}

}  // namespace

std::optional<DnsTable::Found> DnsTable::Find(ConstBytes padded_name) const {
  if (padded_name.size() > longest_name_) return std::nullopt;  // also of an empty table
  const uint64_t hash = HashOf(padded_name, hash_seed_);
  const size_t mask = buckets_.size() - 1;
  for (size_t i = hash & mask; buckets_[i].entry != 0; i = (i + 1) & mask) {
    if (buckets_[i].tag != TagOf(hash)) continue;
    const uint32_t offset = buckets_[i].entry - 1;
    const auto entry = Load<Entry>(&wire_[offset]);
    if (entry.name_length == padded_name.size() &&
        std::memcmp(&wire_[offset + sizeof(Entry)], padded_name.data(), padded_name.size()) == 0) {
      return Found{entry, offset};
    }
  }
  return std::nullopt;
}

void DnsTable::Insert(uint64_t hash, uint32_t offset) {
  const size_t mask = buckets_.size() - 1;
  size_t i = hash & mask;
  while (buckets_[i].entry != 0) i = (i + 1) & mask;
  buckets_[i] = {.tag = TagOf(hash), .entry = offset + 1};
}

DnsTable::Result DnsTable::Negative(Outcome outcome, const Entry& entry) const {
  const Zone& zone = zones_[entry.zone];
  return {.outcome = outcome, .records = BytesOf(zone.negative_soa), .count = 1, .zone_length = zone.name_length};
}

DnsTable::Result DnsTable::Answer(const Found& found, uint16_t type) const {
  const uint8_t* sets = wire_.data() + found.offset + sizeof(Entry) + found.entry.name_length;
  for (size_t i = 0; i < found.entry.set_count; ++i) {
    const auto set = Load<RecordSet>(sets + i * sizeof(RecordSet));
    if (set.type == type || type == kDnsTypeAny) {
      return {.outcome = Outcome::kAnswer, .records = BytesOf(set), .count = set.count};
    }
  }
  return Negative(Outcome::kNoData, found.entry);
}

DnsTable::Result DnsTable::Lookup(ConstBytes name, uint16_t type) const {
  const PaddedName padded(name);
  ConstBytes rest = padded.all();
  if (const auto found = Find(rest)) return Answer(*found, type);
  // The closest ancestor that exists is in the zone that the name would be in: empty non-terminals are entries too.
  while (rest.size() > 1) {
    rest = Parent(rest);
    if (const auto found = Find(rest)) return Negative(Outcome::kNxDomain, found->entry);
  }
  return {};
}

struct DnsTableBuilder::Name {
  struct Set {
    uint32_t ttl = UINT32_MAX;
    std::vector<std::string_view> rdata;
  };
  const std::string* apex = nullptr;  // of its zone
  std::map<uint16_t, Set> sets;       // by type

  void Add(uint16_t type, uint32_t ttl, std::string_view rdata) {
    Set& set = sets[type];
    set.ttl = std::min(set.ttl, ttl);
    if (std::find(set.rdata.begin(), set.rdata.end(), rdata) == set.rdata.end()) set.rdata.push_back(rdata);
  }
};

void DnsTableBuilder::AddZone(std::string apex, uint32_t ttl, std::string soa) {
  zones_.insert_or_assign(std::move(apex), Zone{ttl, std::move(soa)});
}

void DnsTableBuilder::AddRecord(DnsRecord record) {
  if (record.type == kDnsTypeSoa || record.rdata.size() > UINT16_MAX) return;
  records_.push_back(std::move(record));
}

// The closest enclosing zone's apex, `name` itself included; nullptr outside every zone.
const std::string* DnsTableBuilder::EnclosingApex(std::string_view name) const {
  for (; !name.empty(); name = Parent(name)) {
    if (const auto zone = zones_.find(name); zone != zones_.end()) return &zone->first;
  }
  return nullptr;
}

// Adds `name` and what is between it and the apex of its zone; nullptr outside every zone.
DnsTableBuilder::Name* DnsTableBuilder::AddName(std::string_view name, Names* names) const {
  const std::string* apex = EnclosingApex(name);
  if (apex == nullptr) return nullptr;
  Name* const added = &(*names)[std::string(name)];
  for (Name* step = added; step->apex == nullptr; step = &(*names)[std::string(name)]) {
    step->apex = apex;
    if (name == *apex) break;
    name = Parent(name);
  }
  return added;
}

DnsTableBuilder::Names DnsTableBuilder::CollectNames() const {
  Names names;
  for (const auto& [apex, zone] : zones_) {
    AddName(apex, &names)->Add(kDnsTypeSoa, zone.ttl, zone.soa);
    AddName(Parent(std::string_view(apex)), &names);  // a zone within another: its parents exist there
  }
  for (const DnsRecord& record : records_) {
    if (Name* name = AddName(record.name, &names)) name->Add(record.type, record.ttl, record.rdata);
  }
  return names;
}

// Appends what belongs to a name, as Entry's comment has it. The record sets are written when their offsets are known.
void DnsTableBuilder::AppendEntry(const std::string& text, const Name& name, uint32_t zone, DnsTable* table) const {
  std::vector<uint8_t>& wire = table->wire_;
  Append(DnsTable::Entry{.zone = zone,
                         .set_count = static_cast<uint16_t>(name.sets.size()),
                         .name_length = static_cast<uint8_t>(text.size())},
         &wire);
  wire.insert(wire.end(), text.begin(), text.end());
  size_t next_set = wire.size();
  wire.resize(next_set + name.sets.size() * sizeof(DnsTable::RecordSet));
  for (const auto& [type, records] : name.sets) {
    DnsTable::RecordSet set{.type = type,
                            .count = static_cast<uint16_t>(records.rdata.size()),
                            .offset = static_cast<uint32_t>(wire.size())};
    for (const std::string_view rdata : records.rdata) {
      Append(Be16(kQuestionPointer), &wire);
      AppendRecord(type, records.ttl, rdata, &wire);
    }
    set.length = static_cast<uint32_t>(wire.size() - set.offset);
    std::memcpy(&wire[next_set], &set, sizeof(set));
    next_set += sizeof(set);
  }
}

DnsTable DnsTableBuilder::Build() const {
  DnsTable table;
  table.hash_seed_ = hash_seed_;
  std::map<std::string_view, uint32_t> zone_index;
  for (const auto& [apex, zone] : zones_) {
    zone_index.emplace(apex, static_cast<uint32_t>(table.zones_.size()));
    const auto offset = static_cast<uint32_t>(table.wire_.size());
    AppendRecord(kDnsTypeSoa, std::min(zone.ttl, MinimumOf(zone.soa)), zone.soa, &table.wire_);
    const auto length = static_cast<uint32_t>(table.wire_.size() - offset);
    table.zones_.push_back({.name_length = static_cast<uint8_t>(apex.size()),
                            .negative_soa = {.type = kDnsTypeSoa, .count = 1, .offset = offset, .length = length}});
  }

  const Names names = CollectNames();
  table.name_count_ = names.size();
  table.buckets_.resize(std::bit_ceil(2 * names.size()));
  for (const auto& [text, name] : names) {
    table.longest_name_ = std::max(table.longest_name_, text.size());
    const PaddedName padded(AsBytes(text));
    table.Insert(HashOf(padded.all(), hash_seed_), static_cast<uint32_t>(table.wire_.size()));
    AppendEntry(text, name, zone_index.at(*name.apex), &table);
  }
  return table;
}

}  // namespace qure
