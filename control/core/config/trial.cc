#include "control/core/config/trial.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace qure::clusterconfig {

void Trial::OnHealth(MonoTime now, const Health& health) {
  if (now >= began_ + kConfigTrialLeast) seen_ = health;
}

void Trial::OnFinding(Finding finding) {
  objection_ = std::move(finding);
}

bool Trial::TakeVerdict(MonoTime now) {
  if (judged_) return false;
  const bool well = seen_ && !Worse(*seen_);
  const bool impatient = now >= began_ + kConfigTrialPatience;
  if (!objection_ && !well && !impatient) return false;
  if (!objection_ && !well) objection_ = Worse(seen_.value_or(Health{}));
  judged_ = true;
  return true;
}

std::optional<Finding> Trial::Worse(const Health& now) const {
  if (before_.gateway && !now.gateway) {
    return Finding{.reason = "with it, the gateway does not answer", .remedy = "check addresses and gateways"};
  }
  if (now.members < before_.members) {
    return Finding{.reason = absl::StrCat("with it, ", now.members, " of ", before_.members, " members are heard"),
                   .remedy = "check port, group and security of the cluster"};
  }
  if (now.failing > before_.failing) {
    return Finding{
        .reason = absl::StrCat("with it, ", now.failing, " services fail their check, ", before_.failing, " without"),
        .remedy = "check the services and their health checks"};
  }
  return std::nullopt;
}

}  // namespace qure::clusterconfig
