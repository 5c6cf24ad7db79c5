// When a node seals with a session key that is greater than the one it uses: as soon as all members that are present
// say that they have it, or kSwitchKey after it came, so that none is cut off by it. The key before opens for
// kOldKey more, since recordings and answers under it are still under way; one that is not clean (session_keys.h) for
// kSwitchKey: others may wait for so long. A pure state machine; the keyring is its caller's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "control/core/admission/session_keys.h"
#include "control/core/stored.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kSwitchKey = Seconds(2);  // who says nothing for so long is not present
inline constexpr Duration kOldKey = Seconds(600);

class KeyChange {
 public:
  // Before the first Step, and whenever the keys, the ring or the records are other ones. `rostered`: a roster counts,
  // so a key that has no record is not clean.
  void Follow(MonoTime now, const SessionKeys& keys, const Keyring& ring, bool rostered);
  // The ring as it is from now on; nothing: as it was. `all_have`: all that are present have coming().
  std::optional<Keyring> Step(MonoTime now, const Keyring& ring, bool all_have);
  MonoTime deadline() const { return std::min(switch_at_, drop_at_); }
  // The key that will be used; 0: the one that is.
  uint32_t coming() const { return coming_; }

 private:
  bool IsClean(const StoredKey& key) const;

  std::vector<uint32_t> clean_;  // their ids
  bool rostered_ = false;
  uint32_t coming_ = 0;
  MonoTime switch_at_ = kNever;
  MonoTime drop_at_ = kNever;
};

}  // namespace qure::admission
