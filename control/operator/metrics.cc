#include "control/operator/metrics.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/base/version.h"
#include "control/operator/cluster_metrics.h"
#include "control/operator/metric_families.h"
#include "control/operator/names_metrics.h"
#include "prometheus/exposer.h"
#include "proto/net/endpoint.h"
#include "proto/reason.h"

namespace qure {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void CollectFrames(const WorkerList& workers, Families* out) {
  out->Begin(MetricType::Counter, "qure_frames_total", "Frames by the port they came in, and what became of them.");
  for (size_t worker = 0; worker < workers.size(); ++worker) {
    for (size_t i = 0; i < kReasonCount; ++i) {
      const auto labels = [&](const char* port) {
        return MetricLabels{{"port", port},
                            {"worker", absl::StrCat(worker)},
                            {"verdict", std::string(NameOf(kReasons[i].verdict))},
                            {"reason", std::string(kReasons[i].name)}};
      };
      out->Add(labels("lan"), workers[worker]->lan_reasons[i].value());
      out->Add(labels("host"), workers[worker]->host_reasons[i].value());
    }
  }
}

void CollectDns(const WorkerList& workers, Families* out) {
  out->Begin(MetricType::Counter, "qure_dns_queries_total", "DNS queries that the packet path handled, by type.");
  for (size_t i = 0; i < DnsQueryLog::kCounts; ++i) {
    uint64_t count = 0;
    for (const WorkerCounters* const worker : workers) count += worker->dns.count(i);
    out->Add({{"type", std::string(NameOfDnsCount(i))}}, count);
  }
}

void CollectPorts(const WorkerList& workers, Families* out) {
  const PortTraffic lan = SumOf(workers, &WorkerCounters::lan);
  const PortTraffic host = SumOf(workers, &WorkerCounters::host);
  out->Begin(MetricType::Counter, "qure_port_frames_total", "Frames received from and sent to a port.");
  out->Add({{"port", "lan"}, {"direction", "rx"}}, lan.rx_frames);
  out->Add({{"port", "lan"}, {"direction", "tx"}}, lan.tx_frames);
  out->Add({{"port", "host"}, {"direction", "rx"}}, host.rx_frames);
  out->Add({{"port", "host"}, {"direction", "tx"}}, host.tx_frames);
  out->Begin(MetricType::Counter, "qure_port_bytes_total", "Bytes received from and sent to a port.");
  out->Add({{"port", "lan"}, {"direction", "rx"}}, lan.rx_bytes);
  out->Add({{"port", "lan"}, {"direction", "tx"}}, lan.tx_bytes);
  out->Add({{"port", "host"}, {"direction", "rx"}}, host.rx_bytes);
  out->Add({{"port", "host"}, {"direction", "tx"}}, host.tx_bytes);
}

void CollectWorkers(const WorkerList& workers, Families* out) {
  struct Row {
    const char* name;
    const char* help;
    Counter WorkerCounters::*counter;
    double unit;
  };
  static constexpr std::array kRows = {
      Row{"qure_worker_rounds_total", "Rounds of the worker's loop.", &WorkerCounters::rounds, 1},
      Row{"qure_worker_busy_rounds_total", "Rounds that found a frame.", &WorkerCounters::busy_rounds, 1},
      Row{"qure_worker_sleeps_total", "Times the worker slept for lack of frames.", &WorkerCounters::sleeps, 1},
      Row{"qure_worker_sleep_seconds_total", "Time the worker slept.", &WorkerCounters::sleep_ns, 1e-9},
      Row{"qure_worker_stalls_total", "Times the worker was found to have stood still.", &WorkerCounters::stalls, 1},
      Row{"qure_events_lost_total", "Events that found the ring to the control thread full.",
          &WorkerCounters::events_lost, 1},
  };
  for (const Row& row : kRows) {
    out->Begin(MetricType::Counter, row.name, row.help);
    for (size_t worker = 0; worker < workers.size(); ++worker) {
      const double value = static_cast<double>((workers[worker]->*row.counter).value());
      out->Add({{"worker", absl::StrCat(worker)}}, value * row.unit);
    }
  }
}

void CollectFlows(const WorkerList& workers, Families* out) {
  struct Row {
    MetricType type;
    const char* name;
    const char* help;
    Gauge WorkerCounters::*gauge;
  };
  static constexpr std::array kRows = {
      Row{MetricType::Gauge, "qure_flows", "Flows in the worker's table.", &WorkerCounters::flows},
      Row{MetricType::Counter, "qure_flows_inserted_total", "Flows entered into the table.",
          &WorkerCounters::flows_inserted},
      Row{MetricType::Counter, "qure_flows_expired_total", "Flows forgotten because they were idle.",
          &WorkerCounters::flows_expired},
      Row{MetricType::Counter, "qure_flows_displaced_total",
          "Flows that gave way for lack of room: unanswered or ended ones, and cached ones of other nodes.",
          &WorkerCounters::flows_displaced},
      Row{MetricType::Counter, "qure_flows_refused_total",
          "Flows that found no room and are forwarded by the Maglev lookup table alone.",
          &WorkerCounters::flows_refused},
  };
  for (const Row& row : kRows) {
    out->Begin(row.type, row.name, row.help);
    for (size_t worker = 0; worker < workers.size(); ++worker) {
      out->Add({{"worker", absl::StrCat(worker)}}, static_cast<double>((workers[worker]->*row.gauge).value()));
    }
  }
}

void CollectBalance(const NodeStatus& node, const WorkerList& workers, Families* out) {
  const ControllerStatus& core = node.controller;
  out->Single(MetricType::Gauge, "qure_balance_epoch", "Number of the balance epoch in use.",
              static_cast<double>(core.balance_epoch));
  out->Begin(MetricType::Gauge, "qure_service_healthy",
             "1 if this node's part of the service works; absent before the first check.");
  for (const ServiceRow& row : core.services) {
    if (row.check != CheckState::kUnchecked) out->Add({{"service", row.name}}, IsHealthy(row.check) ? 1.0 : 0.0);
  }
  out->Begin(MetricType::Gauge, "qure_service_weight", "Weight of a node in the current balance epoch.");
  for (const ServiceRow& service : core.services) {
    for (const NodeRow& row : core.nodes) {
      const auto weight = service.current->find(row.node);
      const double value = weight == service.current->end() ? 0.0 : static_cast<double>(weight->second);
      out->Add({{"service", service.name}, {"node", row.name}}, value);
    }
  }
  out->Begin(MetricType::Gauge, "qure_flows_owned", "Flows in this node's tables, by the node that owns them.");
  for (const NodeRow& row : core.nodes) {
    if (!row.slot) continue;
    int64_t flows = 0;
    for (const WorkerCounters* worker : workers) flows += worker->flows_by_owner[*row.slot].value();
    out->Add({{"node", row.name}}, static_cast<double>(flows));
  }
}

void CollectClaims(const std::vector<ClaimStatus>& claims, Families* out) {
  const auto each = [&](MetricType type, const char* name, const char* help, auto value) {
    out->Begin(type, name, help);
    for (const ClaimStatus& claim : claims) {
      out->Add({{"address", ToString(claim.address.address)}}, static_cast<double>(value(claim)));
    }
  };
  out->Begin(MetricType::Gauge, "qure_claim_state", "1 for the state of the claim to the service address.");
  for (const ClaimStatus& claim : claims) {
    for (const ClaimState state : {ClaimState::kStandby, ClaimState::kProbing, ClaimState::kHeld, ClaimState::kTaken}) {
      out->Add({{"address", ToString(claim.address.address)}, {"state", std::string(NameOf(state))}},
               claim.state == state ? 1.0 : 0.0);
    }
  }
  each(MetricType::Gauge, "qure_claim_verified", "1 if the gateway has answered to the service MAC.",
       [](const ClaimStatus& claim) { return claim.verified; });
  each(MetricType::Gauge, "qure_claim_verify_alarm", "1 if the gateway left five verifications in a row unanswered.",
       [](const ClaimStatus& claim) { return claim.alarm; });
  each(MetricType::Gauge, "qure_claim_contested", "1 if another host uses the service address that is held.",
       [](const ClaimStatus& claim) { return claim.rival.has_value(); });
  each(MetricType::Counter, "qure_claim_conflicts_total", "Claims of other hosts to the service address.",
       [](const ClaimStatus& claim) { return claim.conflicts; });
  each(MetricType::Counter, "qure_claim_defenses_total", "Announcements made in defense (RFC 5227 section 2.4).",
       [](const ClaimStatus& claim) { return claim.defenses; });
  each(MetricType::Counter, "qure_claim_verify_failures_total", "Verifications that the gateway left unanswered.",
       [](const ClaimStatus& claim) { return claim.verify_failures; });
}

void CollectNode(const NodeStatus& node, Families* out) {
  out->Begin(MetricType::Gauge, "qure_build_info", "1, with version and revision as labels.");
  out->Add({{"version", std::string(Version())}, {"revision", std::string(Revision())}}, 1.0);
  out->Single(MetricType::Gauge, "qure_start_time_seconds", "When the process started, in Unix time.",
              absl::ToDoubleSeconds(node.started - absl::UnixEpoch()));
  out->Single(MetricType::Gauge, "qure_gate_open", "1 if answers from the service addresses may leave.",
              node.gate_open ? 1.0 : 0.0);
  out->Single(MetricType::Counter, "qure_host_repairs_total",
              "Addresses, routes, rules, links and settings that others had taken away, and that were put back.",
              static_cast<double>(node.host_repairs));
  out->Single(MetricType::Gauge, "qure_snapshot_revision", "Revision of the forwarding state of the workers.",
              static_cast<double>(node.controller.snapshot_revision));
  out->Single(MetricType::Counter, "qure_log_lines_dropped_total",
              "Log lines that were lost because nobody read standard error in time.",
              static_cast<double>(LogLinesDropped()));
  out->Single(MetricType::Gauge, "qure_config_reload_success", "1 if the last configuration that was read was applied.",
              node.last_reload.error.empty() ? 1.0 : 0.0);
  out->Single(MetricType::Gauge, "qure_config_last_reload_time_seconds",
              "When the configuration was last read, in Unix time.",
              absl::ToDoubleSeconds(node.last_reload.time - absl::UnixEpoch()));
}

// Nothing unless `address` is ADDRESS:PORT, over IPv4.
std::optional<sockaddr_in> SocketAddressOf(const std::string& address) {
  const std::optional<Endpoint> endpoint = ParseEndpoint(address);
  if (!endpoint || endpoint->address.is_v6()) return std::nullopt;
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(endpoint->port);
  std::memcpy(&name.sin_addr, endpoint->address.v4().bytes.data(), sizeof(name.sin_addr));
  return name;
}

Fd MakeSocket() {
  return Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Connects to `address` and closes the connection.
void Knock(const std::string& address) {
  const std::optional<sockaddr_in> name = SocketAddressOf(address);
  const Fd socket = MakeSocket();
  // If it fails, the caller tries again.
  if (name) (void)connect(socket.get(), reinterpret_cast<const sockaddr*>(&*name), sizeof(*name));
}

// Why nobody can listen there, which the HTTP server does not tell.
std::string WhyNot(const std::string& address) {
  const std::optional<sockaddr_in> name = SocketAddressOf(address);
  if (!name) return "it must be ADDRESS:PORT, over IPv4";
  const Fd socket = MakeSocket();
  const int yes = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const bool free =
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&*name), sizeof(*name)) == 0 && listen(socket.get(), 1) == 0;
  return free ? "the HTTP server does not start" : std::strerror(errno);
}

}  // namespace

std::vector<MetricFamily> NodeCollector::Collect() const {
  const NodeStatus node = source_.node();
  Families families;
  CollectNode(node, &families);
  CollectCluster(node, &families);
  CollectClaims(node.controller.claims, &families);
  CollectBalance(node, source_.workers, &families);
  CollectFlows(source_.workers, &families);
  CollectPorts(source_.workers, &families);
  CollectWorkers(source_.workers, &families);
  families.Single(MetricType::Gauge, "qure_mbufs_in_use", "Packet buffers that are not in the pool.",
                  static_cast<double>(source_.mbufs_in_use()));
  CollectFrames(source_.workers, &families);
  CollectDns(source_.workers, &families);
  CollectNames(source_.names(), &families);
  return families.Take();
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Listen(const std::string& address, MetricsSource source) {
  constexpr size_t kThreads = 2;
  auto collector = std::make_shared<NodeCollector>(std::move(source));
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, kThreads);
    exposer->RegisterCollectable(collector);
    return std::unique_ptr<MetricsServer>(new MetricsServer(address, std::move(exposer), std::move(collector)));
  } catch (const std::exception&) {
    return absl::UnavailableError(absl::StrCat("node.metrics: cannot listen on ", address, ": ", WhyNot(address)));
  }
}

MetricsServer::MetricsServer(std::string address, std::unique_ptr<prometheus::Exposer> exposer,
                             std::shared_ptr<NodeCollector> collector)
    : address_(std::move(address)), collector_(std::move(collector)), exposer_(std::move(exposer)) {}

MetricsKeeper::MetricsKeeper(std::string address, MetricsSource source, Duration retry)
    : address_(std::move(address)), source_(std::move(source)), retry_(retry) {
  const absl::Status listening = Try();
  if (listening.ok()) return;
  LogLine(LogLevel::kWarning, listening.message(), "; serving on without metrics, and trying again");
  thread_ = std::jthread([this](const std::stop_token& stop) { Retry(stop); });
}

MetricsKeeper::~MetricsKeeper() = default;

absl::Status MetricsKeeper::Try() {
  absl::StatusOr<std::unique_ptr<MetricsServer>> server = MetricsServer::Listen(address_, source_);
  if (server.ok()) server_ = *std::move(server);
  return server.status();
}

void MetricsKeeper::Retry(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (
      !stopped.wait_for(lock, stop, std::chrono::nanoseconds(retry_.ns), [&stop] { return stop.stop_requested(); })) {
    if (!Try().ok()) continue;
    LogLine(LogLevel::kInfo, "metrics are served at ", address_);
    return;
  }
}

MetricsServer::~MetricsServer() {
  // The listening thread checks whether it has to stop every 2 s only, or at a connection: so make one.
  const auto stopped = std::async(std::launch::async, [this] { exposer_.reset(); });
  while (stopped.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) Knock(address_);
}

}  // namespace qure
