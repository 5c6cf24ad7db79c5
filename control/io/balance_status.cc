#include "control/io/balance_status.h"

#include "control/core/identity.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

std::string NameOfNode(const ControllerStatus& status, const NodeId& node) {
  for (const NodeRow& row : status.nodes) {
    if (row.node == node && !row.name.empty()) return row.name;
  }
  return ToHex(node);
}

ordered_json WeightsJson(const ControllerStatus& status, const std::map<NodeId, uint32_t>& weights) {
  uint64_t total = 0;
  for (const auto& [node, weight] : weights) total += weight;
  ordered_json list = ordered_json::array();
  for (const auto& [node, weight] : weights) {
    list.push_back({{"node", ToHex(node)},
                    {"name", NameOfNode(status, node)},
                    {"weight", weight},
                    {"share", static_cast<double>(weight) / static_cast<double>(total)}});
  }
  return list;
}

int64_t Sum(const WorkerList& workers, Gauge WorkerCounters::*gauge) {
  int64_t sum = 0;
  for (const WorkerCounters* worker : workers) sum += (worker->*gauge).value();
  return sum;
}

}  // namespace

ordered_json ServicesJson(const ControllerStatus& status) {
  ordered_json services = ordered_json::array();
  for (const ServiceRow& row : status.services) {
    services.push_back({{"name", row.name},
                        {"healthy", !row.ill},
                        {"weight", row.weight},
                        {"owners", WeightsJson(status, row.current)},
                        {"owners_before", WeightsJson(status, row.previous)}});
  }
  ordered_json crowds = ordered_json::array();
  for (const IpAddress& crowd : status.crowds) crowds.push_back(ToString(crowd));
  return {{"epoch", status.balance_epoch},
          {"settled", status.balance_settled},
          {"services", std::move(services)},
          {"crowds", std::move(crowds)}};
}

ordered_json FlowsJson(const ControllerStatus& status, const WorkerList& workers) {
  ordered_json owners = ordered_json::array();
  for (const NodeRow& row : status.nodes) {
    if (!row.slot) continue;
    int64_t flows = 0;
    for (const WorkerCounters* worker : workers) flows += worker->flows_by_owner[*row.slot].value();
    owners.push_back({{"node", ToHex(row.node)}, {"name", row.name}, {"draining", row.draining}, {"flows", flows}});
  }
  return {{"flows", Sum(workers, &WorkerCounters::flows)},
          {"inserted", Sum(workers, &WorkerCounters::flows_inserted)},
          {"expired", Sum(workers, &WorkerCounters::flows_expired)},
          {"displaced", Sum(workers, &WorkerCounters::flows_displaced)},
          {"refused", Sum(workers, &WorkerCounters::flows_refused)},
          {"owners", std::move(owners)}};
}

ordered_json DoneJson(const ControllerStatus& status, const NodeId& node, std::string_view what) {
  return {{"done", NameOfNode(status, node) + " " + std::string(what)}};
}

}  // namespace qure
