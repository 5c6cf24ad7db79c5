// The term epochs that this node may claim with. They are reserved durably, a block at a time, so that a node that was
// restarted, even from an old disk image, never claims twice with one.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "control/core/stored.h"
#include "proto/cluster/node.h"

namespace qure {

class TermReserve {
 public:
  // `stored`: what was reserved before this boot. Any of it may have been used.
  explicit TermReserve(const StoredEpochs& stored) : used_(stored), reserved_(stored) {}

  // The least term epoch of `era` that this boot may use: above `highest`, the highest term ever heard of, and above
  // all that this node has claimed with.
  uint64_t Next(uint32_t era, const Term& highest) const;
  // Whether `epoch` of `era` is durably ours to use. If not, or if few are left, asks for more. A store that fails does
  // not keep the address down: the holder's name in the term still keeps it apart from other nodes' terms. `alone`:
  // there are no other nodes.
  bool Reserve(uint32_t era, uint64_t epoch, bool alone);
  // This node claims with `epoch` of `era`, which is above all that it has claimed with in this boot.
  void Claim(uint32_t era, uint64_t epoch);
  // The store's answer to a request.
  void OnStored(const StoredEpochs& epochs, bool ok);
  // The store takes changes again: the next need asks it anew. Until it has answered, no claim waits for it.
  void OnStoreRecovered() { ask_again_ = true; }

  // What is to be made durable, once a request.
  std::optional<StoredEpochs> TakeRequest() { return std::exchange(request_, std::nullopt); }
  // The store has answered each request, and took the last one.
  bool settled() const { return !asked_ && !store_fails_; }

 private:
  const StoredEpochs used_;  // term epochs below may have been used by boots before
  StoredEpochs claimed_;     // the last one that this boot has claimed with
  StoredEpochs reserved_;    // term epochs below may be used without asking the store
  std::optional<StoredEpochs> request_;
  bool asked_ = false;        // and not answered yet
  bool store_fails_ = false;  // the last request could not be made durable
  bool ask_again_ = false;    // though it could not
};

}  // namespace qure
