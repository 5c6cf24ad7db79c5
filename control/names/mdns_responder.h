// A Multicast DNS responder (RFC 6762) for one interface and one address family, without sockets and clocks: messages
// and time are arguments, and it collects the messages to send.
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

// A record to publish. This host alone has the record set (name and type) of a unique record, and probes for it. Many
// hosts may have records of a shared set.
struct MdnsEntry {
  MdnsRecord record;
  bool lasting = false;  // a peer continues to publish it when this node stops: no goodbye then
  friend bool operator==(const MdnsEntry&, const MdnsEntry&) = default;
};

class MdnsResponder {
 public:
  struct Sending {
    std::vector<uint8_t> message;
    std::optional<Endpoint> to;  // absent: the group
  };

  explicit MdnsResponder(uint64_t seed);

  // Probes and announces new names. Sends a goodbye for removed records, except for lasting ones if `peers_go_on`.
  void Publish(const std::vector<MdnsEntry>& entries, bool peers_go_on, MonoTime now);
  // The addresses of this node: a message from one of them is never a conflict.
  void SetOwn(std::vector<IpAddress> addresses) { own_ = std::move(addresses); }
  const std::vector<IpAddress>& own() const { return own_; }
  // Ignores a message that does not parse.
  void OnMessage(ConstBytes message, const Endpoint& sender, MonoTime now);
  // Call it at NextDeadline() and after each of the above.
  void OnTime(MonoTime now);
  MonoTime NextDeadline() const;

  std::vector<Sending> TakeSendings() { return std::exchange(sendings_, {}); }
  // Lower-case names that other hosts have: publish other names instead (RFC 6762 §9).
  std::set<std::string> TakeLost() { return std::exchange(lost_, {}); }
  // Whether this host has all its unique names.
  bool settled() const;

 private:
  struct Held {
    MdnsRecord record;
    std::string name;  // lower-case
    bool lasting = false;
    bool synthetic = false;  // NSEC: neither probed nor announced
    MonoTime due = kNever;
    std::optional<MonoTime> sent;         // by multicast
    int announcements = 0;                // still to be sent
    std::optional<Endpoint> only_client;  // the only client that waits for it
  };
  // Of a unique name.
  struct Claim {
    int probes = 0;
    MonoTime next = kNever;  // of the next probe; kNever: this host has the name
    bool contested = false;  // one message of another host has claimed it
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
  std::deque<std::pair<MonoTime, MdnsRecord>> former_;  // published until recently: a reflector may still repeat them
  std::vector<IpAddress> own_;
  std::set<Name> lost_;
  unsigned losses_ = 0;
  std::vector<Sending> sendings_;
};

}  // namespace qure
