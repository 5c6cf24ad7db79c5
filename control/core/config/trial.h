// What a canary judges by while it has a change on trial: is it worse off than before?
#pragma once

#include <cstddef>
#include <optional>

#include "control/core/config/messages.h"
#include "control/core/config/stage_map.h"
#include "control/core/timers.h"
#include "proto/time.h"

namespace qure::clusterconfig {

// What the node sees of its surroundings.
struct Health {
  bool gateway = false;  // answers, and to the service MAC if this node is master
  size_t members = 0;    // heard
  size_t failing = 0;    // services of this node whose check fails
  friend bool operator==(const Health&, const Health&) = default;
};

class Trial {
 public:
  // `before`: the health without the change.
  Trial(const Version& version, MonoTime now, const Health& before)
      : version_(version), before_(before), began_(now), until_(now + kConfigTrial) {}

  const Version& version() const { return version_; }
  // What is seen now. What was seen sooner than kConfigTrialLeast is of before.
  void OnHealth(MonoTime now, const Health& health);
  // The node could not apply it at all.
  void OnFinding(Finding finding);

  // Once: the verdict has come about. An objection ends the trial.
  bool TakeVerdict(MonoTime now);
  const std::optional<Finding>& objection() const { return objection_; }
  bool over(MonoTime now) const { return now >= until_; }
  MonoTime next_at() const { return judged_ ? until_ : began_ + kConfigTrialPatience; }

 private:
  std::optional<Finding> Worse(const Health& now) const;

  Version version_;
  Health before_;
  MonoTime began_;
  MonoTime until_;
  std::optional<Health> seen_;
  std::optional<Finding> objection_;
  bool judged_ = false;
};

}  // namespace qure::clusterconfig
