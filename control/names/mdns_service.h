// Multicast DNS on one interface: the sockets and timers of the responders.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "control/core/cluster_facts.h"
#include "control/core/config.h"
#include "control/names/mdns_responder.h"
#include "nlohmann/json.hpp"

namespace qure {

class MdnsService {
 public:
  // `interface`: the kernel's interface to the LAN. It may appear later, or be replaced by another one of that name.
  MdnsService(asio::io_context& io, std::string interface, uint64_t seed);
  ~MdnsService();
  MdnsService(const MdnsService&) = delete;
  MdnsService& operator=(const MdnsService&) = delete;

  void Configure(const ClusterConfig& config);
  void OnFacts(const ClusterFacts& facts);
  // Sends goodbyes for the records that no other node publishes, and closes the sockets.
  void Stop();
  nlohmann::ordered_json Show() const;

 private:
  class Link;  // of one address family

  void Publish();
  void Watch();

  const std::string interface_;
  ClusterConfig config_;
  ClusterFacts facts_;
  std::set<std::string> taken_;
  std::vector<MdnsEntry> entries_;
  asio::steady_timer watch_;
  std::vector<std::shared_ptr<Link>> links_;
};

}  // namespace qure
