// The state of a node, collected once for the control socket and the metrics.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "control/core/cluster/identity.h"
#include "control/core/controller.h"
#include "control/operator/histogram.h"
#include "dataplane/dataplane.h"
#include "dataplane/lease/heartbeater.h"
#include "dataplane/pipeline/counters.h"
#include "nlohmann/json.hpp"

namespace qure {

// The last time that the configuration was read: at the start or by a reload.
struct ReloadStatus {
  absl::Time time;
  std::string error;  // lines; empty: applied
};

struct NodeStatus {
  std::string name;
  absl::Time started;
  absl::Duration uptime;
  MonoTime now;
  bool gate_open = false;
  std::string store_alarm;  // why nothing is remembered; empty: no alarm
  ReloadStatus last_reload;
  uint64_t host_repairs = 0;  // what others took away from the host port or changed on the LAN port, and was put back
  ControllerStatus controller;
  DurationHistogram takeovers;  // of this node
  HeartbeatCounters heartbeater;
  HeartbeatStatus lease;
};

// The counters of all workers, each written by its own; they outlive their readers here.
using WorkerList = std::vector<const WorkerCounters*>;

// Traffic of one port, summed over the workers.
struct PortTraffic {
  uint64_t rx_frames = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_frames = 0;
  uint64_t tx_bytes = 0;
};
PortTraffic SumOf(const WorkerList& workers, PortCounters WorkerCounters::*port);

// The answers of the control socket. Times are RFC 3339 in UTC; what is unknown is null.
nlohmann::ordered_json StatusJson(const NodeStatus& status);
nlohmann::ordered_json PortsJson(const std::vector<PortStatus>& ports, const WorkerList& workers);
nlohmann::ordered_json CountersJson(const WorkerList& workers, unsigned mbufs_in_use);

}  // namespace qure
