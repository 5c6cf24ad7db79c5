// Multicast DNS in a configuration: [cluster.mdns], and `mdns` and `txt` of [[cluster.service]].
#pragma once

#include "control/config/config_reader.h"
#include "control/core/config.h"

namespace qure {

MdnsConfig ReadMdns(TableReader mdns);

// Of `service`, the protocol is already read.
void ReadServiceMdns(TableReader* table, ServiceConfig* service);

}  // namespace qure
