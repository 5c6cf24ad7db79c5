#include "dataplane/pipeline/return_path.h"

#include "proto/net/ethernet.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {
namespace {

const ServiceAddress* Source(const Snapshot& snapshot, ConstBytes packet, bool is_v6) {
  return is_v6 ? snapshot.Find(reinterpret_cast<const Ipv6Header*>(packet.data())->source)
               : snapshot.Find(reinterpret_cast<const Ipv4Header*>(packet.data())->source);
}

void NoteReset(const WorkerMemory& memory, const ServiceAddress& service, ConstBytes packet, const IpView& view) {
  const auto* tcp = HeaderAt<TcpHeader>(packet.first(view.end), view.transport);
  if (tcp == nullptr || (tcp->flags & kTcpRst) == 0) return;
  FlowKey key;
  key.remote = service.address.is_v6() ? reinterpret_cast<const Ipv6Header*>(packet.data())->destination.bytes
                                       : MappedAddress(reinterpret_cast<const Ipv4Header*>(packet.data())->destination);
  key.remote_port = tcp->destination_port;
  key.local_port = tcp->source_port;
  key.local_address = service.id;
  key.protocol = kProtocolTcp;
  FlowEntry* const entry = memory.flows.table->Find(key, memory.flows.table->HashOf(key), memory.now);
  if (entry != nullptr && entry->owner == kSelfSlot) entry->state = FlowState::kClosing;
}

}  // namespace

bool ReturnsByMaster(const Snapshot& snapshot, ConstBytes packet, const IpView& view, bool is_v6) {
  if (snapshot.balance == nullptr || !snapshot.services->any_return_by_master) return false;
  const ServiceAddress* const service = Source(snapshot, packet, is_v6);
  if (service == nullptr) return false;
  if (view.protocol != kProtocolTcp && view.protocol != kProtocolUdp) return true;
  const auto* port = view.transport != 0 ? HeaderAt<Be16>(packet.first(view.end), view.transport) : nullptr;
  if (port == nullptr) return true;
  const uint8_t number = snapshot.services->Find(view.protocol, port->value(), service->id);
  return number != 0 && snapshot.services->services[number - 1].return_by_master;
}

Reason ReturnToGateway(const Snapshot& snapshot, bool is_v6, uint16_t network, Frame* frame) {
  const ServiceAddress* const service = Source(snapshot, frame->bytes().subspan(network), is_v6);
  const MacAddress& gateway = is_v6 ? snapshot.gateway_mac_v6 : snapshot.gateway_mac_v4;
  if (service == nullptr || !service->serving || gateway.is_zero()) return Reason::return_unwanted;
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  ethernet->destination = gateway;
  ethernet->source = service->mac;
  return Reason::return_service;
}

Reason SendReply(const Snapshot& snapshot, const WorkerMemory& memory, bool is_v6, Frame* frame) {
  if (snapshot.balance == nullptr) return Reason::lan_host;
  const ConstBytes packet = frame->bytes().subspan(sizeof(EthernetHeader));
  IpView view;
  // The port may still have to fill in the checksum. What is unsound otherwise is not for us to judge.
  if (is_v6 ? ParseIpv6(packet, &view) : ParseIpv4(packet, /*checksum_verified=*/true, &view)) return Reason::lan_host;
  const ServiceAddress* const service = Source(snapshot, packet, is_v6);
  if (service == nullptr) return Reason::lan_host;
  if (view.protocol == kProtocolTcp && view.transport != 0) NoteReset(memory, *service, packet, view);
  if (!ReturnsByMaster(snapshot, packet, view, is_v6)) return Reason::lan_host;
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
