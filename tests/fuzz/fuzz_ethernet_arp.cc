// Ethernet and the ARP behind it: offsets inside the frame, built frames equal to what they were built from.
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

void CheckArp(ConstBytes payload) {
  const ArpPacket* arp = nullptr;
  if (ParseArp(payload, &arp)) {
    FUZZ_CHECK(arp == nullptr);
    return;
  }
  FUZZ_CHECK(reinterpret_cast<const uint8_t*>(arp) == payload.data());
  FUZZ_CHECK(arp->sender_mac != kBroadcastMac && !arp->sender_mac.is_zero());
  FUZZ_CHECK(!arp->is_probe() || arp->is_request());
  const ArpFrame built = BuildArp({.operation = arp->operation.value(),
                                   .ethernet_source = arp->sender_mac,
                                   .sender_mac = arp->sender_mac,
                                   .sender_ip = arp->sender_ip,
                                   .target_mac = arp->target_mac,
                                   .target_ip = arp->target_ip});
  const ConstBytes again = ConstBytes(built).subspan(sizeof(EthernetHeader), sizeof(ArpPacket));
  FUZZ_CHECK(qure::fuzz::SameBytes(again, payload.first(sizeof(ArpPacket))));
  const ArpPacket* parsed = nullptr;
  FUZZ_CHECK(!ParseArp(again, &parsed));
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  const ConstBytes frame(data, size);
  CheckArp(frame);
  EthernetView view;
  if (const ParseError error = ParseEthernet(frame, &view)) {
    FUZZ_CHECK(view.header == nullptr);
    FUZZ_CHECK((*error == Reason::ethernet_truncated) ==
               (size < 14 || (size < 18 && data[12] == 0x81 && data[13] == 0)));
    return 0;
  }
  FUZZ_CHECK(view.length == (view.tagged ? 18 : 14));
  FUZZ_CHECK(view.length <= size);
  FUZZ_CHECK(view.vlan < 4096 && (view.tagged || view.vlan == 0));
  FUZZ_CHECK(!view.header->source.is_multicast() && !view.header->source.is_zero());
  CheckArp(frame.subspan(view.length));
  return 0;
}
