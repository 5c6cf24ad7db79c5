#include "control/core/address/frames.h"

#include <cstddef>

#include "proto/net/arp.h"
#include "proto/net/nd.h"

namespace qure {
namespace {

SendFrame FromArp(const ArpFields& fields, bool answer) {
  const ArpFrame frame = BuildArp(fields);
  return {.bytes = {frame.begin(), frame.end()}, .answer = answer};
}

SendFrame FromSolicitation(const NeighborFields& fields, bool answer) {
  NeighborFrame frame;
  const size_t length = BuildNeighborSolicitation(fields, &frame);
  return {.bytes = {frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length)}, .answer = answer};
}

SendFrame FromAdvertisement(const NeighborFields& fields, bool answer) {
  NeighborFrame frame;
  const size_t length = BuildNeighborAdvertisement(fields, &frame);
  return {.bytes = {frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length)}, .answer = answer};
}

}  // namespace

SendFrame AskWhoHas(const MacAddress& node_mac, const IpAddress& address) {
  if (address.is_v4()) {
    return FromArp({.ethernet_source = node_mac, .sender_mac = node_mac, .target_ip = address.v4()}, false);
  }
  const Ipv6Address group = SolicitedNode(address.v6());
  return FromSolicitation({.ethernet_source = node_mac,
                           .ethernet_destination = MulticastMac(group),
                           .destination = group,
                           .target = address.v6()},
                          false);
}

SendFrame AskWhere(const Macs& macs, const IpAddress& sender, const IpAddress& target,
                   const std::optional<MacAddress>& at, bool answer) {
  if (target.is_v4()) {
    return FromArp({.ethernet_source = macs.source,
                    .ethernet_destination = at.value_or(kBroadcastMac),
                    .sender_mac = macs.link,
                    .sender_ip = sender.v4(),
                    .target_mac = at.value_or(MacAddress{}),
                    .target_ip = target.v4()},
                   answer);
  }
  const Ipv6Address group = SolicitedNode(target.v6());
  return FromSolicitation({.ethernet_source = macs.source,
                           .ethernet_destination = at.value_or(MulticastMac(group)),
                           .source = sender.v6(),
                           .destination = at ? target.v6() : group,
                           .target = target.v6(),
                           .link_layer = macs.link},
                          answer);
}

SendFrame AskWhere(const QuestionSender& sender, const IpAddress& target, const std::optional<MacAddress>& at) {
  const bool v6 = target.is_v6();
  const MacAddress& mac = v6 ? sender.mac_v6 : sender.mac_v4;
  const IpAddress address = v6 ? IpAddress(LinkLocalFromMac(mac)) : IpAddress(sender.v4);
  return AskWhere({.source = mac, .link = mac}, address, target, at, /*answer=*/false);
}

SendFrame Announcement(const Macs& macs, const IpAddress& address, bool answer) {
  if (address.is_v4()) {
    const Ipv4Address ip = address.v4();
    return FromArp({.ethernet_source = macs.source, .sender_mac = macs.link, .sender_ip = ip, .target_ip = ip}, answer);
  }
  return FromAdvertisement({.ethernet_source = macs.source,
                            .ethernet_destination = MulticastMac(kAllNodes),
                            .source = address.v6(),
                            .destination = kAllNodes,
                            .target = address.v6(),
                            .flags = kNaOverride,
                            .link_layer = macs.link},
                           answer);
}

SendFrame AnswerTo(const Macs& macs, const IpAddress& address, const MacAddress& to_mac, const IpAddress& to) {
  if (address.is_v4()) {
    return FromArp({.operation = kArpReply,
                    .ethernet_source = macs.source,
                    .ethernet_destination = to_mac,
                    .sender_mac = macs.link,
                    .sender_ip = address.v4(),
                    .target_mac = to_mac,
                    .target_ip = to.v4()},
                   true);
  }
  return FromAdvertisement({.ethernet_source = macs.source,
                            .ethernet_destination = to_mac,
                            .source = address.v6(),
                            .destination = to.v6(),
                            .target = address.v6(),
                            .flags = kNaOverride,
                            .link_layer = macs.link},
                           true);
}

SendFrame GratuitousReply(const Macs& macs, const Ipv4Address& ip) {
  return FromArp({.operation = kArpReply,
                  .ethernet_source = macs.source,
                  .sender_mac = macs.link,
                  .sender_ip = ip,
                  .target_mac = macs.link,
                  .target_ip = ip},
                 true);
}

}  // namespace qure
