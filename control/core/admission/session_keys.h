// Which session keys this node takes and hands on. A key is clean if it was made for the rosters that this node knows,
// by a member of its view. Of clean keys the greatest (number, id) is to seal, when key_change.h says so. What is not
// clean is not taken and not handed on, so that a revoked node never learns a key that was made without it, not even
// from a node that did not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"
#include "proto/cluster/envelope.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kMakeKeyAfter = Milliseconds(500);   // so long others are asked for one; then …
inline constexpr Duration kMakeKeySpread = Milliseconds(100);  // … the first by rank at once, the last after this
inline constexpr size_t kSessionKeysKept = 2;
inline constexpr uint64_t kSessionNumberLimit = 1ULL << 48;  // no cluster rotates so often: refused

// What a key record says of the key that it is for.
Digest DigestOf(const ClusterKey& key);

// A key with its SESSION record. Its bytes are overwritten when it goes.
struct SessionGrant {
  SessionGrant(Record of, const ClusterKey& secret) : record(std::move(of)), key(secret) {}
  SessionGrant(const SessionGrant&) = default;
  SessionGrant& operator=(const SessionGrant&) = default;
  ~SessionGrant();

  const Session& session() const { return *record.As<Session>(); }

  Record record;
  ClusterKey key;
};

class SessionKeys {
 public:
  // Judges all keys anew. Before the first use, and whenever the view has changed.
  void Follow(const View& view, const PublicKey& self, MonoTime now);
  // False if it is not clean, of another key than its record says, or older than those that are kept. True also if it
  // is here already. A new one is durable before it is taken.
  bool Take(const SessionGrant& grant);

  // Null: none.
  const SessionGrant* seals() const { return clean_.empty() ? nullptr : &clean_.front(); }
  // To be stored, and to be handed on to members: after the records, so that the other judges as we do. Greatest first.
  const std::vector<SessionGrant>& clean() const { return clean_; }

  // When this node makes a key, if none was taken by then; kNever: one is clean, or we are no member.
  MonoTime make_at() const { return make_at_; }
  // A key for the view that was followed, also to rotate. `key` and `key_id` are random. It is not taken yet. Nothing
  // if `key_id` is in use, or a member has used up the numbers: the next roster begins them anew.
  std::optional<SessionGrant> Make(const SigningKey& self, const RecordHead& head, const ClusterKey& key,
                                   uint32_t key_id) const;

 private:
  bool IsClean(const SessionGrant& grant) const;
  void PlanToMake(const PublicKey& self, MonoTime now);

  View view_;
  std::vector<SessionGrant> clean_;  // greatest (number, id) first; at most kSessionKeysKept
  MonoTime make_at_ = kNever;
};

}  // namespace qure::admission
