// A responder of Multicast DNS (RFC 6762) for one interface and one address family, without sockets and clocks:
// messages and time are arguments, and what is to be sent is collected.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/dns/mdns.h"
#include "proto/net/address.h"
#include "proto/net/endpoint.h"
#include "proto/time.h"

namespace qure {

// What is to be published. A unique record's set (name and type) is ours alone and probed for; a shared one is one of
// many hosts'.
struct MdnsEntry {
  MdnsRecord record;
  bool lasting = false;  // a peer goes on to publish it when this node does not: no goodbye then
  friend bool operator==(const MdnsEntry&, const MdnsEntry&) = default;
};

class MdnsResponder {
 public:
  struct Sending {
    std::vector<uint8_t> message;
    std::optional<Endpoint> to;  // absent: the group
  };

  explicit MdnsResponder(uint64_t seed);

  // New names are probed and announced; what is gone gets a goodbye, except lasting records if `peers_go_on`.
  void Publish(const std::vector<MdnsEntry>& entries, bool peers_go_on, MonoTime now);
  // The addresses of this node: what comes from them is never a conflict.
  void SetOwn(std::vector<IpAddress> addresses) { own_ = std::move(addresses); }
  const std::vector<IpAddress>& own() const { return own_; }
  // A message that does not parse is nothing.
  void OnMessage(ConstBytes message, const Endpoint& sender, MonoTime now);
  // To be called when NextDeadline() has come, and after each of the above.
  void OnTime(MonoTime now);
  MonoTime NextDeadline() const;

  std::vector<Sending> TakeSendings() { return std::exchange(sendings_, {}); }
  // Lower-case names that others turned out to hold: publish others instead (RFC 6762 §9).
  std::set<std::string> TakeLost() { return std::exchange(lost_, {}); }
  // Whether all unique names are ours.
  bool settled() const;

 private:
  struct Held {
    MdnsRecord record;
    std::string name;  // lower-case
    bool lasting = false;
    bool synthetic = false;  // NSEC: neither probed nor announced
    MonoTime due = kNever;
    std::optional<MonoTime> sent;         // by multicast
    int announcements = 0;                // still to be made
    std::optional<Endpoint> only_client;  // who alone waits for it
  };
  // Of a unique name.
  struct Claim {
    int probes = 0;
    MonoTime next = kNever;  // kNever: it is ours
    bool contested = false;  // another one was seen to hold it, once
  };
  using Name = std::string;

  bool IsReady(const Held& held) const;
  bool IsOurs(const MdnsRecord& record, const Name& name) const;
  bool IsKnown(const Held& held, const std::vector<MdnsRecord>& answers) const;
  std::vector<Held*> Matching(const MdnsQuestion& question);
  void AddNsec();
  void Withdraw(const std::vector<Held>& gone, bool peers_go_on);
  void Schedule(MonoTime at, Duration gap, const Endpoint& client, Held* held);
  Duration Random(Duration least, Duration most);

  void OnQuery(const MdnsMessage& query, const Endpoint& sender, MonoTime now);
  void OnRivals(const MdnsMessage& probe, MonoTime now);
  void OnResponse(const MdnsMessage& response, const Endpoint& sender, MonoTime now);
  void OnConflict(const Name& name, MonoTime now);
  void Reply(const MdnsMessage& query, const Endpoint& sender, const std::vector<Held*>& answers);
  void AddAdditional(std::optional<MonoTime> not_since, MdnsMessage* message) const;

  void Probe(MonoTime now);
  void Establish(const Name& name, MonoTime now);
  void SendDue(MonoTime now);
  void Multicast(const MdnsMessage& message) { sendings_.push_back({WriteMdns(message), std::nullopt}); }

  std::mt19937_64 random_;
  std::vector<Held> held_;
  std::map<Name, Claim> claims_;
  std::deque<std::pair<MonoTime, MdnsRecord>> former_;  // ours until lately: a reflector may still repeat them
  std::vector<IpAddress> own_;
  std::set<Name> lost_;
  unsigned losses_ = 0;
  std::vector<Sending> sendings_;
};

}  // namespace qure
