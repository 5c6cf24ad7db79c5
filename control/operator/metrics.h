// The Prometheus scrape: every counter and state of the node, read at the moment of the scrape.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/operator/status.h"
#include "prometheus/collectable.h"

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
  // `address` is HOST:PORT. Errors name the address.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Listen(const std::string& address, MetricsSource source);
  ~MetricsServer();  // returns when no scrape is under way

 private:
  MetricsServer(std::string address, std::unique_ptr<prometheus::Exposer> exposer,
                std::shared_ptr<NodeCollector> collector);

  const std::string address_;
  const std::shared_ptr<NodeCollector> collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace qure
