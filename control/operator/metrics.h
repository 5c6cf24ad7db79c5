// The Prometheus scrape: every counter and state of the node, read at the moment of the scrape.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "control/operator/status.h"
#include "prometheus/collectable.h"
#include "proto/time.h"

namespace prometheus {
class Exposer;
}

namespace qure {

// Where the numbers come from. The threads of the scrape call all of it.
struct MetricsSource {
  std::function<NodeStatus()> node;
  std::function<unsigned()> mbufs_in_use;
  WorkerList workers;
  std::function<nlohmann::ordered_json()> names;  // NameService::Show
};

// Turns the source into metric families (docs/reference-metrics.md lists them).
class NodeCollector : public prometheus::Collectable {
 public:
  explicit NodeCollector(MetricsSource source) : source_(std::move(source)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const MetricsSource source_;
};

// Serves http://ADDRESS/metrics.
class MetricsServer {
 public:
  // `address` is ADDRESS:PORT, over IPv4. Errors name the address and the reason.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Listen(const std::string& address, MetricsSource source);
  ~MetricsServer();  // returns when no scrape is under way

 private:
  MetricsServer(std::string address, std::unique_ptr<prometheus::Exposer> exposer,
                std::shared_ptr<NodeCollector> collector);

  const std::string address_;
  const std::shared_ptr<NodeCollector> collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

// Serves the metrics from the start on, or as soon as it can: a port that another process has is no reason for the
// node not to serve.
class MetricsKeeper {
 public:
  static constexpr Duration kRetry = Seconds(5);

  // Tries to listen, once before it returns. Logs the first failure and the success after it.
  MetricsKeeper(std::string address, MetricsSource source, Duration retry = kRetry);
  ~MetricsKeeper();
  MetricsKeeper(const MetricsKeeper&) = delete;
  MetricsKeeper& operator=(const MetricsKeeper&) = delete;

 private:
  absl::Status Try();
  void Retry(const std::stop_token& stop);

  const std::string address_;
  const MetricsSource source_;
  const Duration retry_;
  std::unique_ptr<MetricsServer> server_;  // of the constructor, or then of the thread
  std::jthread thread_;                    // last: it uses all of the above; only after a failure
};

}  // namespace qure
