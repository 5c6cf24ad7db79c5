#include "control/operator/balance_status.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "control/core/cluster/identity.h"

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

// One remote address in the tables of all workers.
struct TopRow {
  RemoteAddress remote{};
  uint64_t flows = 0;
  int64_t more_at_most = 0;                                    // than any address that no worker has listed
  std::map<std::pair<std::string, NodeSlot>, uint64_t> parts;  // by service and owner
};

std::string ServiceOf(const ServiceMap* services, const TopPart& part) {
  if (services == nullptr) return "";
  const uint8_t number = services->Find(part.protocol, part.local_port, part.local_address);
  return number == 0 ? "" : services->services[number - 1].name;
}

std::vector<TopRow> MergeTop(const ServiceMap* services, const std::vector<TopRemotes>& workers) {
  std::map<RemoteAddress, TopRow> rows;
  for (const TopRemotes& top : workers) {
    for (size_t i = 0; i < top.count; ++i) {
      const TopRemote& remote = top.remotes[i];
      TopRow& row = rows[remote.remote];
      row.remote = remote.remote;
      row.flows += remote.flows;
      row.more_at_most += int64_t{remote.at_most} - int64_t{top.others};
      for (const TopPart& part : remote.parts) {
        if (part.flows > 0) row.parts[{ServiceOf(services, part), part.owner}] += part.flows;
      }
    }
  }
  std::vector<TopRow> order;
  order.reserve(rows.size());
  for (auto& [remote, row] : rows) order.push_back(std::move(row));
  std::ranges::stable_sort(order, std::ranges::greater(), &TopRow::flows);
  return order;
}

ordered_json PartsJson(const ControllerStatus& status, const TopRow& row) {
  std::vector<std::pair<std::pair<std::string, NodeSlot>, uint64_t>> order(row.parts.begin(), row.parts.end());
  std::ranges::stable_sort(order, std::ranges::greater(), [](const auto& part) { return part.second; });
  ordered_json parts = ordered_json::array();
  for (const auto& [key, flows] : order) {
    const auto node = std::ranges::find(status.nodes, std::optional<NodeSlot>(key.second), &NodeRow::slot);
    const bool known = node != status.nodes.end();
    parts.push_back({{"service", key.first.empty() ? ordered_json() : ordered_json(key.first)},
                     {"node", known ? ordered_json(ToHex(node->node)) : ordered_json()},
                     {"name", known ? ordered_json(NameOfNode(status, node->node)) : ordered_json()},
                     {"flows", flows}});
  }
  return parts;
}

int64_t Sum(const WorkerList& workers, Gauge WorkerCounters::*gauge) {
  int64_t sum = 0;
  for (const WorkerCounters* worker : workers) sum += (worker->*gauge).value();
  return sum;
}

}  // namespace

ordered_json DrainLeftJson(const NodeRow& row) {
  return row.drain_left ? ordered_json(ToSeconds(*row.drain_left)) : ordered_json(nullptr);
}

ordered_json ServicesJson(const ControllerStatus& status) {
  ordered_json services = ordered_json::array();
  for (const ServiceRow& row : status.services) {
    services.push_back({{"name", row.name},
                        {"healthy", IsHealthy(row.check)},
                        {"check", NameOf(row.check)},
                        {"weight", row.weight},
                        {"owners", WeightsJson(status, *row.current)},
                        {"owners_before", WeightsJson(status, *row.previous)}});
  }
  ordered_json heavy_hitters = ordered_json::array();
  for (const IpAddress& heavy_hitter : status.heavy_hitters) heavy_hitters.push_back(ToString(heavy_hitter));
  ordered_json draining = ordered_json::array();
  for (const NodeRow& row : status.nodes) {
    if (!row.draining) continue;
    draining.push_back({{"node", ToHex(row.node)}, {"name", row.name}, {"drain_left_seconds", DrainLeftJson(row)}});
  }
  return {{"balance_epoch", status.balance_epoch},
          {"settled", status.balance_settled},
          {"services", std::move(services)},
          {"draining", std::move(draining)},
          {"heavy_hitters", std::move(heavy_hitters)}};
}

ordered_json FlowsJson(const ControllerStatus& status, const WorkerList& workers) {
  ordered_json owners = ordered_json::array();
  for (const NodeRow& row : status.nodes) {
    if (!row.slot) continue;
    int64_t flows = 0;
    for (const WorkerCounters* worker : workers) flows += worker->flows_by_owner[*row.slot].value();
    owners.push_back({{"node", ToHex(row.node)},
                      {"name", row.name},
                      {"draining", row.draining},
                      {"drain_left_seconds", DrainLeftJson(row)},
                      {"flows", flows}});
  }
  return {{"flows", Sum(workers, &WorkerCounters::flows)},
          {"inserted", Sum(workers, &WorkerCounters::flows_inserted)},
          {"expired", Sum(workers, &WorkerCounters::flows_expired)},
          {"displaced", Sum(workers, &WorkerCounters::flows_displaced)},
          {"refused", Sum(workers, &WorkerCounters::flows_refused)},
          {"owners", std::move(owners)}};
}

ordered_json TopJson(const ControllerStatus& status, const ServiceMap* services, const std::vector<TopRemotes>& workers,
                     size_t limit) {
  std::vector<TopRow> rows = MergeTop(services, workers);
  int64_t others = 0;
  for (const TopRemotes& top : workers) others += top.others;
  // Rows beyond the limit belong to the others.
  int64_t others_at_most = others;
  for (size_t i = limit; i < rows.size(); ++i) others_at_most = std::max(others_at_most, others + rows[i].more_at_most);
  rows.resize(std::min(limit, rows.size()));
  ordered_json remotes = ordered_json::array();
  for (const TopRow& row : rows) {
    remotes.push_back({{"remote", ToString(AddressOf(row.remote))},
                       {"flows", row.flows},
                       {"at_most", others + row.more_at_most},
                       {"parts", PartsJson(status, row)}});
  }
  return {{"remotes", std::move(remotes)}, {"others_at_most", others_at_most}};
}

ordered_json DoneJson(const ControllerStatus& status, const NodeId& node, std::string_view what) {
  return {{"done", NameOfNode(status, node) + " " + std::string(what)}};
}

}  // namespace qure
