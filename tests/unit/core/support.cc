#include "tests/unit/core/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/net/checksum.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"

namespace qure::test {
namespace {

std::string NameOfMac(const MacAddress& mac) {
  static const auto* const kNames = new std::map<MacAddress, std::string>{
      {kBroadcastMac, "broadcast"},
      {MacAddress{}, "zero"},
      {LanMac(), "lan"},
      {GatewayMac(), "gateway"},
      {Stranger(), "stranger"},
      {Stranger2(), "stranger2"},
      {NodeMac(kNodeId, 0), "node"},
      {ServiceMacOf("198.51.100.50"), "service"},
      {ServiceMacOf("2001:db8:2::50"), "service"},
      {ServiceMacOf("198.51.100.51"), "service2"},
      {ServiceMacOf("2001:db8:2::51"), "service2"},
  };
  const auto it = kNames->find(mac);
  return it == kNames->end() ? ToString(mac) : it->second;
}

std::string DescribeFrame(const SendFrame& send) {
  const DecodedFrame frame = Decode(send);
  std::string link = absl::StrCat(send.answer ? "answer " : "", frame.arp ? "ARP " : "ND ", NameOfMac(frame.source),
                                  ">", NameOfMac(frame.destination), ": ");
  if (frame.arp) {
    const ArpPacket& arp = *frame.arp;
    return absl::StrCat(link, arp.is_request() ? "request" : "reply", " sender=", NameOfMac(arp.sender_mac), "/",
                        ToString(IpAddress(arp.sender_ip)), " target=", NameOfMac(arp.target_mac), "/",
                        ToString(IpAddress(arp.target_ip)));
  }
  if (!frame.neighbor) return link;
  return absl::StrCat(link, frame.neighbor->type == kNeighborSolicitation ? "NS " : "NA ",
                      ToString(IpAddress(frame.ip_source)), ">", ToString(IpAddress(frame.ip_destination)),
                      " target=", ToString(IpAddress(frame.neighbor->target)),
                      (frame.neighbor->flags.value() & kNaOverride) != 0 ? " override" : "",
                      frame.link_layer ? absl::StrCat(" link=", NameOfMac(*frame.link_layer)) : "");
}

std::string DescribeSnapshot(const Snapshot& snapshot) {
  std::vector<std::string> addresses;
  for (const auto* list : {&snapshot.addresses_v4, &snapshot.addresses_v6}) {
    for (const ServiceAddress& a : *list) {
      addresses.push_back(absl::StrCat(a.serving ? "serving " : "watching ", ToString(a.address)));
    }
  }
  return absl::StrCat("snapshot ", snapshot.revision, ": ", absl::StrJoin(addresses, ", "));
}

struct Describer {
  std::string operator()(const SendFrame& a) const { return DescribeFrame(a); }
  std::string operator()(const PublishSnapshot& a) const { return DescribeSnapshot(*a.snapshot); }
  std::string operator()(const OpenGate&) const { return "open gate"; }
  std::string operator()(const ShutGate&) const { return "shut gate"; }
  std::string operator()(const SetHostAddresses& a) const {
    return absl::StrCat("host addresses: ", absl::StrJoin(a.addresses, ", ", [](std::string* out, const IpPrefix& p) {
                          absl::StrAppend(out, ToString(p));
                        }));
  }
  std::string operator()(const Persist& a) const { return absl::StrCat("persist ", a.ticket); }
  std::string operator()(const TakeNewIdentity&) const { return "take a new identity"; }
  std::string operator()(const BeginAnew&) const { return "begin anew"; }
  std::string operator()(const BecomeNewBoot&) const { return "become a new boot"; }
  std::string operator()(const Finished&) const { return "finished"; }
  std::string operator()(const LearnFlows& a) const { return absl::StrCat("learn ", a.flows.size(), " flows"); }
  std::string operator()(const LookUpFlow& a) const { return absl::StrCat("look up flow for question ", a.number); }
  std::string operator()(const FlowAnswered& a) const { return absl::StrCat("answer to question ", a.id); }
  std::string operator()(const clusterconfig::Validate& a) const {
    return absl::StrCat("validate ", clusterconfig::ToText(a.version));
  }
  std::string operator()(const clusterconfig::Apply& a) const {
    return absl::StrCat("apply ", clusterconfig::ToText(a.version));
  }
  std::string operator()(const clusterconfig::Answered& a) const { return absl::StrCat("answer to change ", a.id); }
  std::string operator()(const Log& a) const { return absl::StrCat("log: ", a.text); }
};

// Reports of the multicast groups that a node listens to: they alone begin with hop-by-hop options (RFC 3810 §5). Their
// own tests are in group_listener_test.cc.
bool IsGroupReport(const Action& action) {
  const auto* send = std::get_if<SendFrame>(&action);
  if (send == nullptr) return false;
  EthernetView ethernet;
  if (ParseEthernet(send->bytes, &ethernet) || ethernet.ether_type != kEtherTypeIpv6) return false;
  const auto* ip = HeaderAt<Ipv6Header>(send->bytes, ethernet.length);
  return ip != nullptr && ip->next_header == 0;
}

const ServiceAddress* FindService(const Snapshot& snapshot, const IpAddress& ip) {
  return ip.is_v4() ? snapshot.Find(ip.v4()) : snapshot.Find(ip.v6());
}

bool AnyServing(const Snapshot& snapshot) {
  const auto serving = [](const ServiceAddress& a) { return a.serving; };
  return std::ranges::any_of(snapshot.addresses_v4, serving) || std::ranges::any_of(snapshot.addresses_v6, serving);
}

}  // namespace

MacAddress Mac(std::string_view text) {
  return ParseMac(text).value();
}
IpAddress Ip(std::string_view text) {
  return ParseIp(text).value();
}
IpPrefix Prefix(std::string_view text) {
  return ParsePrefix(text).value();
}

const MacAddress& LanMac() {
  static const MacAddress kMac = Mac("00:00:5e:00:53:01");
  return kMac;
}
const MacAddress& GatewayMac() {
  static const MacAddress kMac = Mac("00:00:5e:00:53:fe");
  return kMac;
}
const MacAddress& Stranger() {
  static const MacAddress kMac = Mac("00:00:5e:00:53:aa");
  return kMac;
}
const MacAddress& Stranger2() {
  static const MacAddress kMac = Mac("00:00:5e:00:53:bb");
  return kMac;
}
MacAddress ServiceMacOf(std::string_view address) {
  return ServiceMacFor(ClusterIdFromName(kCluster), Ip(address));
}

DecodedFrame Decode(const SendFrame& frame) {
  DecodedFrame out;
  EthernetView ethernet;
  EXPECT_FALSE(ParseEthernet(frame.bytes, &ethernet)) << "unsound Ethernet frame";
  EXPECT_FALSE(ethernet.tagged);
  if (ethernet.header == nullptr) return out;
  out.source = ethernet.header->source;
  out.destination = ethernet.header->destination;
  const ConstBytes payload = ConstBytes(frame.bytes).subspan(ethernet.length);
  if (ethernet.ether_type == kEtherTypeArp) {
    const ArpPacket* arp = nullptr;
    EXPECT_FALSE(ParseArp(payload, &arp)) << "unsound ARP packet";
    if (arp != nullptr) out.arp = *arp;
    return out;
  }
  EXPECT_EQ(ethernet.ether_type, kEtherTypeIpv6);
  IpView view;
  EXPECT_FALSE(ParseIpv6(payload, &view)) << "unsound IPv6 packet";
  const auto* ip = HeaderAt<Ipv6Header>(payload, 0);
  if (ip == nullptr) return out;
  const ConstBytes icmp = payload.subspan(view.transport, view.end - view.transport);
  EXPECT_EQ(TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, icmp).value(), 0);
  NeighborView neighbor;
  EXPECT_FALSE(ParseNeighbor(*ip, icmp, &neighbor)) << "unsound neighbor discovery";
  if (neighbor.message == nullptr) return out;
  out.ip_source = ip->source;
  out.ip_destination = ip->destination;
  out.neighbor = *neighbor.message;
  out.link_layer = neighbor.link_layer;
  return out;
}

std::optional<Datagram> DatagramOf(const SendFrame& frame) {
  EthernetView ethernet;
  IpView view;
  if (ParseEthernet(frame.bytes, &ethernet) || ethernet.ether_type != kEtherTypeIpv4) return std::nullopt;
  const ConstBytes packet = ConstBytes(frame.bytes).subspan(ethernet.length);
  if (ParseIpv4(packet, false, &view) || view.protocol != kProtocolUdp) return std::nullopt;
  const ConstBytes payload = packet.subspan(view.transport + sizeof(UdpHeader));
  const MacAddress to = ethernet.header->destination;
  const Delivery group = to == kBroadcastMac ? Delivery::kBroadcast : Delivery::kMulticast;
  return Datagram{.mac = ethernet.header->source,
                  .delivery = to.is_multicast() ? group : Delivery::kUnicast,
                  .payload = {payload.begin(), payload.end()}};
}

std::string Describe(const Action& action) {
  return std::visit(Describer{}, action);
}

Node::Node(uint64_t seed, const NodeId& id, const MacAddress& lan_mac)
    : random_(seed), controller_({.node_id = id, .lan_mac = lan_mac}, {.node_id = id}, random_, kStart) {}

void Node::HearUsed(std::string_view ip, const MacAddress& mac) {
  Hear({.kind = EventKind::kAddressUsed, .mac = mac, .ip = Ip(ip)});
}
void Node::HearProbed(std::string_view ip, const MacAddress& mac) {
  Hear({.kind = EventKind::kAddressProbed, .mac = mac, .ip = Ip(ip)});
}
void Node::HearGateway(std::string_view ip, const MacAddress& mac, bool to_service_mac) {
  MacAddress to = NodeMac(kNodeId, 0);
  const std::vector<ClaimStatus> claims = status().claims;
  const auto asks = std::ranges::find_if(
      claims, [&](const ClaimStatus& claim) { return claim.address.address.is_v6() == Ip(ip).is_v6(); });
  if (to_service_mac && asks != claims.end()) to = asks->mac;
  Hear({.kind = EventKind::kNeighbor, .mac = mac, .to = to, .ip = Ip(ip)});
}

void Node::TickAt(MonoTime now) {
  now_ = now;
  Record(controller_.Tick(now_));
  EXPECT_GT(controller_.NextDeadline(), now_);
}

void Node::TickOn() {
  const size_t before = steps_.size();
  while (steps_.size() == before && deadline() < now_ + Seconds(60)) TickAt(deadline());
}

void Node::RunUntil(MonoTime end) {
  while (deadline() <= end) TickAt(std::max(deadline(), now_));
  now_ = end;
}

void Node::RunUntilState(ClaimState state) {
  const MonoTime limit = now_ + Seconds(60);
  while (claim().state != state && deadline() <= limit) TickAt(deadline());
  ASSERT_EQ(claim().state, state);
}

std::vector<std::string> Node::Sent(MonoTime since) const {
  std::vector<std::string> sent;
  for (const Step& step : steps_) {
    if (!std::holds_alternative<SendFrame>(step.action)) continue;
    const double ms = static_cast<double>((step.at - since).ns) / 1e6;
    sent.push_back(absl::StrCat("+", ms, " ms: ", Describe(step.action)));
  }
  return sent;
}

std::vector<std::string> Node::Described() const {
  std::vector<std::string> all;
  for (const Step& step : steps_) all.push_back(Describe(step.action));
  return all;
}

std::vector<std::string> Node::Logs(LogLevel level) const {
  std::vector<std::string> logs;
  for (const Step& step : steps_) {
    const Log* log = std::get_if<Log>(&step.action);
    if (log != nullptr && log->level == level) logs.push_back(log->text);
  }
  return logs;
}

bool Node::Serves(std::string_view text) const {
  const ServiceAddress* address = FindService(*snapshot_, Ip(text));
  return address != nullptr && address->serving;
}

void Node::Record(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* persist = std::get_if<Persist>(&action)) {
      Record(controller_.OnPersisted(now_, persist->ticket, true));
      continue;
    }
    if (IsGroupReport(action)) {
      reports_.push_back({now_, action});
      continue;
    }
    Check(action);
    steps_.push_back({now_, action});
  }
  const bool serving = snapshot_ != nullptr && AnyServing(*snapshot_);
  EXPECT_TRUE(serving || !gate_open_);
  EXPECT_EQ(serving, status().role == NodeRole::kMaster);
}

void Node::Check(const Action& action) {
  if (const auto* publish = std::get_if<PublishSnapshot>(&action)) {
    EXPECT_EQ(publish->snapshot->revision, snapshot_ ? snapshot_->revision + 1 : 1);
    EXPECT_NE(publish->snapshot->services, nullptr);
    snapshot_ = publish->snapshot;
  } else if (const auto* host = std::get_if<SetHostAddresses>(&action)) {
    EXPECT_NE(host->addresses, host_addresses_) << "no change";
    host_addresses_ = host->addresses;
  } else if (std::holds_alternative<OpenGate>(action)) {
    EXPECT_FALSE(gate_open_);
    EXPECT_TRUE(AnyServing(*snapshot_)) << "gate opened before the workers serve";
    gate_open_ = true;
  } else if (std::holds_alternative<ShutGate>(action)) {
    EXPECT_TRUE(gate_open_);
    EXPECT_TRUE(AnyServing(*snapshot_)) << "gate shut after the workers ceased to serve";
    gate_open_ = false;
  } else if (const auto* send = std::get_if<SendFrame>(&action)) {
    const DecodedFrame frame = Decode(*send);
    const IpAddress speaker = frame.arp ? IpAddress(frame.arp->sender_ip) : IpAddress(frame.ip_source);
    if (!send->answer) {  // a probe, or a question of the node
      EXPECT_EQ(frame.source, snapshot_->node_mac) << Describe(action);
      EXPECT_EQ(FindService(*snapshot_, speaker), nullptr) << Describe(action);
      return;
    }
    EXPECT_TRUE(gate_open_) << Describe(action);
    EXPECT_TRUE(Serves(ToString(speaker))) << Describe(action);
    EXPECT_TRUE(snapshot_->IsServiceMac(frame.source)) << Describe(action);
  }
}

ClusterConfig MakeConfig(const std::vector<std::vector<std::string_view>>& addresses) {
  ClusterConfig config;
  config.name = kCluster;
  for (const auto& candidates : addresses) {
    AddressConfig& address = config.addresses.emplace_back();
    for (const std::string_view candidate : candidates) address.candidates.push_back(Prefix(candidate));
  }
  return config;
}

std::ostream& operator<<(std::ostream& out, const Family& family) {
  return out << family.name;
}

Family FamilyV4() {
  const std::string announcement =
      "answer ARP service>broadcast: request sender=service/198.51.100.50 target=zero/198.51.100.50";
  return {
      .name = "v4",
      .prefix = "198.51.100.50/24",
      .ip = "198.51.100.50",
      .other_prefix = "198.51.100.51/24",
      .other_ip = "198.51.100.51",
      .gateway = "198.51.100.1",
      .probe = "ARP node>broadcast: request sender=node/0.0.0.0 target=zero/198.51.100.50",
      .announcement = announcement,
      .announcements =
          {announcement,
           "answer ARP service>broadcast: reply sender=service/198.51.100.50 target=service/198.51.100.50"},
      .ask_all = "answer ARP service>broadcast: request sender=service/198.51.100.50 target=zero/198.51.100.1",
      .ask_gateway = "answer ARP service>gateway: request sender=service/198.51.100.50 target=gateway/198.51.100.1",
  };
}

Family FamilyV6() {
  const std::string announcement =
      "answer ND service>33:33:00:00:00:01: NA 2001:db8:2::50>ff02::1 target=2001:db8:2::50 override link=service";
  return {
      .name = "v6",
      .prefix = "2001:db8:2::50/64",
      .ip = "2001:db8:2::50",
      .other_prefix = "2001:db8:2::51/64",
      .other_ip = "2001:db8:2::51",
      .gateway = "2001:db8:2::1",
      .probe = "ND node>33:33:ff:00:00:50: NS ::>ff02::1:ff00:50 target=2001:db8:2::50",
      .announcement = announcement,
      .announcements = {announcement},
      .ask_all =
          "answer ND service>33:33:ff:00:00:01: NS 2001:db8:2::50>ff02::1:ff00:1 target=2001:db8:2::1 link=service",
      .ask_gateway = "answer ND service>gateway: NS 2001:db8:2::50>2001:db8:2::1 target=2001:db8:2::1 link=service",
  };
}

}  // namespace qure::test
