#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

Bytes Ping4(const MacAddress& to, const Ipv4Address& destination, size_t size, uint8_t type = 8,
            const Bytes& options = {}) {
  return Build(
      Ether{to, kGatewayMac, 0x0800},
      Build(Ip4Header{.source = kClient4, .destination = destination, .protocol = 1, .ttl = 61, .options = options},
            Icmp4(type, 0, EchoBody(7, 9, size))));
}

Bytes Pong4(size_t size) {
  return Build(Ether{kGatewayMac, kServiceMac4, 0x0800},
               Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 1, .ttl = 64},
                     Icmp4(0, 0, EchoBody(7, 9, size))));
}

Bytes Ping6(size_t size, uint8_t type = 128) {
  return Build(
      Ether{kServiceMac6, kGatewayMac, 0x86dd},
      Build(Ip6Header{kClient6, kService6, 58, 61}, Icmp6(kClient6, kService6, type, 0, EchoBody(7, 9, size))));
}

Bytes Pong6(size_t size) {
  return Build(Ether{kGatewayMac, kServiceMac6, 0x86dd},
               Build(Ip6Header{kService6, kClient6, 58, 64}, Icmp6(kService6, kClient6, 129, 0, EchoBody(7, 9, size))));
}

Bytes Flip(Bytes frame, size_t at) {
  frame[at] ^= 0x10;
  return frame;
}

}  // namespace

std::vector<Case> EchoCases() {
  const Bytes with_options = Ping4(kServiceMac4, kService4, 56, 8, {7, 3, 4, 0});  // record route (RFC 791 §3.1)
  const Bytes exceeded =
      Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
            Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 1}, Icmp4(11, 0, Bytes(32))));
  const Bytes one_byte = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                               Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 1}, {8}));
  const auto zeros = [](const MacAddress& to, const MacAddress& from, const Ip4Header& ip, uint8_t type) {
    return Build(Ether{to, from, 0x0800}, Build(ip, Icmp4(type, 0, Bytes(12))));
  };
  const Bytes from_nobody = Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
                                  Build(Ip6Header{{}, kService6, 58}, Icmp6({}, kService6, 128, 0, EchoBody(7, 9, 8))));
  return {
      {"ping of zeros: the reply's checksum is not zero",
       zeros(kServiceMac4, kGatewayMac, {.source = kClient4, .destination = kService4, .protocol = 1}, 8),
       Reason::echo_reply,
       zeros(kGatewayMac, kServiceMac4, {.source = kService4, .destination = kClient4, .protocol = 1}, 0)},
      {"ping6 without a source", from_nobody, Reason::ip6_source},
      {"ping", Ping4(kServiceMac4, kService4, 56), Reason::echo_reply, Pong4(56)},
      {"ping without data", Pad(Ping4(kServiceMac4, kService4, 0)), Reason::echo_reply, Pad(Pong4(0))},
      {"ping of odd length", Ping4(kServiceMac4, kService4, 57), Reason::echo_reply, Pong4(57)},
      {"ping as large as a frame", Ping4(kServiceMac4, kService4, 1472), Reason::echo_reply, Pong4(1472)},
      {"ping6", Ping6(56), Reason::echo6_reply, Pong6(56)},
      {"ping6 of odd length", Ping6(1), Reason::echo6_reply, Pong6(1)},
      {"echo reply goes to the kernel", Ping4(kServiceMac4, kService4, 8, 0), Reason::host_service,
       ToKernel(Ping4(kServiceMac4, kService4, 8, 0))},
      {"echo6 reply goes to the kernel", Ping6(8, 129), Reason::host_service, ToKernel(Ping6(8, 129))},
      {"ping with options goes to the kernel", with_options, Reason::host_service, ToKernel(with_options)},
      {"ping delivered by a peer goes to the kernel", Ping4(kNodeMac, kService4, 56), Reason::host_service,
       Ping4(kNodeMac, kService4, 56)},
      {"ICMP error goes to the kernel", exceeded, Reason::host_service, ToKernel(exceeded)},
      {"ping to an address that is not held", Ping4(kIdleMac4, kIdle4, 56), Reason::not_serving},
      {"one byte of ICMP", one_byte, Reason::icmp_truncated},
      {"ICMP checksum wrong", Flip(Ping4(kServiceMac4, kService4, 56), 50), Reason::icmp_checksum},
      {"ICMPv6 checksum wrong", Flip(Ping6(56), 70), Reason::icmp_checksum},
  };
}

}  // namespace qure::testing
