#include "proto/dns/zone_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "proto/dns/block_writer.h"

namespace qure {
namespace {

constexpr size_t kMaxBlock = 16'383;  // what a DnsMove can reach
constexpr size_t kRecordHead = 2 + sizeof(DnsRecordHeader);

template <typename T>
void Append(const T& field, std::vector<uint8_t>* wire) {
  const auto bytes = std::bit_cast<std::array<uint8_t, sizeof(T)>>(field);
  wire->insert(wire->end(), bytes.begin(), bytes.end());
}

uint32_t Be32At(std::string_view rdata, size_t from_end) {
  const auto* field = rdata.size() < from_end ? nullptr : HeaderAt<Be32>(AsBytes(rdata), rdata.size() - from_end);
  return field == nullptr ? 0 : field->value();
}
// Fields of a SOA (RFC 1035 §3.3.13).
uint32_t MinimumOf(std::string_view soa) {
  return Be32At(soa, 4);
}
uint32_t SerialOf(std::string_view soa) {
  return Be32At(soa, 20);
}

// What may stand beside a CNAME (RFC 2181 §10.1, RFC 4034 §2.5).
bool BesideCname(uint16_t type) {
  return type == kDnsTypeCname || type == kDnsTypeRrsig || type == kDnsTypeNsec;
}

// The host that a record names, whose addresses are worth adding (RFC 1034 §3.6.2, RFC 1035 §3.3.9, RFC 2782).
std::string HostOf(uint16_t type, std::string_view rdata) {
  const size_t prefix = type == kDnsTypeNs ? 0 : type == kDnsTypeMx ? 2 : type == kDnsTypeSrv ? 6 : rdata.size();
  return DnsToLower(AsBytes(rdata.substr(std::min(prefix, rdata.size()))));
}

}  // namespace

DnsZoneBuilder::DnsZoneBuilder(std::string apex, uint64_t hash_seed, uint16_t klass, size_t most_bytes)
    : apex_(std::move(apex)), hash_seed_(hash_seed), klass_(klass), most_bytes_(most_bytes) {}

std::optional<std::string> DnsZoneBuilder::Unfit(const DnsRecord& record) const {
  if (!DnsIsWithin(record.name, apex_)) return "is outside the zone; put it into a zone of its own";
  const bool at_apex = record.name == apex_;
  if (record.type == kDnsTypeSoa && !at_apex) return "is a SOA below the zone itself; put it into a zone of its own";
  if (record.type == kDnsTypeDname) return "is a DNAME, which is not served; give every name a CNAME";
  if (record.type == kDnsTypeNs && record.name.starts_with(kDnsWildcard)) {
    return "is a delegation of a wildcard, which means nothing (RFC 4592 §4.2); delegate a name";
  }
  if (record.type == kDnsTypeOpt || (record.type >= 128 && record.type < 256)) {
    return "is of a type that is no data (RFC 6895 §3.1); remove it";
  }
  const auto name = names_.find(record.name);
  if (name == names_.end()) return std::nullopt;
  const Sets& sets = name->second;
  const bool cname = sets.contains(kDnsTypeCname);
  if (record.type == kDnsTypeSoa && sets.contains(kDnsTypeSoa)) return "is a second SOA; keep one of them";
  if (record.type == kDnsTypeCname && cname) return "is a second CNAME of one name; keep one of them";
  if (cname && !BesideCname(record.type))
    return "stands beside a CNAME, which must be alone (RFC 1034 §3.6.2); keep one or the other";
  if (record.type == kDnsTypeCname &&
      std::ranges::any_of(sets, [](const auto& set) { return !BesideCname(set.first); })) {
    return "is a CNAME beside other records, but must be alone (RFC 1034 §3.6.2); keep it or them";
  }
  const auto set = sets.find(record.type);
  if (set != sets.end() && set->second.bytes + record.rdata.size() + kRecordHead > kDnsMaxSet) {
    return "makes its name and type longer than 12,000 bytes; one answer cannot hold more";
  }
  return std::nullopt;
}

std::optional<std::string> DnsZoneBuilder::Add(DnsRecord record) {
  if (record.rdata.size() + kRecordHead > kDnsMaxSet) return "is longer than 12,000 bytes; shorten it";
  if (Set* const set = Find(record.name, record.type); set != nullptr && std::ranges::count(set->rdata, record.rdata)) {
    set->ttl = std::min(set->ttl, record.ttl);
    return std::nullopt;
  }
  if (std::optional<std::string> unfit = Unfit(record)) return unfit;
  const size_t bytes = bytes_ + record.name.size() + record.rdata.size() + kRecordHead;
  if (bytes > most_bytes_) return "makes the zone larger than " + std::to_string(most_bytes_ >> 20) + " MiB; divide it";
  bytes_ = bytes;
  Set& set = names_[std::move(record.name)][record.type];
  set.ttl = std::min(set.ttl, record.ttl);
  set.bytes += record.rdata.size() + kRecordHead;
  set.rdata.push_back(std::move(record.rdata));
  ++record_count_;
  return std::nullopt;
}

std::optional<std::string> DnsZoneBuilder::AddFailing(std::string name) {
  if (std::optional<std::string> unfit = Unfit({.name = name, .type = kDnsTypeA})) return unfit;
  names_.try_emplace(name);
  marks_[std::move(name)] |= DnsZone::kFailing;
  return std::nullopt;
}

void DnsZoneBuilder::Rotate(std::string name) {
  marks_[std::move(name)] |= DnsZone::kRotates;
}

DnsZoneBuilder::Set* DnsZoneBuilder::Find(std::string_view name, uint16_t type) {
  const auto sets = names_.find(name);
  if (sets == names_.end()) return nullptr;
  const auto set = sets->second.find(type);
  return set == sets->second.end() ? nullptr : &set->second;
}

std::optional<std::string> DnsZoneBuilder::Missing() const {
  const auto apex = names_.find(apex_);
  if (apex == names_.end() || !apex->second.contains(kDnsTypeSoa)) return "has no SOA record; add one";
  if (!apex->second.contains(kDnsTypeNs)) return "has no NS record of its own; name its servers";
  return std::nullopt;
}

bool DnsZoneBuilder::IsCut(std::string_view name) const {
  if (name == apex_) return false;
  const auto found = names_.find(name);
  return found != names_.end() && found->second.contains(kDnsTypeNs);
}

// Whether a name is below a delegation, so that what stands there is glue at best.
bool DnsZoneBuilder::IsBelowCut(std::string_view name) const {
  while (name.size() > apex_.size()) {
    name = DnsParent(name);
    if (IsCut(name)) return true;
  }
  return false;
}

// All names that exist, with what a lookup needs to know of each.
DnsZoneBuilder::Flags DnsZoneBuilder::Served() const {
  Flags served;
  const bool has_cuts = std::ranges::any_of(names_, [&](const auto& name) { return IsCut(name.first); });
  for (const auto& [text, sets] : names_) {
    if (has_cuts && IsBelowCut(text)) continue;
    for (std::string_view name = text;; name = DnsParent(name)) {
      served.try_emplace(name, 0);
      if (name.starts_with(kDnsWildcard) && name != apex_) {
        served[name] |= DnsZone::kWildcard;
        served[DnsParent(name)] |= DnsZone::kHasWildcard;
      }
      if (name.size() <= apex_.size()) break;
    }
    if (sets.contains(kDnsTypeCname)) served[text] |= DnsZone::kAlias;
    if (has_cuts && IsCut(text)) served[text] |= DnsZone::kCut;
  }
  for (const auto& [name, mark] : marks_) {
    if (const auto found = served.find(name); found != served.end()) found->second |= mark;
  }
  return served;
}

// Adds the addresses of the hosts that the set names; they stand in the zone, glue included.
void DnsZoneBuilder::AddHosts(uint16_t type, const Set& set, Made* made) const {
  std::set<std::string> added;
  for (const std::string& rdata : set.rdata) {
    const std::string host = HostOf(type, rdata);
    const auto name = names_.find(host);
    if (host.empty() || name == names_.end() || !added.insert(host).second) continue;
    for (const uint16_t address : {kDnsTypeA, kDnsTypeAaaa}) {
      const auto found = name->second.find(address);
      if (found == name->second.end()) continue;
      if (made->writer.bytes().size() + found->second.bytes + host.size() * found->second.rdata.size() > kMaxBlock)
        return;
      for (const std::string& one : found->second.rdata) {
        made->writer.Add(host, address, found->second.ttl, one);
        ++made->additional;
      }
    }
  }
}

// Appends the records of a set, made for `known`, and returns where they are.
DnsZone::RecordSet DnsZoneBuilder::AppendSet(std::string_view known, std::string_view owner, uint16_t type,
                                             uint32_t ttl, const Set& set, DnsZone* zone) const {
  Made made{.writer = DnsBlockWriter(known, klass_)};
  for (const std::string& rdata : set.rdata) made.writer.Add(owner, type, ttl, rdata);
  const size_t length = made.writer.bytes().size();
  AddHosts(type, set, &made);
  const std::vector<uint8_t>& bytes = made.writer.bytes();
  const DnsZone::RecordSet result{.type = type,
                                  .count = static_cast<uint16_t>(set.rdata.size()),
                                  .additional = made.additional,
                                  .move_count = static_cast<uint16_t>(made.writer.moves().size()),
                                  .length = static_cast<uint16_t>(length),
                                  .whole_length = static_cast<uint16_t>(bytes.size()),
                                  .offset = static_cast<uint32_t>(zone->wire_.size())};
  zone->wire_.insert(zone->wire_.end(), bytes.begin(), bytes.end());
  for (const DnsMove move : made.writer.moves()) Append(move, &zone->wire_);
  return result;
}

// Appends what belongs to a name, as Entry's comment has it. The record sets are written when their offsets are known.
void DnsZoneBuilder::AppendName(std::string_view text, uint8_t flags, DnsZone* zone) const {
  static const Sets kNone;
  const auto found = names_.find(text);
  const Sets& sets = found == names_.end() ? kNone : found->second;
  const bool cut = (flags & DnsZone::kCut) != 0;
  const auto is_served = [&](uint16_t type) { return !cut || type == kDnsTypeNs || type == kDnsTypeDs; };
  const auto count = std::ranges::count_if(sets, [&](const auto& set) { return is_served(set.first); });
  std::vector<uint8_t>& wire = zone->wire_;
  Append(
      DnsZone::Entry{
          .set_count = static_cast<uint16_t>(count), .name_length = static_cast<uint8_t>(text.size()), .flags = flags},
      &wire);
  wire.insert(wire.end(), text.begin(), text.end());
  size_t next_set = wire.size();
  wire.resize(next_set + static_cast<size_t>(count) * sizeof(DnsZone::RecordSet));
  const bool wildcard = (flags & DnsZone::kWildcard) != 0;
  for (const auto& [type, records] : sets) {
    if (!is_served(type)) continue;
    const DnsZone::RecordSet set = AppendSet(wildcard ? DnsParent(text) : text, wildcard ? std::string_view() : text,
                                             type, records.ttl, records, zone);
    std::memcpy(&wire[next_set], &set, sizeof(set));
    next_set += sizeof(set);
  }
}

DnsZone DnsZoneBuilder::Build() const {
  DnsZone zone;
  zone.hash_seed_ = hash_seed_;
  zone.apex_ = apex_;
  zone.apex_hash_ = DnsNameBuffer(apex_).view().Hash(hash_seed_);
  zone.record_count_ = record_count_;
  zone.lan_only_ = lan_only_;
  const Set& soa = names_.find(apex_)->second.at(kDnsTypeSoa);
  zone.serial_ = SerialOf(soa.rdata.front());
  zone.soa_ = AppendSet(apex_, apex_, kDnsTypeSoa, std::min(soa.ttl, MinimumOf(soa.rdata.front())), soa, &zone);

  const Flags served = Served();
  zone.name_count_ = served.size();
  zone.buckets_.resize(std::bit_ceil(2 * served.size()));
  for (const auto& [text, flags] : served) {
    zone.longest_name_ = std::max(zone.longest_name_, text.size());
    zone.Insert(DnsNameBuffer(text).view().Hash(hash_seed_), static_cast<uint32_t>(zone.wire_.size()));
    AppendName(text, flags, &zone);
  }
  return zone;
}

}  // namespace qure
