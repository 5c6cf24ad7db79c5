#include "control/operator/status.h"

#include <algorithm>
#include <array>

#include "control/base/version.h"
#include "control/operator/cluster_status.h"
#include "control/operator/verdict.h"
#include "proto/reason.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

ordered_json OrNull(const std::optional<MacAddress>& mac) {
  return mac ? ordered_json(ToString(*mac)) : ordered_json(nullptr);
}

ordered_json ClaimJson(const ClaimStatus& claim) {
  return {{"address", ToString(claim.address.address)},
          {"state", NameOf(claim.state)},
          {"mac", ToString(claim.mac)},
          {"holder", OrNull(claim.holder)},
          {"contested_by", OrNull(claim.rival)},
          {"verified", claim.verified},
          {"alarm", claim.alarm},
          {"conflicts", claim.conflicts},
          {"defenses", claim.defenses},
          {"verify_failures", claim.verify_failures}};
}

ordered_json ReloadJson(const ReloadStatus& reload) {
  return {{"time", Rfc3339(reload.time)},
          {"success", reload.error.empty()},
          {"error", reload.error.empty() ? ordered_json(nullptr) : ordered_json(reload.error)}};
}

// Seconds of this node's clock for one of the master's; null: this node is not deputy, or has not measured it yet.
ordered_json ClockRatioJson(const HeartbeatStatus& lease) {
  if (lease.clock_ppm == 0) return nullptr;
  return static_cast<double>(lease.clock_ppm) / static_cast<double>(ClockRatio::kEqual);
}

ordered_json StrangersJson(const std::vector<Stranger>& strangers, MonoTime now) {
  ordered_json list = ordered_json::array();
  for (const Stranger& stranger : strangers) {
    list.push_back({{"node", ToHex(stranger.node)},
                    {"mac", ToString(stranger.mac)},
                    {"cause", NameOf(stranger.cause)},
                    {"advice", Advice(stranger)},
                    {"datagrams", stranger.datagrams},
                    {"heard_ago_seconds", ToSeconds(now - stranger.last_heard)}});
  }
  return list;
}

// The state of the cluster; of a node without one these are defaults.
ordered_json ClusterPart(const NodeStatus& status) {
  const ControllerStatus& core = status.controller;
  ordered_json part = TermAnswer(core);
  part.erase("role");
  part["era"] = core.era;
  part["cluster_uptime_seconds"] = static_cast<double>(core.cluster_uptime_ms) / 1e3;
  part["nodes_present"] =
      std::count_if(core.nodes.begin(), core.nodes.end(), [](const NodeRow& row) { return IsPresent(row.state); });
  part["multicast"] = core.multicast_works;
  part["lease"] = {{"seconds", ToSeconds(status.lease.lease)},
                   {"longest_gap_seconds", ToSeconds(status.lease.longest_gap)},
                   {"round_trip_seconds", ToSeconds(status.lease.round_trip)},
                   {"clock_ratio", ClockRatioJson(status.lease)}};
  ordered_json takeovers = ordered_json::object();
  for (size_t i = 0; i < core.takeovers.size(); ++i) {
    takeovers[std::string(NameOf(static_cast<Cause>(i)))] = core.takeovers[i];
  }
  part["takeovers"] = takeovers;
  part["last_takeover"] = TakeoverJson(core.last_takeover, status.now);
  return part;
}

uint64_t SumOf(const WorkerList& workers, std::array<Counter, kReasonCount> WorkerCounters::*reasons, size_t reason) {
  uint64_t sum = 0;
  for (const WorkerCounters* worker : workers) sum += (worker->*reasons)[reason].value();
  return sum;
}

}  // namespace

PortTraffic SumOf(const WorkerList& workers, PortCounters WorkerCounters::*port) {
  PortTraffic sum;
  for (const WorkerCounters* worker : workers) {
    const PortCounters& counters = worker->*port;
    sum.rx_frames += counters.rx_frames.value();
    sum.rx_bytes += counters.rx_bytes.value();
    sum.tx_frames += counters.tx_frames.value();
    sum.tx_bytes += counters.tx_bytes.value();
  }
  return sum;
}

ordered_json StatusJson(const NodeStatus& status) {
  const ControllerStatus& core = status.controller;
  ordered_json addresses = ordered_json::array();
  for (const ClaimStatus& claim : core.claims) addresses.push_back(ClaimJson(claim));
  ordered_json answer = {{"verdict", VerdictJson(VerdictOf(status))},
                         {"name", status.name},
                         {"version", Version()},
                         {"revision", Revision()},
                         {"node_id", ToHex(core.node_id)},
                         {"age", core.age},
                         {"role", NameOf(core.role)},
                         {"phase", core.phase ? ordered_json(NameOf(*core.phase)) : ordered_json(nullptr)},
                         {"uptime_seconds", absl::ToDoubleSeconds(status.uptime)},
                         {"gate", status.gate_open ? "open" : "shut"},
                         {"snapshot_revision", core.snapshot_revision},
                         {"node_mac", ToString(core.node_mac)},
                         {"maintenance", core.maintenance},
                         {"ineligible", core.ineligible},
                         {"link", core.link_up ? "up" : "down"},
                         {"without_gateway", core.without_gateway},
                         {"clock", core.clock_fit ? "ok" : "unfit"},
                         {"clocks_differ", core.clocks_differ},
                         {"store", status.store_alarm.empty() ? "ok" : status.store_alarm},
                         {"clustered", core.clustered},
                         {"open", core.open}};
  answer["address_conflicts"] = ordered_json::array();
  for (const NodeAddresses::Status& conflict : core.address_conflicts) {
    answer["address_conflicts"].push_back(
        {{"address", ToString(conflict.address)}, {"used_by", ToString(conflict.rival)}});
  }
  answer["namesakes"] = ordered_json::array();
  for (const Namesake& other : core.namesakes) {
    answer["namesakes"].push_back(
        {{"node", ToHex(other.node)},
         {"name", other.name.empty() ? ordered_json(nullptr) : ordered_json(other.name)},
         {"address", other.address.is_zero() ? ordered_json(nullptr) : ordered_json(ToString(other.address))}});
  }
  answer.update(ClusterPart(status));
  answer["strangers"] = StrangersJson(core.strangers, status.now);
  answer["last_reload"] = ReloadJson(status.last_reload);
  answer["addresses"] = addresses;
  return answer;
}

ordered_json PortsJson(const std::vector<PortStatus>& ports, const WorkerList& workers) {
  ordered_json list = ordered_json::array();
  for (const PortStatus& port : ports) {
    const PortTraffic traffic = SumOf(workers, port.name == "lan" ? &WorkerCounters::lan : &WorkerCounters::host);
    list.push_back({{"name", port.name},
                    {"device", port.device},
                    {"driver", port.driver},
                    {"mac", ToString(port.mac)},
                    {"mtu", port.mtu},
                    {"queues", port.queues},
                    {"link", port.link_up ? "up" : "down"},
                    {"interrupts", port.interrupts},
                    {"rx_frames", traffic.rx_frames},
                    {"rx_bytes", traffic.rx_bytes},
                    {"tx_frames", traffic.tx_frames},
                    {"tx_bytes", traffic.tx_bytes}});
  }
  return {{"ports", list}};
}

ordered_json CountersJson(const WorkerList& workers, unsigned mbufs_in_use) {
  ordered_json reasons = ordered_json::array();
  for (size_t i = 0; i < kReasonCount; ++i) {
    reasons.push_back({{"reason", kReasons[i].name},
                       {"verdict", NameOf(kReasons[i].verdict)},
                       {"help", kReasons[i].help},
                       {"lan", SumOf(workers, &WorkerCounters::lan_reasons, i)},
                       {"host", SumOf(workers, &WorkerCounters::host_reasons, i)}});
  }
  ordered_json list = ordered_json::array();
  for (size_t i = 0; i < workers.size(); ++i) {
    list.push_back({{"worker", i},
                    {"rounds", workers[i]->rounds.value()},
                    {"busy_rounds", workers[i]->busy_rounds.value()},
                    {"sleeps", workers[i]->sleeps.value()},
                    {"sleep_seconds", static_cast<double>(workers[i]->sleep_ns.value()) / 1e9},
                    {"stalls", workers[i]->stalls.value()},
                    {"events_lost", workers[i]->events_lost.value()}});
  }
  return {{"reasons", reasons}, {"workers", list}, {"mbufs_in_use", mbufs_in_use}};
}

}  // namespace qure
