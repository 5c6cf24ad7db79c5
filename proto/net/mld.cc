#include "proto/net/mld.h"

#include <array>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/group_report.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kHopLimit = 1;
constexpr uint8_t kPad1 = 0;         // RFC 8200 §4.2
constexpr uint8_t kRouterAlert = 5;  // RFC 2711 §2.1

// Router alert with the value for MLD, and two bytes of padding.
struct AlertHeader {
  uint8_t next_header;
  uint8_t length;  // in units of 8 bytes, not counting the first
  std::array<uint8_t, 6> options;
};
static_assert(sizeof(AlertHeader) == 8);
constexpr std::array<uint8_t, 6> kAlertOptions{kRouterAlert, 2, 0, 0, 1, 0};

// A message of version 1 (RFC 2710 §3), and how a query of version 2 begins (RFC 3810 §5.1).
struct Message {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
  Be16 max_response_code;
  Be16 reserved;
  Ipv6Address group;
};
static_assert(sizeof(Message) == 24);

// Whether the hop-by-hop header at the front of `payload` has a router alert for MLD.
bool HasRouterAlert(ConstBytes payload) {
  if (payload.size() < 8) return false;
  const size_t end = 8 + payload[1] * size_t{8};
  if (end > payload.size()) return false;
  const ConstBytes options = payload.first(end);
  for (size_t at = 2; at < end;) {
    if (options[at] == kPad1) {
      ++at;
      continue;
    }
    if (end - at < 2 || end - at - 2 < options[at + 1]) return false;
    const ConstBytes value = options.subspan(at + 2, options[at + 1]);
    if (options[at] == kRouterAlert) return value.size() == 2 && value[0] == 0 && value[1] == 0;
    at += 2 + value.size();
  }
  return false;
}

// The ICMPv6 message in `packet`, if it may be one of MLD to us (RFC 3810 §6.2).
ConstBytes IcmpOf(ConstBytes packet) {
  IpView view;
  if (ParseIpv6(packet, &view) || view.protocol != kProtocolIcmpv6 || view.fragment) return {};
  const auto& ip = *HeaderAt<Ipv6Header>(packet, 0);
  if (ip.hop_limit != kHopLimit || !ip.source.is_link_local() || ip.next_header != kHopByHop) return {};
  if (!HasRouterAlert(packet.first(view.end).subspan(sizeof(Ipv6Header)))) return {};
  const ConstBytes icmp = packet.first(view.end).subspan(view.transport);
  const bool sound = TransportChecksum(ip.source, ip.destination, kProtocolIcmpv6, icmp) == Be16(0);
  return sound ? icmp : ConstBytes{};
}

constexpr size_t kAlertOffset = sizeof(EthernetHeader) + sizeof(Ipv6Header);
constexpr size_t kIcmpOffset = kAlertOffset + sizeof(AlertHeader);

// All but the ICMPv6 message, which has `length` bytes.
std::vector<uint8_t> FrameFor(const MacAddress& mac, const Ipv6Address& source, const Ipv6Address& destination,
                              size_t length) {
  std::vector<uint8_t> frame(kIcmpOffset + length);
  *MutableHeaderAt<EthernetHeader>(frame, 0) = {MulticastMac(destination), mac, Be16(kEtherTypeIpv6)};
  *MutableHeaderAt<Ipv6Header>(frame, sizeof(EthernetHeader)) = {
      .version_class_flow = Be32(uint32_t{6} << 28),
      .payload_length = Be16(static_cast<uint16_t>(sizeof(AlertHeader) + length)),
      .next_header = kHopByHop,
      .hop_limit = kHopLimit,
      .source = source,
      .destination = destination};
  *MutableHeaderAt<AlertHeader>(frame, kAlertOffset) = {kProtocolIcmpv6, 0, kAlertOptions};
  return frame;
}

std::vector<uint8_t> BuildV1(uint8_t type, const MacAddress& mac, const Ipv6Address& source,
                             const Ipv6Address& destination, const Ipv6Address& group) {
  std::vector<uint8_t> frame = FrameFor(mac, source, destination, sizeof(Message));
  auto* message = MutableHeaderAt<Message>(frame, kIcmpOffset);
  *message = {
      .type = type, .code = 0, .checksum = Be16(0), .max_response_code = Be16(0), .reserved = Be16(0), .group = group};
  message->checksum = TransportChecksum(source, destination, kProtocolIcmpv6, ConstBytes(frame).subspan(kIcmpOffset));
  return frame;
}

}  // namespace

std::optional<GroupQuery> ParseMldQuery(ConstBytes packet) {
  const ConstBytes icmp = IcmpOf(packet);
  const auto* message = HeaderAt<Message>(icmp, 0);
  if (message == nullptr || message->type != kIcmpv6ListenerQuery || message->code != 0) return std::nullopt;
  if (!message->group.is_zero() && !message->group.is_multicast()) return std::nullopt;
  GroupQuery query{.group = message->group};
  // RFC 3810 §8.1: the version follows from the length.
  if (icmp.size() == sizeof(Message)) {
    query.version = 1;
    query.max_response = Milliseconds(message->max_response_code.value());
    return query;
  }
  if (!HasQueryTail<Ipv6Address>(icmp, sizeof(Message))) return std::nullopt;
  query.version = 2;
  query.max_response = Milliseconds(DecodeResponseCode(message->max_response_code.value(), 12));
  return query;
}

std::vector<uint8_t> BuildMldReport(const MacAddress& mac, const Ipv6Address& source,
                                    std::span<const GroupRecord> records) {
  std::vector<uint8_t> frame = FrameFor(mac, source, kMldRouters, GroupReportSize<Ipv6Address>(records.size()));
  const MutableBytes icmp = MutableBytes(frame).subspan(kIcmpOffset);
  auto* report = WriteGroupReport<Ipv6Address>(kIcmpv6ListenerReport2, records, icmp);
  report->checksum = TransportChecksum(source, kMldRouters, kProtocolIcmpv6, icmp);
  return frame;
}

std::vector<uint8_t> BuildMldV1Report(const MacAddress& mac, const Ipv6Address& source, const Ipv6Address& group) {
  return BuildV1(kIcmpv6ListenerReport1, mac, source, group, group);
}

std::vector<uint8_t> BuildMldV1Done(const MacAddress& mac, const Ipv6Address& source, const Ipv6Address& group) {
  return BuildV1(kIcmpv6ListenerDone, mac, source, kAllRouters, group);
}

}  // namespace qure
