#include "proto/net/way_in.h"

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"

namespace qure {
namespace {

constexpr uint8_t kHops = 64;
constexpr uint16_t kWindow = 1024;
constexpr uint8_t kNoOptions = sizeof(TcpHeader) / 4 << 4;  // TcpHeader::data_offset
constexpr uint16_t kFirstPort = 1024;

// Another port for each question: to the kernel and its firewall each one is a new connection.
uint16_t PortOf(uint32_t number) {
  return static_cast<uint16_t>(kFirstPort + number % (UINT16_MAX - kFirstPort));
}

std::vector<uint8_t> Frame(const WayInQuestion& question, uint32_t sequence, uint8_t flags) {
  const bool is_v4 = question.service.is_v4();
  const size_t transport = sizeof(EthernetHeader) + (is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header));
  std::vector<uint8_t> frame(transport + sizeof(TcpHeader));
  const MutableBytes out(frame);
  *MutableHeaderAt<EthernetHeader>(out, 0) = {question.host, kWayInMac, Be16(is_v4 ? kEtherTypeIpv4 : kEtherTypeIpv6)};
  auto* const tcp = MutableHeaderAt<TcpHeader>(out, transport);
  *tcp = {.source_port = Be16(PortOf(question.number)),
          .destination_port = Be16(question.port),
          .sequence = Be32(sequence),
          .acknowledgment = Be32(0),
          .data_offset = kNoOptions,
          .flags = flags,
          .window = Be16(kWindow),
          .checksum = Be16(0),
          .urgent = Be16(0)};
  const ConstBytes segment = ConstBytes(frame).subspan(transport);
  if (is_v4) {
    auto* const ip = MutableHeaderAt<Ipv4Header>(out, sizeof(EthernetHeader));
    *ip = {.version_ihl = 0x45,
           .type_of_service = 0,
           .total_length = Be16(sizeof(Ipv4Header) + sizeof(TcpHeader)),
           .identification = Be16(0),
           .fragment = Be16(0x4000),  // don't fragment
           .time_to_live = kHops,
           .protocol = kProtocolTcp,
           .checksum = Be16(0),
           .source = kWayInSource4,
           .destination = question.service.v4()};
    ip->checksum = Ipv4HeaderChecksum(out.subspan(sizeof(EthernetHeader), sizeof(Ipv4Header)));
    tcp->checksum = TransportChecksum(ip->source, ip->destination, kProtocolTcp, segment);
  } else {
    auto* const ip = MutableHeaderAt<Ipv6Header>(out, sizeof(EthernetHeader));
    *ip = {.version_class_flow = Be32(uint32_t{6} << 28),
           .payload_length = Be16(sizeof(TcpHeader)),
           .next_header = kProtocolTcp,
           .hop_limit = kHops,
           .source = kWayInSource6,
           .destination = question.service.v6()};
    tcp->checksum = TransportChecksum(ip->source, ip->destination, kProtocolTcp, segment);
  }
  return frame;
}

}  // namespace

std::vector<uint8_t> WayInSyn(const WayInQuestion& question) {
  return Frame(question, question.number, kTcpSyn);
}

std::vector<uint8_t> WayInReset(const WayInQuestion& question) {
  return Frame(question, question.number + 1, kTcpRst);
}

std::optional<WayInAnswer> ReadWayInAnswer(ConstBytes frame) {
  EthernetView ethernet;
  if (ParseEthernet(frame, &ethernet) || ethernet.tagged) return std::nullopt;
  const ConstBytes packet = frame.subspan(sizeof(EthernetHeader));
  IpView view;
  const bool is_v4 = ethernet.ether_type == kEtherTypeIpv4;
  if (is_v4) {
    if (ParseIpv4(packet, /*checksum_verified=*/true, &view)) return std::nullopt;
    if (HeaderAt<Ipv4Header>(packet, 0)->destination != kWayInSource4) return std::nullopt;
  } else {
    if (ethernet.ether_type != kEtherTypeIpv6 || ParseIpv6(packet, &view)) return std::nullopt;
    if (HeaderAt<Ipv6Header>(packet, 0)->destination != kWayInSource6) return std::nullopt;
  }
  if (view.protocol != kProtocolTcp || view.transport == 0) return std::nullopt;
  const TcpHeader* tcp = nullptr;
  if (ParseTcp(packet.first(view.end).subspan(view.transport), &tcp)) return std::nullopt;
  const uint32_t number = tcp->acknowledgment.value() - 1;
  if ((tcp->flags & kTcpAck) == 0 || tcp->destination_port != Be16(PortOf(number))) return std::nullopt;
  if ((tcp->flags & kTcpRst) != 0) return WayInAnswer{.number = number, .open = false};
  return (tcp->flags & kTcpSyn) != 0 ? std::optional(WayInAnswer{.number = number, .open = true}) : std::nullopt;
}

}  // namespace qure
