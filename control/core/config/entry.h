// Entries of the configuration: which records count, how they are made, and how a body is cut for the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/admission/view.h"
#include "control/core/config/stage_map.h"
#include "proto/bytes.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure::clusterconfig {

using admission::Digest;

// This node, and what it signs with.
struct Self {
  NodeId node{};
  admission::SigningKey key;
  admission::PublicKey recovery{};  // of the cluster: records are read with it
};

std::string ToText(const Version& version);

Digest DigestOf(std::string_view body);

// Whose records about the configuration count: members, and who left by its own word. Who was expelled is not among
// them, and what it has signed is taken out by all who know the roster.
class Signers {
 public:
  Signers() = default;
  explicit Signers(const admission::View& view);

  // The signer counts, and numbered the entry in a term of its own.
  bool MayNumber(const admission::Record& entry) const;
  bool Counts(const admission::Record& record) const { return nodes_.contains(record.signer()); }
  // The name of the node; its id if it has none.
  std::string NameOf(const admission::PublicKey& identity) const;

 private:
  std::map<admission::PublicKey, admission::MemberView> nodes_;
};

// Records of these kinds, or nothing. Checks the signature: about 0.1 ms.
std::optional<admission::Record> ReadEntry(ConstBytes bytes, const admission::PublicKey& recovery);
std::optional<admission::Record> ReadConfirm(ConstBytes bytes, const admission::PublicKey& recovery);
const admission::ConfigEntry& EntryOf(const admission::Record& record);

// What a change is made of, before it has a number.
struct Draft {
  Version base;
  Digest body{};
  uint32_t size = 0;                // of the body, 1 to kMaxConfigBody
  std::optional<Duration> confirm;  // it is rolled back unless it is confirmed within this; to kMaxConfirmTimeoutMs
};
admission::Record Number(const Draft& draft, const Term& term, uint64_t n, const admission::RecordHead& head,
                         const admission::SigningKey& key);
admission::Record ConfirmationOf(const Version& version, const admission::RecordHead& head,
                                 const admission::SigningKey& key);
Duration TimeoutOf(const admission::ConfigEntry& entry);

inline constexpr size_t kBodyPart = 1'024;  // bytes
inline constexpr uint32_t kPartsAtOnce = 16;

uint32_t PartCount(size_t size);
// Empty if there is none of this index.
std::string_view PartOf(std::string_view body, uint32_t index);

// Puts a body together from its parts, in any order.
class BodyFetch {
 public:
  // `size`: as the entry says, at most kMaxConfigBody. `first`: asked first.
  BodyFetch(const Digest& digest, uint32_t size, const NodeId& first);

  const Digest& digest() const { return digest_; }
  uint32_t size() const { return static_cast<uint32_t>(body_.size()); }
  // Ignores what is of another body or does not fit it. The body once it is whole; if it is not what its digest says,
  // all parts are taken anew.
  std::optional<std::string> OnPart(MonoTime now, const Digest& digest, uint32_t index, std::string_view part);

  // Asks `from` for kPartsAtOnce parts from `first` on. Nothing if it is too early or there is nobody to ask.
  struct Ask {
    NodeId from{};
    uint32_t first = 0;
  };
  std::optional<Ask> Next(MonoTime now, const std::vector<NodeId>& peers);
  MonoTime next_at() const { return next_at_; }

 private:
  Digest digest_;
  std::string body_;
  std::vector<bool> have_;
  uint32_t missing_;
  uint32_t asked_until_ = 0;
  NodeId from_;
  size_t turn_ = 0;  // of the peers, once `from_` has not answered
  bool answered_ = true;
  MonoTime next_at_ = kLongAgo;
};

}  // namespace qure::clusterconfig
