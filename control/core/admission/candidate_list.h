// The nodes without keys that were heard, as an operator sees them. It is a view and no more: who is admitted is looked
// up elsewhere, so that a list that is full delays nobody who was named.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/admission/messages.h"
#include "control/core/admission/signing.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr size_t kMaxListed = 64;
inline constexpr Duration kListedLife = Seconds(60);  // not heard for so long: gone

enum class ListedState : uint8_t {
  kUnnamed,   // waits for an operator
  kNamed,     // it is offered membership, or will be
  kExpelled,  // a roster left it out: an operator is asked twice
};

std::string_view NameOf(ListedState state);

struct ListedCandidate {
  PublicKey identity{};
  NodeId node{};
  MacAddress mac;
  std::string name;
  std::string revision;
  bool copy = false;
  Fingerprint want{};  // zero: any
  ListedState state = ListedState::kUnnamed;
  MonoTime first_heard;
  MonoTime heard;
};

class CandidateList {
 public:
  // Its signature holds. In a full list it takes the place of the unnamed one that was not heard for longest; there is
  // no room if all are named.
  void Note(MonoTime now, const CandidateMessage& candidate, ListedState state);
  void Remove(const PublicKey& identity) { listed_.erase(identity); }
  void Tick(MonoTime now);

  // Those whose fingerprint begins with `digits` (ParseCode in codes.h).
  std::vector<ListedCandidate> Find(std::string_view digits) const;
  // By identity.
  const std::map<PublicKey, ListedCandidate>& all() const { return listed_; }

 private:
  std::map<PublicKey, ListedCandidate> listed_;
};

}  // namespace qure::admission
