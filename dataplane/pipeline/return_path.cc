#include "dataplane/pipeline/return_path.h"

#include "dataplane/pipeline/flow_classifier.h"
#include "dataplane/pipeline/flow_rules.h"
#include "proto/net/ethernet.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {
namespace {

const ServiceAddress* Source(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed) {
  const uint8_t* const ip = frame.data + parsed.network;
  return parsed.is_v6 ? snapshot.Find(reinterpret_cast<const Ipv6Header*>(ip)->source)
                      : snapshot.Find(reinterpret_cast<const Ipv4Header*>(ip)->source);
}

// What the kernel answers proves the flow, if this node owns it.
void NoteReply(const Snapshot& snapshot, const WorkerMemory& memory, const ServiceAddress& service, const Frame& frame,
               const Parsed& parsed, uint8_t protocol) {
  const ConstBytes packet = frame.bytes().first(parsed.end);
  const auto* ports = HeaderAt<UdpHeader>(packet, parsed.transport);
  if (ports == nullptr || snapshot.services->Find(protocol, ports->source_port.value(), service.id) == 0) return;
  FlowSign sign = FlowSign::kGoesOn;
  FlowNumbers numbers;
  if (protocol == kProtocolTcp) {
    const auto* tcp = HeaderAt<TcpHeader>(packet, parsed.transport);
    if (tcp == nullptr) return;
    sign = (tcp->flags & kTcpRst) == 0 && (tcp->flags & kTcpSyn) != 0 ? FlowSign::kOpens : SignOf(tcp->flags);
    numbers.acknowledged = static_cast<uint16_t>(tcp->acknowledgment.value());
  }
  const uint8_t* const ip = frame.data + parsed.network;
  FlowKey key;
  key.remote = parsed.is_v6 ? reinterpret_cast<const Ipv6Header*>(ip)->destination.bytes
                            : MappedAddress(reinterpret_cast<const Ipv4Header*>(ip)->destination);
  key.remote_port = ports->destination_port;
  key.local_port = ports->source_port;
  key.local_address = service.id;
  key.protocol = protocol;
  FlowTable& table = *memory.flows.table;
  FlowEntry* const entry = table.Find(key, table.HashOf(key), memory.now);
  if (entry == nullptr || entry->owner != kSelfSlot) return;
  OnKernelPacket(sign, numbers, entry, table.NoteOf(entry));
  if (entry->seen != memory.now) entry->seen = memory.now;
}

}  // namespace

bool ReturnsByMaster(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed, const IpView& view) {
  if (snapshot.balance == nullptr || !snapshot.services->any_return_by_master) return false;
  const ServiceAddress* const service = Source(snapshot, frame, parsed);
  if (service == nullptr) return false;
  if (view.protocol != kProtocolTcp && view.protocol != kProtocolUdp) return true;
  const auto* port = view.transport != 0 ? HeaderAt<Be16>(frame.bytes().first(view.end), view.transport) : nullptr;
  if (port == nullptr) return true;
  const uint8_t number = snapshot.services->Find(view.protocol, port->value(), service->id);
  return number != 0 && snapshot.services->services[number - 1].return_by_master;
}

Reason ReturnToGateway(const Snapshot& snapshot, const Parsed& parsed, Frame* frame) {
  const ServiceAddress* const service = Source(snapshot, *frame, parsed);
  const MacAddress& gateway = parsed.is_v6 ? snapshot.gateway_mac_v6 : snapshot.gateway_mac_v4;
  if (service == nullptr || !service->serving || gateway.is_zero()) return Reason::return_unwanted;
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  ethernet->destination = gateway;
  ethernet->source = service->mac;
  return Reason::return_service;
}

Reason SendReply(const Snapshot& snapshot, const WorkerMemory& memory, const Parsed& parsed, const IpView& view,
                 Frame* frame) {
  const ServiceAddress* const service = Source(snapshot, *frame, parsed);
  if (service == nullptr) return Reason::lan_host;
  const bool has_flow = view.protocol == kProtocolTcp || view.protocol == kProtocolUdp;
  if (has_flow && view.transport != 0) NoteReply(snapshot, memory, *service, *frame, parsed, view.protocol);
  if (!ReturnsByMaster(snapshot, *frame, parsed, view)) return Reason::lan_host;
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  if (service->serving) {
    ethernet->source = service->mac;
    return Reason::return_service;
  }
  const NodeSlot master = snapshot.balance->master;
  if (master == kSelfSlot || !snapshot.balance->nodes[master].present) return Reason::lan_host;
  ethernet->destination = snapshot.balance->nodes[master].hop0;
  return Reason::return_to_master;
}

}  // namespace qure
