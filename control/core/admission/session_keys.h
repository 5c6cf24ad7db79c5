// Which session keys this node takes, uses and hands on. A key is clean if it was made for the rosters that this node
// knows, by a member of its view. Of clean keys the greatest (number, id) seals, and all open. What is not clean is not
// taken, not used and not handed on, so that a revoked node never learns a key that was made without it, not even from
// a node that did not know. After the view changed, heartbeats under a key that was clean are accepted for a moment
// more: the lease does not end because of a revocation.
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

inline constexpr Duration kUncleanHeartbeats = Seconds(1);
inline constexpr Duration kMakeKeySpread = Milliseconds(100);  // the first by rank at once, the last after this
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
  // Wipes what is accepted no longer.
  void Tick(MonoTime now);

  // Null: none; nothing is sealed then.
  const SessionGrant* seals() const { return clean_.empty() ? nullptr : &clean_.front(); }
  // To be stored, and to be handed on to members: after the records, so that the other judges as we do. Greatest first.
  const std::vector<SessionGrant>& clean() const { return clean_; }
  // The key of an envelope, null if nothing is accepted under this id.
  const ClusterKey* Opens(uint32_t key_id, Channel channel, MonoTime now) const;

  // When this node makes a key, if none was taken by then; kNever: one is clean, or we are no member.
  MonoTime make_at() const { return make_at_; }
  // A key for the view that was followed, also to rotate. `key` and `key_id` are random. It is not taken yet. Nothing
  // if `key_id` is in use, or a member has used up the numbers: the next roster begins them anew.
  std::optional<SessionGrant> Make(const SigningKey& self, const RecordHead& head, const ClusterKey& key,
                                   uint32_t key_id) const;

 private:
  struct Unclean {
    SessionGrant grant;
    MonoTime until;
  };

  bool IsClean(const SessionGrant& grant) const;
  void PlanToMake(const PublicKey& self, MonoTime now);

  View view_;
  std::vector<SessionGrant> clean_;  // greatest (number, id) first; at most kSessionKeysKept
  std::vector<Unclean> unclean_;     // that were clean, the last first; at most kSessionKeysKept
  MonoTime make_at_ = kNever;
};

}  // namespace qure::admission
