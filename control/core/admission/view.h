// Who belongs to the cluster, as a pure function of the records that this node knows: no quorum, no clock, no order.
//
// The greatest generation of rosters counts. Its base is who is in all rosters of that generation (there are several if
// the recovery code was used in two partitions). Members are the base, and whom members admitted in that generation,
// less those that left. So who was left out by a roster is out for all who know that roster, whatever it signs.
//
// A token counts if a member opened it in that generation, until a later invitation was made after its end: so the
// invitations that are over do not pile up, and no clock is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "proto/cluster/node.h"

namespace qure::admission {

// Beside the genesis. Rosters are signed by the operator's code alone, and have room of their own: a member that fills
// the set with records can still be revoked.
inline constexpr size_t kMaxRosters = 64;
inline constexpr size_t kMaxRecords = 4'096;
inline constexpr size_t kMaxRecordsOfSigner = 512;

struct MemberView {
  NodeId node{};
  std::string name;                   // as it was admitted; empty: by the roster alone
  std::optional<uint64_t> forgotten;  // boots up to this age are taken for dead
  friend bool operator==(const MemberView&, const MemberView&) = default;
};

// Open for `uses` more nodes.
struct TokenView {
  PublicKey key{};
  uint32_t uses = 0;
  uint64_t until_uptime = 0;       // of the cluster, in ms
  std::vector<PublicKey> used_by;  // admitted by it, of the view's generation
  friend bool operator==(const TokenView&, const TokenView&) = default;
};

struct View {
  uint32_t generation = 0;
  Digest rosters{};                         // over genesis and all of that generation; session keys are made for them
  std::map<PublicKey, MemberView> members;  // by identity; more than kMaxMembers only after a merge
  std::map<PublicKey, MemberView> left;     // were members, and left by their own word: what they configured stays
  std::map<TokenId, TokenView> tokens;
  // Records that made it what it is, the rosters of the generation included: they are sent to others. Equal digests
  // mean equal views.
  std::vector<RecordId> in_effect;  // ascending
  Digest digest{};

  bool MayAdmit() const { return members.size() < kMaxMembers; }
  friend bool operator==(const View&, const View&) = default;
};

// The records of one cluster that a node knows. It only grows, and two merge into their union, up to the bounds. Beyond
// them records without effect go first; if all have effect, what is new is refused and nothing is dropped: otherwise a
// member could expel others by a flood. A roster ends the effect of what the flood was made of.
class RecordSet {
 public:
  enum class Added : uint8_t {
    kNew,
    kKnown,
    kForeign,  // of another cluster, a roster that its recovery key did not sign, or no record of this set
    kFull,
  };

  // A genesis record.
  explicit RecordSet(Record genesis);

  // Where there is no room, it takes as long as ViewOf.
  Added Add(const Record& record);
  // Of the same cluster. How many were new.
  size_t Merge(const RecordSet& other);

  const Fingerprint& cluster() const { return cluster_; }
  const Record& genesis() const { return genesis_; }
  const std::map<RecordId, Record>& rosters() const { return rosters_; }
  const std::map<RecordId, Record>& others() const { return others_; }  // ADMIT, LEAVE, FORGET, INVITE

 private:
  Added AddRoster(const Record& record);
  bool IsFull(const PublicKey& signer) const;
  void DropWithoutEffect();

  Record genesis_;
  Fingerprint cluster_;
  std::map<RecordId, Record> rosters_;
  std::map<RecordId, Record> others_;
  std::map<PublicKey, size_t> signed_by_;  // of `others_`
};

View ViewOf(const RecordSet& records);

}  // namespace qure::admission
