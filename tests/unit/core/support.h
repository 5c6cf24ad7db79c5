// A node's control core under virtual time, its actions recorded, its frames decoded by the production parsers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/action.h"
#include "control/core/config.h"
#include "control/core/controller.h"
#include "proto/cluster/datagram.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "proto/net/nd.h"
#include "proto/snapshot.h"
#include "proto/time.h"

namespace qure::test {

inline constexpr MonoTime kStart{1'000'000'000'000};

MacAddress Mac(std::string_view text);
IpAddress Ip(std::string_view text);
IpPrefix Prefix(std::string_view text);

// A frame that the core sent; the parsers found it sound.
struct DecodedFrame {
  MacAddress source;
  MacAddress destination;
  std::optional<ArpPacket> arp;
  // Neighbor discovery:
  Ipv6Address ip_source;
  Ipv6Address ip_destination;
  std::optional<NeighborMessage> neighbor;
  std::optional<MacAddress> link_layer;
};
DecodedFrame Decode(const SendFrame& frame);

// What a frame between nodes carries; nothing if it is another frame.
std::optional<Datagram> DatagramOf(const SendFrame& frame);

// One action as text, MACs by their names below and ServiceMac names: "ARP request node>broadcast sender=… target=…".
std::string Describe(const Action& action);

inline constexpr std::string_view kCluster = "test";
inline constexpr NodeId kNodeId{1, 2, 3};
const MacAddress& LanMac();      // "lan"
const MacAddress& GatewayMac();  // "gateway"
const MacAddress& Stranger();    // "stranger"
const MacAddress& Stranger2();   // "stranger2"
MacAddress ServiceMacOf(std::string_view address);

struct Step {
  MonoTime at;
  Action action;
};

// Runs a Controller and checks at every action what must always hold: answers leave only behind an open gate and for an
// address that the workers serve, the gate is open only while something is held, NextDeadline lies in the future. A
// node alone: what it wants stored is stored at once, and not recorded.
class Node {
 public:
  explicit Node(uint64_t seed = 1, const NodeId& id = kNodeId, const MacAddress& lan_mac = LanMac());

  void Configure(const ClusterConfig& config) { Record(controller_.OnConfig(now_, config)); }
  void Hear(const Event& event) { Record(controller_.OnEvent(now_, event)); }
  void HearUsed(std::string_view ip, const MacAddress& mac);
  void HearProbed(std::string_view ip, const MacAddress& mac);
  void HearGateway(std::string_view ip, const MacAddress& mac, bool to_service_mac = true);

  void TickAt(MonoTime now);
  void TickOn();                // ticks at deadlines until something comes of it
  void RunUntil(MonoTime end);  // ticks at each deadline up to `end`
  void RunFor(Duration span) { RunUntil(now_ + span); }
  // Until the first claim is in `state`, at most a minute.
  void RunUntilState(ClaimState state);

  MonoTime now() const { return now_; }
  MonoTime deadline() const { return controller_.NextDeadline(); }
  ClaimStatus claim(size_t index = 0) const { return controller_.status(now_).claims.at(index); }
  ControllerStatus status() const { return controller_.status(now_); }

  const std::vector<Step>& steps() const { return steps_; }
  void Forget() {
    steps_.clear();
    reports_.clear();
  }
  const std::vector<Step>& reports() const { return reports_; }  // of multicast groups; not among the steps
  // "+20 ms: ARP request …": frames since the last Forget, times relative to `since`.
  std::vector<std::string> Sent(MonoTime since) const;
  std::vector<std::string> Described() const;  // all actions, in order
  std::vector<std::string> Logs(LogLevel level) const;

  const Snapshot& snapshot() const { return *snapshot_; }
  std::shared_ptr<const Snapshot> shared_snapshot() const { return snapshot_; }
  bool Serves(std::string_view ip) const;
  bool gate_open() const { return gate_open_; }
  const std::vector<IpPrefix>& host_addresses() const { return host_addresses_; }

 private:
  void Record(const Actions& actions);
  void Check(const Action& action);

  std::mt19937_64 random_;
  Controller controller_;
  MonoTime now_ = kStart;
  std::vector<Step> steps_;
  std::vector<Step> reports_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<IpPrefix> host_addresses_;
  bool gate_open_ = false;
};

// One claim per list of candidates, no gateway.
ClusterConfig MakeConfig(const std::vector<std::vector<std::string_view>>& addresses);

// What a test says of one address family.
struct Family {
  std::string name;
  std::string prefix, ip;              // first candidate
  std::string other_prefix, other_ip;  // second candidate
  std::string gateway;
  std::string probe;
  std::string announcement;
  std::vector<std::string> announcements;  // all forms, as sent together
  std::string ask_all, ask_gateway;        // verification, gateway's MAC unknown and known
};
std::ostream& operator<<(std::ostream& out, const Family& family);
Family FamilyV4();
Family FamilyV6();

}  // namespace qure::test
