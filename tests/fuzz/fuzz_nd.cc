// Neighbor discovery. The input is an IPv6 header and the ICMPv6 message, however long.
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/nd.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

// A sound message is built anew and means the same.
void CheckRoundTrip(const Ipv6Header& ip, const NeighborView& view) {
  const bool solicitation = view.message->type == kNeighborSolicitation;
  const MacAddress mac = view.link_layer.value_or(MacAddress{{2, 0, 0, 0, 0, 1}});
  const NeighborFields fields{.ethernet_source = mac,
                              .ethernet_destination = kBroadcastMac,
                              .source = ip.source,
                              .destination = ip.destination,
                              .target = view.message->target,
                              .flags = view.message->flags.value(),
                              .link_layer = mac};
  NeighborFrame frame;
  const size_t length =
      solicitation ? BuildNeighborSolicitation(fields, &frame) : BuildNeighborAdvertisement(fields, &frame);
  FUZZ_CHECK(length == frame.size() - (view.dad ? sizeof(LinkLayerOption) : 0));

  constexpr size_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv6Header);
  const ConstBytes icmp = ConstBytes(frame).subspan(kIcmpOffset, length - kIcmpOffset);
  const auto* built_ip = HeaderAt<Ipv6Header>(frame, sizeof(EthernetHeader));
  FUZZ_CHECK(built_ip->payload_length.value() == icmp.size());
  FUZZ_CHECK(TransportChecksum(ip.source, ip.destination, kProtocolIcmpv6, icmp) == Be16(0));
  NeighborView again;
  FUZZ_CHECK(!ParseNeighbor(*built_ip, icmp, &again));
  FUZZ_CHECK(again.message->target == view.message->target && again.dad == view.dad);
  FUZZ_CHECK(solicitation || again.message->flags == view.message->flags);
  FUZZ_CHECK(view.dad ? !again.link_layer : again.link_layer == mac);
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  const auto* ip = HeaderAt<Ipv6Header>({data, size}, 0);
  if (ip == nullptr) return 0;
  const ConstBytes icmp = ConstBytes(data, size).subspan(sizeof(Ipv6Header));
  NeighborView view;
  if (const ParseError error = ParseNeighbor(*ip, icmp, &view)) {
    FUZZ_CHECK(*error == Reason::nd_malformed);
    FUZZ_CHECK(view.message == nullptr);
    return 0;
  }
  FUZZ_CHECK(reinterpret_cast<const uint8_t*>(view.message) == icmp.data());
  FUZZ_CHECK(icmp.size() % 8 == 0);  // options come in units of eight bytes
  FUZZ_CHECK(ip->hop_limit == 255 && view.message->code == 0 && !view.message->target.is_multicast());
  FUZZ_CHECK(!view.dad || (ip->source.is_zero() && !view.link_layer));
  FUZZ_CHECK(!view.link_layer || (!view.link_layer->is_multicast() && !view.link_layer->is_zero()));
  CheckRoundTrip(*ip, view);
  return 0;
}
