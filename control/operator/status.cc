#include "control/operator/status.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "control/base/version.h"
#include "control/core/naming.h"
#include "control/operator/cluster_status.h"
#include "proto/dns/name.h"
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
          {"priority", node.priority},
          {"weight", node.weight},
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
            {"flows", node.flows},
            {"file_prefix", node.file_prefix}}}};
}

ordered_json AddressJson(const AddressConfig& address) {
  const std::vector<IpPrefix> alternatives(address.candidates.begin() + 1, address.candidates.end());
  return {{"address", ToString(address.candidates.front())}, {"alternatives", Texts(alternatives)}};
}

ordered_json ServiceJson(const ServiceConfig& service) {
  std::string ports = absl::StrCat(service.first_port);
  if (service.last_port != service.first_port) absl::StrAppend(&ports, "-", service.last_port);
  return {{"name", service.name},
          {"protocol", service.protocol == 6 ? "tcp" : "udp"},
          {"ports", ports},
          {"affinity", NameOf(service.affinity)},
          {"return", service.return_path == ReturnPath::kDirect ? "direct" : "master"},
          {"mdns", service.mdns.empty() ? ordered_json(nullptr) : ordered_json(service.mdns)},
          {"txt", service.txt}};
}

ordered_json ZoneJson(const ZoneConfig& zone) {
  return {{"name", DnsNameToText(zone.zone->apex())},
          {"file", zone.file.empty() ? ordered_json(nullptr) : ordered_json(zone.file)},
          {"serial", zone.zone->serial()},
          {"names", zone.zone->name_count()},
          {"records", zone.zone->record_count()}};
}

ordered_json ResolverJson(const ResolverConfig& resolver) {
  const auto milliseconds = [](Duration span) { return absl::StrCat(span.ns / 1'000'000, "ms"); };
  ordered_json upstreams = ordered_json::array();
  for (const Endpoint& at : resolver.upstreams) upstreams.push_back(ToString(at));
  return {{"upstreams", upstreams},
          {"forward", resolver.forward},
          {"clients", Texts(resolver.clients)},
          {"cache_entries", resolver.cache_entries},
          {"stale", milliseconds(resolver.stale)},
          {"timeout", milliseconds(resolver.timeout)}};
}

// Of the key only what no one can sign with.
ordered_json RegistrationJson(const RegistrationConfig& registration) {
  ordered_json echo = ordered_json::array();
  for (const Endpoint& server : registration.echo) echo.push_back(ToString(server));
  const bool asks = registration.addresses.empty();
  return {{"enabled", registration.enabled},
          {"server", ToString(registration.server)},
          {"zone", DnsNameToText(registration.zone)},
          {"name", DnsNameToText(registration.name)},
          {"shared",
           registration.shared.empty() ? ordered_json(nullptr) : ordered_json(DnsNameToText(registration.shared))},
          {"ttl", registration.ttl},
          {"refresh", absl::StrCat(registration.refresh.ns / 1'000'000, "ms")},
          {"key_file", registration.key_file},
          {"key", DnsNameToText(registration.key.name)},
          {"public", asks ? ordered_json("echo") : Texts(registration.addresses)},
          {"echo", echo},
          {"echo_name", asks ? ordered_json(DnsNameToText(registration.echo_name)) : ordered_json(nullptr)}};
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
          {"security", cluster.network.security == Security::kOpen ? "open" : "sealed"},
          {"key", cluster.network.key ? ordered_json("(there is one)") : ordered_json(nullptr)},
          {"port", cluster.network.port},
          {"group", ToString(cluster.network.group.value_or(GroupFor(ClusterIdFromName(cluster.name))))},
          {"preempt", cluster.network.preempt},
          {"address", List(cluster.addresses, AddressJson)},
          {"balance",
           {{"table_size", cluster.table_size},
            {"heavy_hitter", cluster.heavy_hitter},
            {"drain_deadline", cluster.drain_deadline
                                   ? ordered_json(absl::StrCat(cluster.drain_deadline->ns / 1'000'000, "ms"))
                                   : ordered_json(nullptr)}}},
          {"service", List(cluster.services, ServiceJson)},
          {"zone", List(cluster.zones, ZoneJson)},
          {"dns",
           {{"local_names", AnswersLocalNames(cluster)},
            {"rate_limit", cluster.dns.limit.rate},
            {"slip", cluster.dns.limit.slip},
            {"log_every", cluster.dns.log_every}}},
          {"resolver", ResolverJson(cluster.resolver)},
          {"registration", cluster.registration ? RegistrationJson(*cluster.registration) : ordered_json(nullptr)},
          {"mdns", {{"enabled", cluster.mdns.enabled}}}};
}

ordered_json ReloadJson(const ReloadStatus& reload) {
  return {{"time", Rfc3339(reload.time)},
          {"success", reload.error.empty()},
          {"error", reload.error.empty() ? ordered_json(nullptr) : ordered_json(reload.error)}};
}

// What a node alone has as well, but says little there.
ordered_json ClusterPart(const NodeStatus& status) {
  const ControllerStatus& core = status.controller;
  ordered_json part = TermAnswer(core);
  part.erase("role");
  part["era"] = core.era;
  part["cluster_uptime_seconds"] = static_cast<double>(core.cluster_uptime_ms) / 1e3;
  part["nodes_present"] = std::count_if(core.nodes.begin(), core.nodes.end(), [](const NodeRow& row) {
    return row.state != NameOf(MemberState::kDown) && row.state != NameOf(MemberState::kLeft);
  });
  part["multicast"] = core.multicast_works;
  part["lease"] = {{"seconds", ToSeconds(status.lease.lease)},
                   {"longest_gap_seconds", ToSeconds(status.lease.longest_gap)},
                   {"round_trip_seconds", ToSeconds(status.lease.round_trip)}};
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
  ordered_json answer = {{"name", status.name},
                         {"version", Version()},
                         {"revision", Revision()},
                         {"node_id", ToHex(core.node_id)},
                         {"age", core.age},
                         {"role", core.role},
                         {"phase", core.phase.empty() ? ordered_json(nullptr) : ordered_json(core.phase)},
                         {"uptime_seconds", absl::ToDoubleSeconds(status.uptime)},
                         {"gate", status.gate_open ? "open" : "shut"},
                         {"snapshot_revision", core.snapshot_revision},
                         {"node_mac", ToString(core.node_mac)},
                         {"maintenance", core.maintenance},
                         {"ineligible", core.ineligible},
                         {"store", status.store_alarm.empty() ? "ok" : status.store_alarm},
                         {"clustered", core.clustered},
                         {"open", core.open}};
  answer.update(ClusterPart(status));
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

ordered_json ConfigJson(const Config& config) {
  return {{"node", NodeJson(config.node)}, {"cluster", ClusterJson(config.cluster)}};
}

}  // namespace qure
