// All of DNS outside the packet path, in one thread with one Asio loop, so that DNS never delays the control thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "control/base/mailbox.h"
#include "control/core/cluster_facts.h"
#include "control/core/config.h"
#include "control/core/naming.h"
#include "control/names/alias_watcher.h"
#include "control/names/dns_server.h"
#include "control/names/live_zones.h"
#include "control/names/mdns_service.h"
#include "control/names/registrar.h"
#include "control/names/resolver.h"
#include "nlohmann/json.hpp"
#include "proto/dns/authority.h"
#include "proto/dns/query_log.h"

namespace qure {

// Its parts run in its thread and have no locks. The public functions are for the control thread and, but for Show,
// never wait for that thread.
class NameService {
 public:
  // `hash_seed` is a secret of this node. `lan_interface` is the kernel's interface to the LAN, for Multicast DNS.
  NameService(uint64_t hash_seed, std::string lan_interface);
  ~NameService();
  NameService(const NameService&) = delete;
  NameService& operator=(const NameService&) = delete;

  void Configure(const ClusterConfig& config);
  void OnFacts(const ClusterFacts& facts);
  // The tables of the packet path, and the service addresses.
  void OnAuthority(std::shared_ptr<const DnsAuthority> authority, std::vector<IpAddress> addresses);
  // Logs samples of the packet path's queries; writing them may take long.
  void Log(std::vector<DnsSample> samples);
  // This node stops gracefully: removes its registration where that is necessary, then reports News::left. Takes at
  // most kLeaveTimeout.
  void Leave();
  // The status of all parts, for the metrics; empty if the thread does not answer in time. Any thread.
  nlohmann::ordered_json Show();
  // A request of an operator (`qurectl dns`). News has the answer under its ticket.
  void Ask(uint64_t ticket, nlohmann::json question);

  // Readable when there are news.
  int fd() const { return reports_.fd(); }
  using Names = std::shared_ptr<const LiveNames>;
  using TicketedAnswer = std::pair<uint64_t, nlohmann::ordered_json>;
  // What the thread has reported since the last call.
  struct News {
    Names names;  // the newest; null: no new ones
    std::vector<TicketedAnswer> answers;
    bool left = false;
  };
  News Take();

 private:
  struct Left {};
  using Report = std::variant<Names, TicketedAnswer, Left>;

  void Remake();
  void OnAliases();
  void OnKept();
  void Publish();
  void Forward(const DnsQuestion& question, DnsServer::Give give);
  nlohmann::ordered_json Answer(const nlohmann::json& question) const;
  nlohmann::ordered_json ShowParts() const;
  nlohmann::ordered_json ShowZones() const;
  nlohmann::ordered_json Lookup(const nlohmann::json& question) const;

  const uint64_t hash_seed_;
  Mailbox<Report> reports_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;

  // Used by the thread only.
  ClusterConfig config_;
  LiveZones zones_;
  Resolver resolver_;
  asio::steady_timer publish_;
  bool publishing_ = false;
  Duration publishing_took_;
  AliasWatcher aliases_;
  DnsServer server_;
  Registrar registrar_;
  MdnsService mdns_;
  asio::steady_timer again_;  // the cluster's records include its uptime
  std::shared_ptr<const DnsAuthority> authority_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure
