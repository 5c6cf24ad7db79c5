// Ethernet II with at most one 802.1Q tag.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"

namespace qure {

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;

// Frames shorter than this are padded by the sender (IEEE 802.3 §3.2.8), without the frame check sequence.
inline constexpr uint16_t kMinimumFrame = 60;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14);

struct VlanTag {
  Be16 control;  // priority 3 bits, DEI 1, VLAN id 12 (IEEE 802.1Q §9.6)
  Be16 ether_type;
  uint16_t id() const { return control.value() & 0x0fff; }
};
static_assert(sizeof(VlanTag) == 4);

struct EthernetView {
  const EthernetHeader* header = nullptr;
  uint16_t ether_type = 0;  // of the payload, behind the tag
  uint16_t vlan = 0;        // 0: untagged or priority-tagged
  bool tagged = false;
  uint8_t length = 0;  // bytes before the payload: 14 or 18
};

// Errors: ethernet_truncated, ethernet_source.
inline ParseError ParseEthernet(ConstBytes frame, EthernetView* out) {
  const auto* header = HeaderAt<EthernetHeader>(frame, 0);
  if (header == nullptr) return Reason::ethernet_truncated;
  const bool tagged = header->ether_type == Be16(kEtherTypeVlan);
  const VlanTag* const tag = tagged ? HeaderAt<VlanTag>(frame, sizeof(EthernetHeader)) : nullptr;
  if (tagged && tag == nullptr) return Reason::ethernet_truncated;
  // IEEE 802.3 §3.2.3 (b): the first bit of a source address is reserved and zero.
  if (header->source.is_multicast() || header->source.is_zero()) return Reason::ethernet_source;
  *out = {.header = header, .ether_type = header->ether_type.value(), .length = sizeof(EthernetHeader)};
  if (tagged) {
    out->ether_type = tag->ether_type.value();
    out->vlan = tag->id();
    out->tagged = true;
    out->length += sizeof(VlanTag);
  }
  return std::nullopt;
}

}  // namespace qure
