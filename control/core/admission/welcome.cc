#include "control/core/admission/welcome.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "control/core/admission/codec.h"
#include "control/core/admission/proof.h"
#include "proto/check.h"

namespace qure::admission {
namespace {

constexpr size_t kTotalSize = sizeof(uint16_t);
static_assert(kTotalSize + kRecordsPart + kSealTag <= kMaxSealed);

std::optional<Record> ReadRecord(ConstBytes bytes, const PublicKey& recovery) {
  auto read = Record::Read(bytes, recovery);
  auto* record = std::get_if<Record>(&read);
  if (record == nullptr) return std::nullopt;
  return std::move(*record);
}

}  // namespace

RecordSender::RecordSender(const RecordSet& records, const View& view) {
  for (const RecordId& id : view.in_effect) {
    for (const auto* each : {&records.rosters(), &records.others()}) {
      if (const auto record = each->find(id); record != each->end()) AppendRecord(record->second, &list_);
    }
  }
}

// One, though empty, if there are no records: a receipt is waited for.
uint32_t RecordSender::total() const {
  return std::max<uint32_t>(1, static_cast<uint32_t>((list_.size() + kRecordsPart - 1) / kRecordsPart));
}

std::vector<uint8_t> RecordSender::Part(uint32_t index) const {
  QURE_CHECK(index < total(), index, total());
  const size_t offset = index * kRecordsPart;
  Writer out;
  out.Integer(static_cast<uint16_t>(total()));
  out.Bytes(ConstBytes(list_).subspan(offset, std::min(kRecordsPart, list_.size() - offset)));
  return out.Take();
}

RecordSender::Range RecordSender::OnReceipt(uint32_t count) {
  if (count <= sent_) acknowledged_ = std::max(acknowledged_, count);
  const uint32_t begin = sent_;
  sent_ = std::max(sent_, std::min(acknowledged_ + kRecordsWindow, total()));
  return {begin, sent_};
}

bool RecordCollector::Take(uint32_t index, ConstBytes plain) {
  Reader in(plain);
  uint16_t total = 0;
  in.Integer(&total);
  const ConstBytes part = in.Rest(kRecordsPart);
  if (!in.done() || total_.value_or(total) != total || index >= total) return false;
  if (index + 1 < total && part.size() != kRecordsPart) return false;
  total_ = total;
  if (index < count_ || index >= count_ + kRecordsWindow) return true;
  ahead_.try_emplace(index, part.begin(), part.end());
  for (auto next = ahead_.find(count_); next != ahead_.end(); next = ahead_.find(count_)) {
    rest_.insert(rest_.end(), next->second.begin(), next->second.end());
    ahead_.erase(next);
    ++count_;
  }
  return AddWholeRecords() && (!complete() || rest_.empty());
}

bool RecordCollector::AddWholeRecords() {
  ConstBytes list = rest_;
  while (const std::optional<ConstBytes> bytes = TakeRecord(&list)) {
    const std::optional<Record> record = ReadRecord(*bytes, records_.genesis().signer());
    if (!record) return false;
    const RecordSet::Added added = records_.Add(*record);
    if (added != RecordSet::Added::kNew && added != RecordSet::Added::kKnown) return false;
  }
  rest_ = {list.begin(), list.end()};
  return rest_.size() < sizeof(uint16_t) + kMaxRecord;
}

std::vector<uint8_t> WriteWelcome(const Welcome& welcome) {
  QURE_CHECK(welcome.grants.size() <= kSessionKeysKept && welcome.sources.size() <= kMaxPullSources);
  Writer out;
  out.Block(welcome.admit ? welcome.admit->Bytes() : std::vector<uint8_t>());
  out.Integer(static_cast<uint8_t>(welcome.grants.size()));
  for (const SessionGrant& grant : welcome.grants) {
    out.Block(grant.record.Bytes());
    out.Bytes(grant.key);
  }
  out.Bytes(welcome.rosters);
  out.Integer(welcome.lineage);
  out.Integer(welcome.era);
  out.Integer(welcome.port);
  out.Bytes(welcome.group.bytes);
  out.Integer(static_cast<uint8_t>(welcome.sources.size()));
  for (const PullSource& source : welcome.sources) {
    out.Bytes(source.node);
    out.Bytes(source.mac.bytes);
    out.Bytes(source.address.bytes);
  }
  return out.Take();
}

std::optional<Welcome> ReadWelcome(ConstBytes bytes, const PublicKey& recovery) {
  Reader in(bytes);
  Welcome welcome;
  if (const ConstBytes admit = in.Block(kMaxAdmitRecord); !admit.empty()) {
    welcome.admit = ReadRecord(admit, recovery);
    if (!welcome.admit || welcome.admit->As<Admit>() == nullptr) return std::nullopt;
  }
  uint8_t count = 0;
  in.Integer(&count);
  if (count > kSessionKeysKept) return std::nullopt;
  for (; count > 0; --count) {
    const ConstBytes record_bytes = in.Block(kMaxRecord);
    Secret key;
    in.Bytes(key.mutable_bytes());
    std::optional<Record> record = ReadRecord(record_bytes, recovery);
    if (!record || record->As<Session>() == nullptr) return std::nullopt;
    welcome.grants.emplace_back(*std::move(record), key.bytes());
  }
  in.Bytes(&welcome.rosters);
  in.Integer(&welcome.lineage);
  in.Integer(&welcome.era);
  in.Integer(&welcome.port);
  in.Bytes(&welcome.group.bytes);
  in.Integer(&count);
  if (count > kMaxPullSources) return std::nullopt;
  for (; count > 0; --count) {
    PullSource& source = welcome.sources.emplace_back();
    in.Bytes(&source.node);
    in.Bytes(&source.mac.bytes);
    in.Bytes(&source.address.bytes);
  }
  if (!in.done()) return std::nullopt;
  return welcome;
}

}  // namespace qure::admission
