// `qurectl init`: the first cluster, on a machine whose qured has no configuration file; or, on the master of a cluster
// that runs by a key in its files, the records of who belongs to it and one configuration for all. Each step is one
// that qured makes durable before it answers, so init can be given again after any of them, and goes on where it
// stopped.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qure {

struct FirstCluster {
  std::string name = "qure";
  std::vector<std::string> addresses;  // with their prefix lengths: "192.168.1.50/24"
  std::vector<std::string> gateways;
};

// The gateway, where none is given, is that of this machine's default route. Asks at the terminal if there is no
// address. InvalidArgument without a terminal: names the options.
absl::Status Complete(FirstCluster* first);

// The configuration that the cluster begins with.
std::string TextOf(const FirstCluster& first);

// {"fingerprint", "recovery_code", "outside", "problem"}: the code is null if it was shown before, the problem if all
// is done. Unavailable: qured is not reachable, or was not again in time.
absl::StatusOr<nlohmann::ordered_json> Init(const std::string& socket, FirstCluster first);
std::string InitText(const nlohmann::ordered_json& done);

}  // namespace qure
