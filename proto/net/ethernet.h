// Ethernet II with at most one 802.1Q tag.
#pragma once

#include <cstdint>

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
ParseError ParseEthernet(ConstBytes frame, EthernetView* out);

}  // namespace qure
