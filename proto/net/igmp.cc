#include "proto/net/igmp.h"

#include <algorithm>
#include <array>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/group_report.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

constexpr uint8_t kQuery = 0x11;
constexpr uint8_t kV2Report = 0x16;
constexpr uint8_t kV2Leave = 0x17;
constexpr uint8_t kV3Report = 0x22;

// All messages of version 2, and how every query begins.
struct Message {
  uint8_t type;
  uint8_t max_response_code;
  Be16 checksum;
  Ipv4Address group;
};
static_assert(sizeof(Message) == 8);

struct HeaderWithAlert {
  Ipv4Header ip;
  std::array<uint8_t, 4> router_alert;
};
static_assert(sizeof(HeaderWithAlert) == 24);

constexpr std::array<uint8_t, 4> kRouterAlert{0x94, 4, 0, 0};  // RFC 2113 §2.1
constexpr uint8_t kInternetControl = 0xc0;                     // RFC 3376 §4
constexpr size_t kIgmpOffset = sizeof(EthernetHeader) + sizeof(HeaderWithAlert);
constexpr Duration kUnit = Milliseconds(100);
constexpr Duration kV1Response = Seconds(10);  // RFC 2236 §4: that of a query without a time

// The IGMP message in `packet`, or nothing.
ConstBytes IgmpOf(ConstBytes packet) {
  const auto* ip = HeaderAt<Ipv4Header>(packet, 0);
  if (ip == nullptr || ip->version_ihl >> 4 != 4 || ip->protocol != kProtocolIgmp || ip->is_fragment()) return {};
  const size_t header = ip->header_length();
  const size_t total = ip->total_length.value();
  if (header < sizeof(Ipv4Header) || header > total || total > packet.size()) return {};
  if (InternetChecksum(packet.first(header)) != Be16(0)) return {};
  return packet.subspan(header, total - header);
}

// A frame with room for `length` bytes of IGMP behind its headers.
std::vector<uint8_t> MakeFrame(const MacAddress& mac, const Ipv4Address& source, const Ipv4Address& destination,
                               size_t length) {
  std::vector<uint8_t> frame(std::max<size_t>(kIgmpOffset + length, kMinimumFrame));
  *MutableHeaderAt<EthernetHeader>(frame, 0) = {MulticastMac(destination), mac, Be16(kEtherTypeIpv4)};
  auto* header = MutableHeaderAt<HeaderWithAlert>(frame, sizeof(EthernetHeader));
  header->ip = {.version_ihl = 0x46,
                .type_of_service = kInternetControl,
                .total_length = Be16(static_cast<uint16_t>(sizeof(HeaderWithAlert) + length)),
                .identification = Be16(0),
                .fragment = Be16(0),
                .time_to_live = 1,
                .protocol = kProtocolIgmp,
                .checksum = Be16(0),
                .source = source,
                .destination = destination};
  header->router_alert = kRouterAlert;
  header->ip.checksum = InternetChecksum(ConstBytes(frame).subspan(sizeof(EthernetHeader), sizeof(HeaderWithAlert)));
  return frame;
}

std::vector<uint8_t> BuildV2(uint8_t type, const MacAddress& mac, const Ipv4Address& source,
                             const Ipv4Address& destination, const Ipv4Address& group) {
  std::vector<uint8_t> frame = MakeFrame(mac, source, destination, sizeof(Message));
  auto* message = MutableHeaderAt<Message>(frame, kIgmpOffset);
  *message = {type, 0, Be16(0), group};
  message->checksum = InternetChecksum(ConstBytes(frame).subspan(kIgmpOffset, sizeof(Message)));
  return frame;
}

}  // namespace

std::optional<GroupQuery> ParseIgmpQuery(ConstBytes packet) {
  const ConstBytes igmp = IgmpOf(packet);
  const auto* message = HeaderAt<Message>(igmp, 0);
  if (message == nullptr || message->type != kQuery || InternetChecksum(igmp) != Be16(0)) return std::nullopt;
  if (!message->group.is_zero() && !message->group.is_multicast()) return std::nullopt;
  GroupQuery query{.group = message->group};
  // RFC 3376 §7.1: the version follows from the length.
  if (igmp.size() == sizeof(Message)) {
    query.version = message->max_response_code == 0 ? 1 : 2;
    query.max_response = query.version == 1 ? kV1Response : kUnit * message->max_response_code;
    return query;
  }
  if (!HasQueryTail<Ipv4Address>(igmp, sizeof(Message))) return std::nullopt;
  query.version = 3;
  query.max_response = kUnit * DecodeResponseCode(message->max_response_code, 4);
  return query;
}

std::vector<uint8_t> BuildIgmpV3Report(const MacAddress& mac, const Ipv4Address& source,
                                       std::span<const GroupRecord> records) {
  const size_t length = GroupReportSize<Ipv4Address>(records.size());
  std::vector<uint8_t> frame = MakeFrame(mac, source, kIgmpRouters, length);
  const MutableBytes message = MutableBytes(frame).subspan(kIgmpOffset, length);
  auto* report = WriteGroupReport<Ipv4Address>(kV3Report, records, message);
  report->checksum = InternetChecksum(message);
  return frame;
}

std::vector<uint8_t> BuildIgmpV2Report(const MacAddress& mac, const Ipv4Address& source, const Ipv4Address& group) {
  return BuildV2(kV2Report, mac, source, group, group);
}

std::vector<uint8_t> BuildIgmpV2Leave(const MacAddress& mac, const Ipv4Address& source, const Ipv4Address& group) {
  return BuildV2(kV2Leave, mac, source, kAllRouters4, group);
}

}  // namespace qure
