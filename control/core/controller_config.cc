// The configuration that all nodes have: what the parts of the controller give it, and what comes of it.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/core/controller.h"

namespace qure {

clusterconfig::ConfigView Controller::ViewForConfig(MonoTime now) {
  clusterconfig::ConfigView view{.now = now,
                                 .roll = &roll_,
                                 .members = &members_,
                                 .transport = &transport_,
                                 .ledger = &ledger_,
                                 .occasion = OccasionAt(now),
                                 .master = std::nullopt,
                                 .rank = Input().rank,
                                 .health = HealthSeen()};
  if (const auto master = election_.master()) view.master = {.node = *master, .term = election_.term()};
  return view;
}

// A master asks the gateway from the service addresses. A member has no reason to ask but a change (StepConfig).
clusterconfig::Health Controller::HealthSeen() const {
  const ServiceHealth& health = balancing_.health();
  const auto verified = [](const Claim& claim) { return claim.status().verified; };
  const bool master_sees = config_.gateways.empty() || std::ranges::all_of(addresses_.claims(), verified);
  return {.gateway = leads() ? master_sees : addresses_.GatewaysAnswer(),
          .members = members_.present_count(),
          .failing = health.unhealthy.size() - std::min(health.unchecked.size(), health.unhealthy.size())};
}

Actions Controller::OnConfigValidated(MonoTime now, const clusterconfig::Version& version,
                                      std::optional<clusterconfig::Finding> finding) {
  Actions out;
  if (!active()) return out;
  shared_config_.OnValidated(ViewForConfig(now), version, std::move(finding), &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnConfigApplied(MonoTime now, const clusterconfig::Version& version,
                                    std::optional<clusterconfig::Finding> finding) {
  Actions out;
  if (!active()) return out;
  shared_config_.OnApplied(ViewForConfig(now), version, std::move(finding), &out);
  election_.Tick(now, Input(), &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnConfigRetry(MonoTime now) {
  Actions out;
  if (!active()) return out;
  shared_config_.OnEvent(ViewForConfig(now), &out);
  return Conclude(now, std::move(out));
}

// One node writes it down, not all.
void Controller::StepConfig(MonoTime now, Actions* out) {
  if (!shared_config_.takes_part()) return;
  shared_config_.Step(ViewForConfig(now), out);
  if (shared_config_.TakeAsksGateway() && !leads()) addresses_.AskGateways(now, out);
  for (const clusterconfig::StageReached& reached : shared_config_.TakeReached()) {
    if (!leads()) continue;
    history_.Note(ViewForHistory(now), HistoryKind::kConfig, out, {},
                  absl::StrCat(clusterconfig::ToText(reached.version), " ", std::string(NameOf(reached.stage))));
  }
  if (shared_config_.TakeChanged()) HelloBy(now);
}

absl::Status Controller::Do(MonoTime now, const ProposeConfig& command, Actions* out) {
  return shared_config_.Propose(ViewForConfig(now),
                                {.id = command.id,
                                 .body = command.body,
                                 .confirm = command.confirm,
                                 .canary = command.canary,
                                 .dry_run = command.dry_run,
                                 .base = command.base},
                                command.by, out);
}

absl::Status Controller::Do(MonoTime now, const ConfirmConfig& command, Actions* out) {
  return shared_config_.Confirm(ViewForConfig(now), command.id, out);
}

absl::Status Controller::Do(MonoTime now, const AbortConfig&, Actions* out) {
  return shared_config_.Abort(ViewForConfig(now), out);
}

absl::Status Controller::Do(MonoTime now, const AcknowledgeConfig&, Actions* out) {
  return shared_config_.Acknowledge(ViewForConfig(now), out);
}

}  // namespace qure
