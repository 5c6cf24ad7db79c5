#include "dataplane/pipeline/frame.h"

#include <cstring>

#include "proto/net/ethernet.h"

namespace qure {

namespace {
constexpr size_t kMacPair = 2 * sizeof(MacAddress);
}

bool Frame::PushVlan(uint16_t id) {
  if (headroom < sizeof(VlanTag) || length < sizeof(EthernetHeader)) return false;
  std::memmove(data - sizeof(VlanTag), data, kMacPair);
  data -= sizeof(VlanTag);
  headroom = static_cast<uint16_t>(headroom - sizeof(VlanTag));
  length = static_cast<uint16_t>(length + sizeof(VlanTag));
  const Be16 tag[2] = {Be16(kEtherTypeVlan), Be16(id)};  // the old EtherType follows as that of the tag
  std::memcpy(data + kMacPair, tag, sizeof(tag));
  return true;
}

void Frame::PopVlan() {
  std::memmove(data + sizeof(VlanTag), data, kMacPair);
  data += sizeof(VlanTag);
  headroom = static_cast<uint16_t>(headroom + sizeof(VlanTag));
  length = static_cast<uint16_t>(length - sizeof(VlanTag));
}

}  // namespace qure
