#include "proto/net/ethernet.h"

namespace qure {

ParseError ParseEthernet(ConstBytes frame, EthernetView* out) {
  const auto* header = HeaderAt<EthernetHeader>(frame, 0);
  if (header == nullptr) return Reason::ethernet_truncated;

  EthernetView view{.header = header, .ether_type = header->ether_type.value(), .length = sizeof(EthernetHeader)};
  if (view.ether_type == kEtherTypeVlan) {
    const auto* tag = HeaderAt<VlanTag>(frame, sizeof(EthernetHeader));
    if (tag == nullptr) return Reason::ethernet_truncated;
    view.ether_type = tag->ether_type.value();
    view.vlan = tag->id();
    view.tagged = true;
    view.length += sizeof(VlanTag);
  }
  // IEEE 802.3 §3.2.3 (b): the first bit of a source address is reserved and zero.
  if (header->source.is_multicast() || header->source.is_zero()) return Reason::ethernet_source;
  *out = view;
  return std::nullopt;
}

}  // namespace qure
