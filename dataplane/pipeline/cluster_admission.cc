#include "dataplane/pipeline/cluster_admission.h"

#include <algorithm>
#include <cstring>

namespace qure {
namespace {

uint64_t HashOf(const BootId& boot) {
  uint64_t words[2];
  std::memcpy(words, boot.data(), sizeof(words));
  return ((words[0] ^ words[1]) * 0x9e3779b97f4a7c15) >> 32;
}

}  // namespace

bool ClusterAdmission::Allowance::Take(MonoTime now, int rate, int burst) {
  const Duration cost{Seconds(1).ns / rate};
  spent_until = std::max(spent_until, now - cost * burst);
  if (spent_until + cost > now) return false;
  spent_until = spent_until + cost;
  return true;
}

bool ClusterAdmission::TakeKnown(const BootId& boot) {
  return known_[HashOf(boot) % known_.size()].Take(now_, kKnownRate, kKnownBurst);
}

bool ClusterAdmission::MayProve(const BootId& boot, uint64_t counter) {
  const Proven& proven = proven_[HashOf(boot) % proven_.size()];
  if (proven.boot == boot && !proven.window.IsNew(counter)) return false;
  return proofs_.Take(now_, kProofRate, kProofBurst);
}

// The counter is noted even if there is no room: so the newest one makes recordings of all earlier ones worthless.
bool ClusterAdmission::TakeProven(const BootId& boot, uint64_t counter) {
  Proven& proven = proven_[HashOf(boot) % proven_.size()];
  if (proven.boot != boot) proven = {.boot = boot, .window = {}, .allowance = proven.allowance};
  return proven.window.Accept(counter) && proven.allowance.Take(now_, kKnownRate, kKnownBurst);
}

bool ClusterAdmission::TakeStranger(const BootId& boot) {
  return strangers_[HashOf(boot) % strangers_.size()].Take(now_, kStrangerRate, kStrangerBurst) &&
         all_strangers_.Take(now_, kStrangersRate, kStrangersBurst);
}

}  // namespace qure
