// Commands about the balance that may be for another node: as messages, and what they do at the node that they are for.
#pragma once

#include "control/core/balance/balancing.h"
#include "control/core/command.h"
#include "control/core/config.h"
#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/time.h"

namespace qure {

wire::RemoteCommand ToRemote(const SetDraining& command);
wire::RemoteCommand ToRemote(const SetWeight& command);
wire::RemoteCommand ToRemote(const ForgetNode& command);

// Carries the command out on this node: changes `stored` and `balancing`, and returns what is to be made durable. A
// message that comes again changes nothing; with a deadline it begins the deadline again, within some 150 ms.
StoreChange CarryOut(MonoTime now, const wire::RemoteCommand& command, const ClusterConfig& config, StoredState* stored,
                     Balancing* balancing);

}  // namespace qure
