#include "control/operator/explain.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/request.h"
#include "control/base/text.h"
#include "control/core/balance/balancer.h"
#include "control/core/cluster/identity.h"
#include "dataplane/pipeline/pipeline.h"
#include "proto/net/endpoint.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr MacAddress kGatewayOfExample{{2, 0, 0, 0, 0, 1}};  // any sender; no decision depends on it
constexpr size_t kFewFlows = 16;                             // there is only the one that is looked up

// The frame as the gateway would send it, with checksums verified by the port, and headroom for a tag.
class ExampleFrame {
 public:
  ExampleFrame(const ExplainQuestion& question, const MacAddress& to, uint8_t tcp_flags) {
    const bool is_v6 = question.destination.is_v6();
    auto* const ethernet = Put<EthernetHeader>();
    ethernet->destination = to;
    ethernet->source = kGatewayOfExample;
    ethernet->ether_type = Be16(is_v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
    const size_t transport = question.protocol == kProtocolTcp ? sizeof(TcpHeader) : sizeof(UdpHeader);
    if (is_v6) {
      auto* const ip = Put<Ipv6Header>();
      ip->version_class_flow = Be32(6U << 28);
      ip->payload_length = Be16(static_cast<uint16_t>(transport));
      ip->next_header = question.protocol;
      ip->hop_limit = 64;
      ip->source = question.source.v6();
      ip->destination = question.destination.v6();
    } else {
      auto* const ip = Put<Ipv4Header>();
      ip->version_ihl = 0x45;
      ip->total_length = Be16(static_cast<uint16_t>(sizeof(Ipv4Header) + transport));
      ip->time_to_live = 64;
      ip->protocol = question.protocol;
      ip->source = question.source.v4();
      ip->destination = question.destination.v4();
    }
    if (question.protocol == kProtocolTcp) {
      auto* const tcp = Put<TcpHeader>();
      tcp->source_port = Be16(question.source_port);
      tcp->destination_port = Be16(question.destination_port);
      tcp->data_offset = sizeof(TcpHeader) / 4 << 4;
      tcp->flags = tcp_flags;
    } else {
      auto* const udp = Put<UdpHeader>();
      udp->source_port = Be16(question.source_port);
      udp->destination_port = Be16(question.destination_port);
      udp->length = Be16(sizeof(UdpHeader));
    }
  }

  Frame frame() {
    return {.data = buffer_.data() + kHeadroom,
            .length = static_cast<uint16_t>(end_ - kHeadroom),
            .headroom = kHeadroom,
            .tailroom = static_cast<uint16_t>(buffer_.size() - end_),
            .ip_checksum_good = true,
            .checksum = SegmentChecksum::kGood};
  }

 private:
  static constexpr uint16_t kHeadroom = 32;

  template <typename Header>
  Header* Put() {
    auto* const header = new (buffer_.data() + end_) Header{};
    end_ += sizeof(Header);
    return header;
  }

  std::array<uint8_t, 256> buffer_{};
  size_t end_ = kHeadroom;
};

std::string NameOf(const NodeRow& row) {
  return row.name.empty() ? ToHex(row.node) : row.name;
}

std::string WhyNot(const NodeRow& row, const ServiceRow& service) {
  if (row.state != NodeState::kSelf && row.state != NodeState::kAlive) return std::string(NameOf(row.state));
  if (row.draining) return "draining";
  if (service.current->contains(row.node)) return "another node owns the entry";
  const CheckState check = service.CheckAt(row.node);
  if (IsHealthy(check)) return "without weight";
  if (check == CheckState::kUnreached) return "its firewall keeps clients from the service";
  return check == CheckState::kUnchecked ? "its check was not made yet" : "its check fails";
}

// By name, so that every node lists them in the same order.
ordered_json Others(const ControllerStatus& status, const ServiceRow& service, const std::string& owner) {
  std::map<std::string, std::string> why_not;
  for (const NodeRow& row : status.nodes) {
    if (NameOf(row) != owner) why_not[NameOf(row)] = WhyNot(row, service);
  }
  ordered_json others = ordered_json::array();
  for (const auto& [name, why] : why_not) others.push_back({{"name", name}, {"why_not", why}});
  return others;
}

const ServiceAddress* AddressIn(const Snapshot& snapshot, const ExplainQuestion& question) {
  const IpAddress& to = question.destination;
  return to.is_v6() ? snapshot.Find(to.v6()) : snapshot.Find(to.v4());
}

NodeSlot MasterOf(const Snapshot& snapshot) {
  const Balance* const balance = snapshot.balance.get();
  return balance != nullptr && balance->nodes[balance->master].present ? balance->master : kSelfSlot;
}

// What this node knows, in the numbers of the node `whose`: that one has the slot kSelfSlot. If it is the master, it
// serves the addresses.
class View {
 public:
  View(const Snapshot& snapshot, NodeSlot whose, const ControllerStatus& status)
      : ours_(snapshot), status_(status), whose_(whose), seen_(snapshot) {
    seen_.vlan = 0;
    for (auto* const addresses : {&seen_.addresses_v4, &seen_.addresses_v6}) {
      for (ServiceAddress& address : *addresses) address.serving = whose == MasterOf(snapshot);
    }
    if (whose_ != kSelfSlot) Turn();
  }

  // For the pipeline, and packets of this flow.
  Snapshot Of(const FlowKey& key) const {
    Snapshot snapshot = seen_;
    const uint8_t service = snapshot.services->Find(key.protocol, key.local_port.value(), key.local_address);
    if (service == 0 || whose_ == kSelfSlot) return snapshot;
    auto balance = std::make_shared<Balance>(*snapshot.balance);
    for (EpochTables* const epoch : {&balance->current, &balance->previous}) {
      if (epoch->services[service - 1] == nullptr) continue;
      const NodeSlot owner = OwnerIn(*ours_.balance, *epoch, *snapshot.services, service, key);
      epoch->services[service - 1] =
          std::make_shared<const LookupTable>(1, Turned(owner));  // any entry is that of `key`
    }
    snapshot.balance = std::move(balance);
    return snapshot;
  }
  const Snapshot& snapshot() const { return seen_; }

  // From this node's slots to the other's, and back.
  NodeSlot Turned(NodeSlot slot) const { return slot == kSelfSlot ? whose_ : slot == whose_ ? kSelfSlot : slot; }

  // By this node's slot.
  std::string NodeName(NodeSlot slot) const {
    const auto row = std::ranges::find(status_.nodes, std::optional(slot), &NodeRow::slot);
    return row == status_.nodes.end() ? "unknown" : NameOf(*row);
  }

 private:
  void Turn() {
    auto balance = std::make_shared<Balance>(*ours_.balance);
    std::swap(balance->nodes[kSelfSlot], balance->nodes[whose_]);
    balance->master = Turned(MasterOf(ours_));
    balance->ready = true;  // it decides
    const BalanceNode& self = balance->nodes[kSelfSlot];
    for (auto* const addresses : {&seen_.addresses_v4, &seen_.addresses_v6}) {
      for (ServiceAddress& address : *addresses) {
        if (address.mac == ours_.node_mac) address.mac = self.hop0;  // ServiceMac::kInterface: each node's own
      }
    }
    seen_.handing_over = false;
    seen_.lan_mac = seen_.node_mac = self.hop0;
    seen_.node_mac_hop1 = self.hop1;
    seen_.balance = std::move(balance);
  }

  const Snapshot& ours_;
  const ControllerStatus& status_;
  const NodeSlot whose_;
  Snapshot seen_;
};

// Service, entry and owners by the Maglev lookup tables.
void ExplainTables(const Snapshot& snapshot, const FlowKey& key, const View& view, const ControllerStatus& status,
                   ordered_json* out) {
  const uint8_t number = snapshot.services->Find(key.protocol, key.local_port.value(), key.local_address);
  if (number == 0 || snapshot.balance == nullptr) {
    (*out)["service"] =
        number == 0 ? ordered_json(nullptr) : ordered_json(snapshot.services->services[number - 1].name);
    return;
  }
  const Service& service = snapshot.services->services[number - 1];
  const Balance& balance = *snapshot.balance;
  const LookupTable* const table = balance.current.services[number - 1].get();
  const Affinity affinity = AffinityFor(balance.current, service.affinity, key.remote);
  const auto owner = [&](const EpochTables& epoch) {
    return epoch.services[number - 1] == nullptr
               ? ordered_json(nullptr)
               : ordered_json(view.NodeName(OwnerIn(balance, epoch, *snapshot.services, number, key)));
  };
  (*out)["service"] = service.name;
  (*out)["delivery"] = service.multicast ? "multicast" : "unicast";
  (*out)["affinity"] = NameOf(service.affinity);
  if (service.affinity == Affinity::kAdaptive) (*out)["heavy_hitter"] = affinity == Affinity::kSocket;
  (*out)["balance_epoch"] = balance.epoch;
  if (table != nullptr) {
    (*out)["entry"] = LookupEntry(balance.seed, affinity, key, static_cast<uint32_t>(table->size()));
  }
  (*out)["owner"] = owner(balance.current);
  (*out)["owner_before"] = owner(balance.previous);
  const auto found = std::ranges::find(status.services, service.name, &ServiceRow::name);
  if (found != status.services.end() && table != nullptr) {
    (*out)["others"] = Others(status, *found, (*out)["owner"]);
  }
}

ordered_json ExplainFlow(const FlowAnswered& flow, const View& view) {
  if (!flow.answered) return "unknown: the deciding node did not answer; the rest is as for a new flow";
  if (!flow.flow) return nullptr;
  return {
      {"owner", view.NodeName(flow.flow->owner)}, {"state", NameOf(flow.flow->state)}, {"pinned", flow.flow->pinned}};
}

// The node that the frame goes to, by its destination MAC.
ordered_json ExplainFrame(const Snapshot& snapshot, const Batch& batch, const View& view) {
  const auto* const ethernet = reinterpret_cast<const EthernetHeader*>(batch.frames[0].data);
  ordered_json frame = {{"destination", ToString(ethernet->destination)}, {"source", ToString(ethernet->source)}};
  for (size_t slot = 0; snapshot.balance != nullptr && slot < snapshot.balance->slots; ++slot) {
    const BalanceNode& node = snapshot.balance->nodes[slot];
    const bool hop1 = node.hop1 == ethernet->destination && node.hop0 != node.hop1;
    if (!node.present || (node.hop0 != ethernet->destination && !hop1)) continue;
    frame["node"] = view.NodeName(view.Turned(static_cast<NodeSlot>(slot)));
    frame["hop"] = hop1 ? 1 : 0;
  }
  return frame;
}

}  // namespace

absl::StatusOr<ExplainQuestion> ReadExplainQuestion(const json& request) {
  ExplainQuestion question;
  const std::string from = TextIn(request, "from", "");
  const std::string to = TextIn(request, "to", "");
  for (const std::string* text : {&from, &to}) {
    const bool source = text == &from;
    const std::optional<Endpoint> endpoint = ParseEndpoint(*text);
    if (!endpoint) {
      return absl::InvalidArgumentError(Concat(
          "\"", *text, "\" is not an address and port; write them like 203.0.113.7:40000 or [2001:db8::7]:40000"));
    }
    (source ? question.source : question.destination) = endpoint->address;
    (source ? question.source_port : question.destination_port) = endpoint->port;
  }
  if (question.source.is_v6() != question.destination.is_v6()) {
    return absl::InvalidArgumentError("one address is IPv4 and the other IPv6; give two of one kind");
  }
  const std::string protocol = TextIn(request, "protocol", "tcp");
  if (protocol != "tcp" && protocol != "udp") return absl::InvalidArgumentError("the protocol is tcp or udp");
  question.protocol = protocol == "tcp" ? kProtocolTcp : kProtocolUdp;
  return question;
}

std::optional<FlowKey> FlowOf(const ExplainQuestion& question, const Snapshot& snapshot) {
  const ServiceAddress* const address = AddressIn(snapshot, question);
  if (address == nullptr) return std::nullopt;
  FlowKey key;
  key.remote = RemoteOf(question.source);
  key.remote_port = Be16(question.source_port);
  key.local_port = Be16(question.destination_port);
  key.local_address = address->id;
  key.protocol = question.protocol;
  return key;
}

NodeSlot DeciderOf(const FlowKey& key, const Snapshot& snapshot) {
  const NodeSlot master = MasterOf(snapshot);
  if (snapshot.balance == nullptr) return master;
  const uint8_t number = snapshot.services->Find(key.protocol, key.local_port.value(), key.local_address);
  if (number == 0 || !snapshot.services->services[number - 1].multicast) return master;
  const Balance& balance = *snapshot.balance;
  if (balance.current.services[number - 1] == nullptr) return master;
  const NodeSlot owner = OwnerIn(balance, balance.current, *snapshot.services, number, key);
  return owner == kSelfSlot || balance.nodes[owner].present ? owner : master;
}

ordered_json Explain(const ExplainQuestion& question, const Snapshot& snapshot, const FlowAnswered& flow,
                     const ControllerStatus& status) {
  ordered_json out = {{"from", ToString(Endpoint{question.source, question.source_port})},
                      {"to", ToString(Endpoint{question.destination, question.destination_port})},
                      {"protocol", question.protocol == kProtocolTcp ? "tcp" : "udp"}};
  FlowTable table(kFewFlows, /*seed=*/0);
  const std::optional<FlowKey> key = FlowOf(question, snapshot);
  const View view(snapshot, key ? DeciderOf(*key, snapshot) : MasterOf(snapshot), status);
  Snapshot decider = view.snapshot();
  if (key) {
    decider = view.Of(*key);
    ExplainTables(snapshot, *key, view, status, &out);
    out["flow"] = ExplainFlow(flow, view);
  }
  if (key && flow.flow) {
    FlowEntry* const entry = table.Insert(*key, table.HashOf(*key), {});
    *entry = *flow.flow;
    entry->owner = view.Turned(flow.flow->owner);
    entry->seen = {};
  }
  // A known flow continues; another one begins.
  const MacAddress to = key ? AddressIn(decider, question)->link_mac() : decider.node_mac;
  ExampleFrame example(question, to, flow.flow ? kTcpAck : kTcpSyn);
  Batch batch;
  batch.count = 1;
  batch.frames[0] = example.frame();
  decider.IndexMacs();
  ProcessLan(decider, {.flows = {.table = &table}, .now = {}}, &batch);
  const ReasonInfo& info = InfoOf(batch.reasons[0]);
  out["reason"] = info.name;
  out["verdict"] = NameOf(info.verdict);
  out["meaning"] = info.help;
  if (info.verdict != Verdict::kDrop) out["frame"] = ExplainFrame(decider, batch, view);
  return out;
}

}  // namespace qure
