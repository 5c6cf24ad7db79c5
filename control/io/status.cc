#include "control/io/status.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "proto/dns.h"
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
          {"verified", claim.verified},
          {"alarm", claim.alarm},
          {"conflicts", claim.conflicts},
          {"defenses", claim.defenses},
          {"verify_failures", claim.verify_failures}};
}

template <typename T>
ordered_json Texts(const std::vector<T>& values) {
  ordered_json texts = ordered_json::array();
  for (const T& value : values) texts.push_back(ToString(value));
  return texts;
}

ordered_json NodeJson(const NodeConfig& node) {
  constexpr std::array kLevels = {"debug", "info", "warning", "error"};
  return {{"name", node.name},
          {"data_directory", node.data_directory},
          {"control_socket", node.control_socket},
          {"metrics", node.metrics},
          {"log_level", kLevels[static_cast<size_t>(node.log_level)]},
          {"addresses", Texts(node.addresses)},
          {"lan",
           {{"port", node.lan_port},
            {"mode", node.lan_mode == LanMode::kDedicated ? "dedicated" : "shared"},
            {"vlan", node.vlan},
            {"host_interface", node.host_interface}}},
          {"dpdk",
           {{"workers", node.workers},
            {"cores", node.cores},
            {"huge_pages", node.huge_pages},
            {"memory_mib", node.memory_mib},
            {"file_prefix", node.file_prefix}}}};
}

ordered_json AddressJson(const AddressConfig& address) {
  const std::vector<IpPrefix> alternatives(address.candidates.begin() + 1, address.candidates.end());
  return {{"address", ToString(address.candidates.front())}, {"alternatives", Texts(alternatives)}};
}

ordered_json ServiceJson(const ServiceConfig& service) {
  std::string ports = absl::StrCat(service.first_port);
  if (service.last_port != service.first_port) absl::StrAppend(&ports, "-", service.last_port);
  return {{"name", service.name}, {"protocol", service.protocol == 6 ? "tcp" : "udp"}, {"ports", ports}};
}

ordered_json ZoneJson(const ZoneConfig& zone) {
  const ConstBytes apex(reinterpret_cast<const uint8_t*>(zone.apex.data()), zone.apex.size());
  return {{"name", DnsNameToText(apex)}, {"ttl", zone.ttl}, {"records", zone.records.size()}};
}

template <typename T>
ordered_json List(const std::vector<T>& values, ordered_json (*to_json)(const T&)) {
  ordered_json list = ordered_json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

ordered_json ClusterJson(const ClusterConfig& cluster) {
  return {{"name", cluster.name},
          {"gateway", Texts(cluster.gateways)},
          {"service_mac", cluster.service_mac == ServiceMac::kDerived ? "derived" : "interface"},
          {"default", cluster.default_policy == DefaultPolicy::kLocal ? "local" : "drop"},
          {"probe_interval", absl::StrCat(cluster.probe_interval.ns / 1'000'000, "ms")},
          {"address", List(cluster.addresses, AddressJson)},
          {"service", List(cluster.services, ServiceJson)},
          {"zone", List(cluster.zones, ZoneJson)}};
}

uint64_t SumOf(const WorkerList& workers, std::array<Counter, kReasonCount> WorkerCounters::*reasons, size_t reason) {
  uint64_t sum = 0;
  for (const WorkerCounters* worker : workers) sum += (worker->*reasons)[reason].value();
  return sum;
}

}  // namespace

std::string_view Version() {
  return QURE_VERSION;
}

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
  const ReloadStatus& reload = status.last_reload;
  ordered_json addresses = ordered_json::array();
  for (const ClaimStatus& claim : status.controller.claims) addresses.push_back(ClaimJson(claim));
  return {{"name", status.name},
          {"version", Version()},
          {"node_id", ToHex(status.node_id)},
          {"age", status.age},
          {"role", status.controller.role},
          {"term", nullptr},
          {"uptime_seconds", absl::ToDoubleSeconds(status.uptime)},
          {"gate", status.gate_open ? "open" : "shut"},
          {"snapshot_revision", status.controller.snapshot_revision},
          {"node_mac", ToString(status.controller.node_mac)},
          {"last_reload",
           {{"time", Rfc3339(reload.time)},
            {"success", reload.error.empty()},
            {"error", reload.error.empty() ? ordered_json(nullptr) : ordered_json(reload.error)}}},
          {"addresses", addresses}};
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

ordered_json ConfigJson(const Config& config) {
  return {{"node", NodeJson(config.node)}, {"cluster", ClusterJson(config.cluster)}};
}

}  // namespace qure
