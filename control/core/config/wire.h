// Between the messages about the configuration and those of proto/cluster/cluster.proto. Reading checks every size and
// number: what does not fit is nothing. Writing cuts texts to their bounds, so that each message fits kMaxMessage.
#pragma once

#include <optional>

#include "control/core/config/messages.h"
#include "proto/cluster/cluster.pb.h"

namespace qure::clusterconfig {

void Write(const Message& message, wire::Message* out);

// Nothing: it is of another kind, or unsound.
std::optional<Message> Read(const wire::Message& message);

}  // namespace qure::clusterconfig
