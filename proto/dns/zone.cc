#include "proto/dns/zone.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "proto/dns/moves.h"

namespace qure {
namespace {

template <typename T>
T Load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

bool IsAddress(uint16_t type) {
  return type == kDnsTypeA || type == kDnsTypeAaaa;
}

}  // namespace

void DnsRecords::Write(uint8_t* message, uint16_t at, DnsPlace name, bool with_additional) const {
  const uint16_t length = with_additional ? whole_length_ : length_;
  std::memcpy(message + at, bytes_, length);
  const auto made_at = static_cast<uint16_t>(sizeof(DnsHeader) + made_for_ + kDnsQuestionTail);
  if (exact_ && name.at == sizeof(DnsHeader) && at == made_at) return;
  const int end_moved = name.at + name.length - static_cast<int>(sizeof(DnsHeader)) - made_for_;
  for (size_t i = 0; i < move_count_; ++i) {
    const DnsMove move = Load<DnsMove>(moves_ + i * sizeof(DnsMove));
    if (move.position() >= length) break;
    uint8_t* const pointer = message + at + move.position();
    const uint16_t points_to = Load<Be16>(pointer).value() & kDnsPointerMask;
    int moved = points_to;
    switch (move.to()) {
      case DnsMove::To::kEndOfName:
        moved += end_moved;
        break;
      case DnsMove::To::kName:
        moved = name.at;
        break;
      case DnsMove::To::kRecords:
        moved += at - made_at;
        break;
    }
    const Be16 written(static_cast<uint16_t>(kDnsPointer | moved));
    std::memcpy(pointer, &written, sizeof(written));
  }
}

void DnsRecords::Rotate(uint8_t* message, uint16_t at, uint16_t turn) const {
  const size_t stride = length_ / count_;  // owner names are pointers, so all have the same length
  std::rotate(message + at, message + at + turn % count_ * stride, message + at + length_);
}

inline DnsZone::Place DnsZone::Find(const DnsNameView& name, uint64_t hash) const {
  if (name.length() > longest_name_) return {};
  const size_t mask = buckets_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t i = hash & mask; buckets_[i].entry != 0; i = (i + 1) & mask) {
    if (buckets_[i].tag != tag) continue;
    const uint32_t offset = buckets_[i].entry;
    const auto entry = Load<Entry>(&wire_[offset]);
    if (name.Matches(DnsNameView(&wire_[offset + sizeof(Entry)], entry.name_length))) return {entry, offset, hash};
  }
  return {};
}

void DnsZone::Insert(uint64_t hash, uint32_t offset) {
  const size_t mask = buckets_.size() - 1;
  size_t i = hash & mask;
  while (buckets_[i].entry != 0) i = (i + 1) & mask;
  buckets_[i] = {.tag = static_cast<uint32_t>(hash >> 32), .entry = offset};
}

DnsRecords DnsZone::RecordsOf(const RecordSet& set, size_t made_for, Traits traits) const {
  DnsRecords records;
  records.bytes_ = &wire_[set.offset];
  records.moves_ = records.bytes_ + set.whole_length;
  records.count_ = set.count;
  records.additional_ = set.additional;
  records.length_ = set.length;
  records.whole_length_ = set.whole_length;
  records.move_count_ = set.move_count;
  records.made_for_ = static_cast<uint8_t>(made_for);
  records.exact_ = traits.exact;
  records.rotates_ = traits.rotates;
  return records;
}

const uint8_t* DnsZone::SetOf(const Place& place, uint16_t type) const {
  const uint8_t* set = wire_.data() + place.offset + sizeof(Entry) + place.entry.name_length;
  static_assert(offsetof(RecordSet, type) == 0);
  for (size_t i = 0; i < place.entry.set_count; ++i, set += sizeof(RecordSet)) {
    if (Load<uint16_t>(set) == type || type == kDnsTypeAny) return set;
  }
  return nullptr;
}

DnsZone::Found DnsZone::AnswerOf(const Place& place, uint16_t type) const {
  const uint8_t flags = place.entry.flags;
  if ((flags & kFailing) != 0 && (IsAddress(type) || type == kDnsTypeAny)) {
    return {.outcome = Outcome::kFailure, .records = {}};
  }
  Outcome outcome = Outcome::kAnswer;
  const uint8_t* at = SetOf(place, type);
  if (at == nullptr && (flags & kAlias) != 0) {
    at = SetOf(place, kDnsTypeCname);
    outcome = Outcome::kAlias;
  }
  if (at == nullptr) return Negative(Outcome::kNoData);
  const bool wildcard = (flags & kWildcard) != 0;
  const size_t made_for = place.entry.name_length - (wildcard ? kDnsWildcard.size() : 0);
  const auto set = Load<RecordSet>(at);
  const bool rotates = (flags & kRotates) != 0 && IsAddress(set.type);
  return {outcome, RecordsOf(set, made_for, {.exact = !wildcard, .rotates = rotates}), place.hash};
}

DnsZone::Found DnsZone::Referral(const Place& place) const {
  const uint8_t* const set = SetOf(place, kDnsTypeNs);
  if (set == nullptr) return Negative(Outcome::kNoData);
  return {Outcome::kReferral, RecordsOf(Load<RecordSet>(set), place.entry.name_length, {}), place.hash};
}

DnsZone::Found DnsZone::Lookup(const DnsNameView& name, uint64_t hash, uint16_t type) const {
  const Place place = Find(name, hash);
  if (!place) return LookupMissing(name, type);
  const bool cut = (place.entry.flags & kCut) != 0;
  return cut && type != kDnsTypeDs ? Referral(place) : AnswerOf(place, type);  // RFC 4035 §3.1.4.1
}

DnsZone::Found DnsZone::LookupMissing(const DnsNameView& name, uint16_t type) const {
  for (DnsNameView rest = name; rest.length() > apex_.size();) {
    rest = rest.parent();
    const Place closest = Find(rest);
    if (!closest) continue;
    if ((closest.entry.flags & kCut) != 0) return Referral(closest);
    if ((closest.entry.flags & kHasWildcard) == 0) break;
    return AnswerOfWildcard(rest, type);
  }
  return Negative(Outcome::kNxDomain);
}

DnsZone::Found DnsZone::AnswerOfWildcard(const DnsNameView& closest, uint16_t type) const {
  const DnsNameBuffer wildcard(closest.bytes(), kDnsWildcard);
  const Place place = Find(wildcard.view());
  return place ? AnswerOf(place, type) : Negative(Outcome::kNxDomain);
}

}  // namespace qure
