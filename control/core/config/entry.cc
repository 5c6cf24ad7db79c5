#include "control/core/config/entry.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "control/core/timers.h"
#include "proto/check.h"

namespace qure::clusterconfig {
namespace {

template <typename T>
std::optional<admission::Record> ReadOf(ConstBytes bytes, const admission::PublicKey& recovery) {
  std::variant<admission::Record, admission::RecordFault> read = admission::Record::Read(bytes, recovery);
  auto* const record = std::get_if<admission::Record>(&read);
  if (record == nullptr || record->As<T>() == nullptr) return std::nullopt;
  return std::move(*record);
}

}  // namespace

std::string ToText(const Version& version) {
  return absl::StrCat(version.term.era, ".", version.term.epoch, ".", version.n, "-",
                      absl::Hex(version.check >> 32, absl::kZeroPad8));
}

Digest DigestOf(std::string_view body) {
  return admission::Hash("qure config body 1", {AsBytes(body)});
}

Signers::Signers(const admission::View& view) : nodes_(view.members) {
  nodes_.insert(view.left.begin(), view.left.end());
}

bool Signers::MayNumber(const admission::Record& entry) const {
  const auto signer = nodes_.find(entry.signer());
  return signer != nodes_.end() && EntryOf(entry).version.term.holder == HolderOf(signer->second.node);
}

std::string Signers::NameOf(const admission::PublicKey& identity) const {
  const auto found = nodes_.find(identity);
  if (found != nodes_.end() && !found->second.name.empty()) return found->second.name;
  const NodeId node = found == nodes_.end() ? admission::NodeIdOf(identity) : found->second.node;
  return ToHex(node);
}

std::optional<admission::Record> ReadEntry(ConstBytes bytes, const admission::PublicKey& recovery) {
  return ReadOf<admission::ConfigEntry>(bytes, recovery);
}

std::optional<admission::Record> ReadConfirm(ConstBytes bytes, const admission::PublicKey& recovery) {
  return ReadOf<admission::ConfigConfirm>(bytes, recovery);
}

const admission::ConfigEntry& EntryOf(const admission::Record& record) {
  const auto* const entry = record.As<admission::ConfigEntry>();
  QURE_CHECK(entry != nullptr);
  return *entry;
}

admission::Record Number(const Draft& draft, const Term& term, uint64_t n, const admission::RecordHead& head,
                         const admission::SigningKey& key) {
  admission::ConfigEntry entry{.head = head,
                               .signer = key.public_key,
                               .version = {.term = term, .n = n},
                               .base = draft.base,
                               .body = draft.body,
                               .size = draft.size,
                               .confirm = draft.confirm.has_value(),
                               .timeout_ms = 0};
  if (draft.confirm) entry.timeout_ms = static_cast<uint32_t>(draft.confirm->ns / Milliseconds(1).ns);
  entry.version.check = admission::CheckOf(entry);
  return admission::Record::Sign(entry, key);
}

admission::Record ConfirmationOf(const Version& version, const admission::RecordHead& head,
                                 const admission::SigningKey& key) {
  return admission::Record::Sign(admission::ConfigConfirm{.head = head, .signer = key.public_key, .version = version},
                                 key);
}

Duration TimeoutOf(const admission::ConfigEntry& entry) {
  return Milliseconds(entry.timeout_ms);
}

uint32_t PartCount(size_t size) {
  return static_cast<uint32_t>((size + kBodyPart - 1) / kBodyPart);
}

std::string_view PartOf(std::string_view body, uint32_t index) {
  return index < PartCount(body.size()) ? body.substr(index * kBodyPart, kBodyPart) : std::string_view();
}

BodyFetch::BodyFetch(const Digest& digest, uint32_t size, const NodeId& first)
    : digest_(digest), body_(size, '\0'), have_(PartCount(size)), missing_(PartCount(size)), from_(first) {
  QURE_CHECK(size > 0 && size <= admission::kMaxConfigBody, size);
}

std::optional<std::string> BodyFetch::OnPart(MonoTime now, const Digest& digest, uint32_t index,
                                             std::string_view part) {
  if (digest != digest_ || index >= have_.size() || have_[index]) return std::nullopt;
  if (part.size() != PartOf(body_, index).size()) return std::nullopt;
  std::ranges::copy(part, body_.begin() + static_cast<std::ptrdiff_t>(index * kBodyPart));
  have_[index] = true;
  answered_ = true;
  // All that was asked for has come: the next ones at once.
  const auto end = have_.begin() + std::min<std::ptrdiff_t>(asked_until_, std::ssize(have_));
  if (std::find(have_.begin(), end, false) == end) next_at_ = now;
  if (--missing_ > 0) return std::nullopt;
  if (DigestOf(body_) == digest_) return std::move(body_);
  have_.assign(have_.size(), false);
  missing_ = static_cast<uint32_t>(have_.size());
  answered_ = false;
  next_at_ = now;
  return std::nullopt;
}

std::optional<BodyFetch::Ask> BodyFetch::Next(MonoTime now, const std::vector<NodeId>& peers) {
  if (now < next_at_ || missing_ == 0) return std::nullopt;
  if (!answered_ && !peers.empty()) from_ = peers[turn_++ % peers.size()];
  answered_ = false;
  next_at_ = now + kConfigPull;
  const auto first = static_cast<uint32_t>(std::find(have_.begin(), have_.end(), false) - have_.begin());
  asked_until_ = first + kPartsAtOnce;
  return Ask{.from = from_, .first = first};
}

}  // namespace qure::clusterconfig
