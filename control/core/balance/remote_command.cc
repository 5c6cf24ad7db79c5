#include "control/core/balance/remote_command.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {
namespace {

void CarryOutDrain(MonoTime now, const wire::RemoteCommand& command, const ClusterConfig& config, StoredState* stored,
                   Balancing* balancing, StoreChange* change) {
  StoredDrain drain{.on = command.drain()};
  if (drain.on && !command.has_drain_deadline_s()) {
    drain.deadline = config.drain_deadline;
  } else if (drain.on && command.drain_deadline_s() != 0) {
    drain.deadline = std::min(Seconds(command.drain_deadline_s()), kMostDrainDeadline);
  }
  if (drain == stored->drain && !drain.deadline) return;
  balancing->drain().Set(now, drain);
  if (drain != stored->drain) change->drain = drain;
  stored->drain = drain;
}

}  // namespace

wire::RemoteCommand ToRemote(const SetDraining& command) {
  wire::RemoteCommand remote;
  remote.set_drain(command.on);
  if (command.deadline) {
    remote.set_drain_deadline_s(static_cast<uint32_t>(command.deadline->ns / Seconds(1).ns));
  }
  return remote;
}

wire::RemoteCommand ToRemote(const SetWeight& command) {
  wire::RemoteCommand remote;
  remote.set_service(command.service);
  if (command.weight) remote.set_weight(*command.weight);
  return remote;
}

wire::RemoteCommand ToRemote(const ForgetNode& command) {
  wire::RemoteCommand remote;
  remote.set_forget(WriteId(command.node));
  return remote;
}

StoreChange CarryOut(MonoTime now, const wire::RemoteCommand& command, const ClusterConfig& config, StoredState* stored,
                     Balancing* balancing) {
  StoreChange change;
  if (command.has_drain()) CarryOutDrain(now, command, config, stored, balancing, &change);
  std::map<std::string, uint32_t> weights = stored->weights;
  if (!command.service().empty()) {
    weights.erase(command.service());
    if (command.has_weight()) weights[command.service()] = std::min<uint32_t>(command.weight(), UINT8_MAX);
  }
  if (weights != stored->weights) {
    stored->weights = weights;
    balancing->SetWeights(weights);
    change.weights = std::move(weights);
  }
  return change;
}

}  // namespace qure
