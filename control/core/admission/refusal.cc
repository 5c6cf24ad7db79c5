#include "control/core/admission/refusal.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "control/core/admission/handshake.h"

namespace qure::admission {

std::vector<RefusedMessage> MakeRefusal(const SigningKey& identity, const Digest& h1, RefusedWhy why,
                                        const Record* record) {
  const std::vector<uint8_t> bytes = record == nullptr ? std::vector<uint8_t>() : record->Bytes();
  const size_t total = (bytes.size() + kProofPart - 1) / kProofPart;
  std::vector<RefusedMessage> messages;
  for (size_t index = 0; index < std::max<size_t>(total, 1); ++index) {
    const ConstBytes rest = ConstBytes(bytes).subspan(index * kProofPart);
    const ConstBytes part = rest.first(std::min(rest.size(), kProofPart));
    messages.push_back({.h1 = h1,
                        .why = why,
                        .index = static_cast<uint8_t>(index),
                        .total = static_cast<uint8_t>(total),
                        .identity = identity.public_key,
                        .part = {part.begin(), part.end()}});
    SignMessage(identity, &messages.back());
  }
  return messages;
}

std::optional<Record> RefusalParts::Take(const RefusedMessage& part, const RecordSet& known) {
  if (part.identity != by_ || part.why != why_ || part.total != parts_.size()) {
    by_ = part.identity;
    why_ = part.why;
    parts_.assign(part.total, {});
  }
  if (part.total == 0) return std::nullopt;
  parts_[part.index] = part.part;
  std::vector<uint8_t> whole;
  for (const std::vector<uint8_t>& each : parts_) {
    if (each.empty()) return std::nullopt;
    whole.insert(whole.end(), each.begin(), each.end());
  }
  auto read = Record::Read(whole, known.genesis().signer());
  auto* record = std::get_if<Record>(&read);
  if (record == nullptr) return std::nullopt;
  return std::move(*record);
}

bool Expels(const Record& record, const RecordSet& known, const PublicKey& identity) {
  RecordSet with = known;
  const RecordSet::Added added = with.Add(record);
  if (added != RecordSet::Added::kNew && added != RecordSet::Added::kKnown) return false;
  return !ViewOf(with).members.contains(identity);
}

}  // namespace qure::admission
