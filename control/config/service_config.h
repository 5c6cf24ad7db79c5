// The services of a configuration: [[cluster.service]].
#pragma once

#include <vector>

#include "control/config/config_reader.h"
#include "control/core/config.h"

namespace qure {

// [cluster.balance]: what applies to all services.
void ReadBalance(TableReader balance, ClusterConfig* config);

// Of `config`, service_mac and addresses are already read. Checks that no two services share a port of one address.
std::vector<ServiceConfig> ReadServices(const ClusterConfig& config, LanMode mode, TableReader* cluster);

// Of `config`, everything is already read. A node that answers names has port 53 of every service address for itself,
// over UDP and TCP: a service that claims it is an error.
void RefuseNamePort(const ClusterConfig& config, TableReader* cluster);

}  // namespace qure
