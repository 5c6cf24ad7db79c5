#include "control/names/upstreams.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "proto/net/address.h"

namespace qure {
namespace {

constexpr uint32_t kFailuresUntilDown = 3;  // a lost datagram does not mean a failed server
constexpr Duration kFirstRest = Seconds(1);
constexpr Duration kLongestRest = Seconds(60);
constexpr int64_t kSmoothing = 8;

}  // namespace

void Upstreams::Configure(const std::vector<Endpoint>& servers) {
  std::vector<Server> before = std::exchange(servers_, {});
  for (const Endpoint& at : servers) {
    const auto known = std::ranges::find(before, at, &Server::at);
    servers_.push_back(known != before.end() ? *known : Server{.at = at});
  }
}

std::vector<Endpoint> Upstreams::Order(MonoTime now) const {
  std::vector<const Server*> order;
  order.reserve(servers_.size());
  for (const Server& server : servers_) order.push_back(&server);
  std::ranges::stable_sort(order, [now](const Server* a, const Server* b) {
    const bool a_rests = now < a->retry_at;
    const bool b_rests = now < b->retry_at;
    if (a_rests != b_rests) return b_rests;
    return a_rests ? a->retry_at < b->retry_at : a->round_trip < b->round_trip;
  });
  std::vector<Endpoint> servers;
  servers.reserve(order.size());
  for (const Server* server : order) servers.push_back(server->at);
  return servers;
}

Upstreams::Server* Upstreams::Find(const Endpoint& server) {
  const auto found = std::ranges::find(servers_, server, &Server::at);
  return found == servers_.end() ? nullptr : &*found;
}

void Upstreams::OnAnswer(const Endpoint& at, Duration took) {
  Server* const server = Find(at);
  if (server == nullptr) return;
  ++server->answers;
  server->in_a_row = 0;
  server->retry_at = kLongAgo;
  server->round_trip =
      server->round_trip == Duration() ? took : server->round_trip + (took - server->round_trip) / kSmoothing;
}

void Upstreams::OnFailure(MonoTime now, const Endpoint& at, std::string why) {
  Server* const server = Find(at);
  if (server == nullptr) return;
  ++server->failures;
  ++server->in_a_row;
  server->last_failure = std::move(why);
  if (server->in_a_row < kFailuresUntilDown) return;
  const uint32_t doublings = std::min(server->in_a_row - kFailuresUntilDown, uint32_t{10});
  server->retry_at = now + std::min(kFirstRest * (int64_t{1} << doublings), kLongestRest);
}

nlohmann::ordered_json Upstreams::Show(MonoTime now) const {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Server& server : servers_) {
    rows.push_back({{"server", ToString(server.at)},
                    {"state", server.in_a_row < kFailuresUntilDown ? "up"
                              : now < server.retry_at              ? "down"
                                                                   : "retried"},
                    {"round_trip_ms", static_cast<double>(server.round_trip.ns) / 1e6},
                    {"answers", server.answers},
                    {"failures", server.failures},
                    {"last_failure", server.last_failure}});
  }
  return rows;
}

}  // namespace qure
