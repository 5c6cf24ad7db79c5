// DNS at the service addresses outside the packet path: TCP (RFC 7766), and the datagrams that the packet path passes
// to the kernel. Uses the same tables and the same code as the packet path.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>

#include "proto/dns/answer.h"
#include "proto/dns/authority.h"
#include "proto/dns/query_log.h"
#include "proto/dns/response.h"
#include "proto/net/address.h"
#include "proto/reason.h"

namespace qure {

// Logs samples of queries, one line each.
void LogSamples(const std::vector<DnsSample>& samples);

class DnsServer {
 public:
  static constexpr size_t kMostConnections = 256;  // one more closes the connection that was silent longest
  static constexpr size_t kMostWaiting = 64;  // unsent answers of a connection: no more queries are read until then
  static constexpr size_t kMostUnsentOfOne = 64 * 1024;   // bytes of them, likewise
  static constexpr size_t kMostUnsent = 8 * 1024 * 1024;  // of all: beyond, the connection with the most is closed
  static constexpr size_t kLongestQuery = 4096;           // a longer query closes its connection

  // Gets the answer of another server. Calls `give` once, in the loop.
  using Give = std::function<void(const std::shared_ptr<const DnsCachedAnswer>& answer)>;
  using Forward = std::function<void(const DnsQuestion& question, Give give)>;

  // `port` is for tests; with 0 the kernel chooses one.
  DnsServer(asio::io_context& io, Forward forward, uint16_t port = kDnsPort);
  ~DnsServer();

  // Listens at `addresses` and answers from `authority`; null closes everything.
  void Serve(std::shared_ptr<const DnsAuthority> authority, const std::vector<IpAddress>& addresses);

  // Logs one query in `every`; 0: none.
  void LogEvery(uint32_t every) { log_every_ = every; }

  struct Counters {
    uint64_t connections = 0;  // accepted so far
    uint64_t open = 0;         // now
    uint64_t cut_off = 0;      // closed for a newer one, for silence, for answers not fetched, or for a query too long
    std::map<Reason, uint64_t> answers;
  };
  const Counters& counters() const { return counters_; }
  // Bytes of answers that wait for their clients.
  size_t unsent() const { return unsent_; }
  const DnsQueryLog& queries() const { return *queries_; }
  // The endpoints that it listens at. It tries again later to listen at an address that the kernel refused.
  std::vector<asio::ip::tcp::endpoint> listening() const;

 private:
  class Connection;
  struct Listener;
  using Connections = std::list<std::shared_ptr<Connection>>;  // the longest silent one first

  void Listen(const IpAddress& address);
  void Accept(const std::shared_ptr<Listener>& listener);
  void AcceptLater(const std::shared_ptr<Listener>& listener);
  void Receive(const std::shared_ptr<Listener>& listener);
  void Answer(const std::shared_ptr<Listener>& listener, size_t length);
  void Note(const DnsClient& client, ConstBytes name, uint16_t type, Reason reason);
  bool MayBeForged(const DnsClient& client, const DnsReply& reply) const;
  // Gives the answer to `query`, now or later; an empty one if the query gets no answer.
  void Find(const DnsClient& client, std::vector<uint8_t> query, std::function<void(ConstBytes answer)> give);
  void Take(asio::ip::tcp::socket socket);
  void CutOffTheSlowest();

  asio::io_context& io_;
  const Forward forward_;
  const uint16_t port_;
  std::shared_ptr<const DnsAuthority> authority_;
  std::map<IpAddress, std::shared_ptr<Listener>> listeners_;
  std::set<IpAddress> refused_;  // by the kernel, at the last attempt
  asio::steady_timer listen_timer_;
  Connections connections_;
  size_t unsent_ = 0;
  Counters counters_;
  std::unique_ptr<DnsQueryLog> queries_ = std::make_unique<DnsQueryLog>();
  uint32_t log_every_ = 0;
  asio::steady_timer log_timer_;
  bool logging_ = false;  // the timer runs
};

}  // namespace qure
