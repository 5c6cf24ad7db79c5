#include "control/core/admission/proof.h"

#include <algorithm>
#include <map>

#include "control/core/admission/codec.h"
#include "proto/check.h"

namespace qure::admission {
namespace {

// By whom each member was reached first, breadth first from the base: so chains are shortest.
class Chains {
 public:
  Chains(const RecordSet& records, const View& view) {
    std::multimap<PublicKey, const Record*> by_signer;
    for (const RecordId& id : view.in_effect) {
      const auto record = records.others().find(id);
      const auto* admit = record == records.others().end() ? nullptr : record->second.As<Admit>();
      if (admit != nullptr) by_signer.emplace(admit->signer, &record->second);
    }
    std::vector<PublicKey> queue = BaseOf(records, view);
    for (const PublicKey& identity : queue) reached_.emplace(identity, nullptr);
    for (size_t next = 0; next < queue.size(); ++next) {
      const auto [begin, end] = by_signer.equal_range(queue[next]);
      for (auto it = begin; it != end; ++it) {
        const PublicKey& subject = it->second->As<Admit>()->subject.identity;
        if (reached_.emplace(subject, it->second).second) queue.push_back(subject);
      }
    }
  }

  // From the base to `identity`; nothing if it was not reached.
  std::optional<std::vector<const Record*>> To(PublicKey identity) const {
    std::vector<const Record*> chain;
    for (auto found = reached_.find(identity);; found = reached_.find(identity)) {
      if (found == reached_.end()) return std::nullopt;
      if (found->second == nullptr) break;
      chain.push_back(found->second);
      identity = found->second->signer();
    }
    std::ranges::reverse(chain);
    return chain;
  }

 private:
  // Who is in all rosters in effect; without one, the founder.
  static std::vector<PublicKey> BaseOf(const RecordSet& records, const View& view) {
    std::map<PublicKey, size_t> listed;
    size_t rosters = 0;
    for (const RecordId& id : view.in_effect) {
      const auto record = records.rosters().find(id);
      if (record == records.rosters().end()) continue;
      ++rosters;
      for (const Listed& member : record->second.As<Roster>()->members) ++listed[member.identity];
    }
    if (rosters == 0) return {records.genesis().As<Genesis>()->founder.identity};
    std::vector<PublicKey> base;
    for (const auto& [identity, count] : listed) {
      if (count == rosters) base.push_back(identity);
    }
    return base;
  }

  std::map<PublicKey, const Record*> reached_;  // and the admission by which; null: of the base
};

}  // namespace

void AppendRecord(const Record& record, std::vector<uint8_t>* list) {
  Writer out;
  out.Block(record.Bytes());
  const std::vector<uint8_t> bytes = out.Take();
  list->insert(list->end(), bytes.begin(), bytes.end());
}

std::optional<ConstBytes> TakeRecord(ConstBytes* list) {
  Reader in(*list);
  const ConstBytes record = in.Block(kMaxRecord);
  if (!in.ok()) return std::nullopt;
  *list = list->subspan(sizeof(uint16_t) + record.size());
  return record;
}

std::optional<std::vector<uint8_t>> ProofFor(const RecordSet& records, const View& view, const PublicKey& identity) {
  if (!view.members.contains(identity)) return std::nullopt;
  const auto chain = Chains(records, view).To(identity);
  if (!chain) return std::nullopt;
  std::vector<uint8_t> proof;
  AppendRecord(records.genesis(), &proof);
  for (const RecordId& id : view.in_effect) {
    const auto roster = records.rosters().find(id);
    if (roster != records.rosters().end()) AppendRecord(roster->second, &proof);
  }
  for (const Record* admit : *chain) AppendRecord(*admit, &proof);
  if (proof.size() > kMaxProof) return std::nullopt;
  return proof;
}

Digest ProofDigest(ConstBytes proof) {
  return Hash("qure proof 1", {proof});
}

ProofParts::ProofParts(size_t size, const Digest& digest) : digest_(digest), bytes_(size) {
  QURE_CHECK(size > 0 && size <= kMaxProof, size);
  MissAll();
}

void ProofParts::Take(const ProofMessage& part) {
  const uint64_t bit = uint64_t{1} << part.index;
  const size_t offset = part.index * kProofPart;
  if (part.total != total() || (missing_ & bit) == 0 ||
      part.part.size() != std::min(kProofPart, bytes_.size() - offset)) {
    return;
  }
  std::ranges::copy(part.part, bytes_.begin() + static_cast<ptrdiff_t>(offset));
  missing_ &= ~bit;
  if (missing_ == 0 && ProofDigest(bytes_) != digest_) MissAll();
}

void ProofParts::MissAll() {
  missing_ = total() == kMaxProofParts ? ~uint64_t{0} : (uint64_t{1} << total()) - 1;
}

std::vector<ProofMessage> PartsOf(ConstBytes proof, const Digest& h2) {
  std::vector<ProofMessage> parts;
  const size_t total = (proof.size() + kProofPart - 1) / kProofPart;
  while (!proof.empty()) {
    const ConstBytes part = proof.first(std::min(proof.size(), kProofPart));
    parts.push_back({.h2 = h2,
                     .index = static_cast<uint16_t>(parts.size()),
                     .total = static_cast<uint16_t>(total),
                     .part = {part.begin(), part.end()}});
    proof = proof.subspan(part.size());
  }
  return parts;
}

std::string_view NameOf(ProofFault fault) {
  switch (fault) {
    case ProofFault::kUnsound:
      return "unsound";
    case ProofFault::kRecord:
      return "record";
    case ProofFault::kNoMember:
      return "no_member";
  }
  return "?";
}

size_t RecordsIn(ConstBytes proof) {
  size_t count = 0;
  while (!proof.empty() && TakeRecord(&proof)) ++count;
  return count;
}

std::variant<RecordSet, ProofFault> JudgeProof(ConstBytes proof, const PublicKey& offerer) {
  if (proof.size() > kMaxProof) return ProofFault::kUnsound;
  std::optional<RecordSet> records;
  while (!proof.empty()) {
    const std::optional<ConstBytes> bytes = TakeRecord(&proof);
    if (!bytes) return ProofFault::kUnsound;
    const PublicKey recovery = records ? records->genesis().signer() : PublicKey{};
    const auto read = Record::Read(*bytes, recovery);
    const auto* record = std::get_if<Record>(&read);
    if (record == nullptr) return ProofFault::kRecord;
    if (!records) {
      if (record->As<Genesis>() == nullptr) return ProofFault::kUnsound;
      records.emplace(*record);
    } else if (records->Add(*record) != RecordSet::Added::kNew) {
      return ProofFault::kRecord;
    }
  }
  if (!records) return ProofFault::kUnsound;
  if (!ViewOf(*records).members.contains(offerer)) return ProofFault::kNoMember;
  return *std::move(records);
}

}  // namespace qure::admission
