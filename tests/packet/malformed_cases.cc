#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr size_t kIp = 14;  // offset of the IP header

Bytes Udp4() {
  return Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
               Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17},
                     Udp(kClient4, kService4, 40000, 9, {1, 2, 3, 4})));
}
Bytes Ip4From(const char* source) {
  return Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
               Build(Ip4Header{.source = Ip4(source), .destination = kService4, .protocol = 47}, Bytes(8)));
}
Bytes Ip6From(const Ipv6Address& source) {
  return Build(Ether{kServiceMac6, kGatewayMac, 0x86dd}, Build(Ip6Header{source, kService6, 47}, Bytes(8)));
}
Bytes Ip6With(uint8_t next_header, const Bytes& payload) {
  return Build(Ether{kServiceMac6, kGatewayMac, 0x86dd}, Build(Ip6Header{kClient6, kService6, next_header}, payload));
}

template <typename Change>
Bytes With(Bytes frame, Change change) {
  change(&frame);
  return frame;
}

}  // namespace

std::vector<Case> MalformedCases() {
  const Bytes udp = Udp4();
  const Bytes udp6 = Ip6With(17, Udp(kClient6, kService6, 40000, 9, {1, 2, 3, 4}));
  const Bytes tcp = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                          Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                                Tcp(kClient4, kService4, 40000, 80, 2, {})));
  Bytes chain;
  for (int i = 0; i < 9; ++i) chain.insert(chain.end(), {60, 0, 1, 4, 0, 0, 0, 0});
  const MacAddress group_source = Mac("03:00:00:00:00:01");
  return {
      {"nothing", {}, Reason::ethernet_truncated},
      {"13 bytes", Bytes(13), Reason::ethernet_truncated},
      {"half a tag", Bytes(Build(Ether{kNodeMac, kGatewayMac, 0x8100}, {0, 7})), Reason::ethernet_truncated},
      {"group source", Build(Ether{kNodeMac, group_source, 0x0800}, Bytes(46)), Reason::ethernet_source},
      {"zero source", Build(Ether{kNodeMac, {}, 0x0800}, Bytes(46)), Reason::ethernet_source},
      {"19 bytes of IPv4", Bytes(udp.begin(), udp.begin() + kIp + 19), Reason::ip4_truncated},
      {"IPv4 of version 5", With(udp, [](Bytes* f) { (*f)[kIp] = 0x55; }), Reason::ip4_version},
      {"IHL 4", With(udp, [](Bytes* f) { (*f)[kIp] = 0x44; }), Reason::ip4_header_length},
      {"IHL beyond the frame", With(udp, [](Bytes* f) { (*f)[kIp] = 0x4f; }), Reason::ip4_header_length},
      {"total length below the header", With(udp, [](Bytes* f) { PutBe16(f, kIp + 2, 19); }), Reason::ip4_total_length},
      {"total length beyond the frame", With(udp, [](Bytes* f) { PutBe16(f, kIp + 2, 33); }), Reason::ip4_total_length},
      {"IPv4 checksum wrong", With(udp, [](Bytes* f) { (*f)[kIp + 8] ^= 1; }), Reason::ip4_checksum},
      {"from 0.0.0.0", Ip4From("0.0.0.0"), Reason::ip4_source},
      {"from a group", Ip4From("224.0.0.1"), Reason::ip4_source},
      {"from the broadcast address", Ip4From("255.255.255.255"), Reason::ip4_source},
      {"from loopback", Ip4From("127.0.0.1"), Reason::ip4_source},
      {"39 bytes of IPv6", Bytes(udp6.begin(), udp6.begin() + kIp + 39), Reason::ip6_truncated},
      {"IPv6 of version 4", With(udp6, [](Bytes* f) { (*f)[kIp] = 0x40; }), Reason::ip6_version},
      {"payload length beyond the frame", With(udp6, [](Bytes* f) { PutBe16(f, kIp + 4, 13); }),
       Reason::ip6_payload_length},
      {"extension header cut short", Ip6With(60, {17, 1, 0, 0, 0, 0, 0, 0}), Reason::ip6_extension},
      {"nine extension headers", Ip6With(60, chain), Reason::ip6_extension},
      {"from an IPv6 group", Ip6From(Ip6("ff02::1")), Reason::ip6_source},
      {"from IPv6 loopback", Ip6From(Ip6("::1")), Reason::ip6_source},
      {"seven bytes of UDP", Ip6With(17, Bytes(7)), Reason::udp_truncated},
      {"UDP length 7", With(udp, [](Bytes* f) { PutBe16(f, kIp + 24, 7); }), Reason::udp_length},
      {"UDP length beyond the packet", With(udp, [](Bytes* f) { PutBe16(f, kIp + 24, 13); }), Reason::udp_length},
      {"19 bytes of TCP", Ip6With(6, Bytes(19)), Reason::tcp_truncated},
      {"TCP data offset 4", With(tcp, [](Bytes* f) { (*f)[kIp + 32] = 0x40; }), Reason::tcp_truncated},
      {"TCP data offset beyond the packet", With(tcp, [](Bytes* f) { (*f)[kIp + 32] = 0x60; }), Reason::tcp_truncated},
  };
}

}  // namespace qure::testing
