// UDP and TCP headers, and the checksums over them.
#include "proto/net/checksum.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

constexpr Ipv4Address kSource4{{192, 0, 2, 1}};
constexpr Ipv4Address kDestination4{{198, 51, 100, 50}};
constexpr Ipv6Address kSource6{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr Ipv6Address kDestination6{{0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50}};

// Fills in the checksum at `offset`, sees that it verifies, and that it follows a change of the first word, a port.
template <typename Address>
void CheckChecksum(ConstBytes segment, size_t offset, const Address& source, const Address& destination,
                   uint8_t protocol) {
  std::vector<uint8_t> copy = fuzz::Copy(segment);
  auto* checksum = MutableHeaderAt<Be16>(copy, offset);
  *checksum = Be16(0);
  *checksum = TransportChecksum(source, destination, protocol, copy);
  FUZZ_CHECK(TransportChecksum(source, destination, protocol, copy) == Be16(0));

  auto* port = MutableHeaderAt<Be16>(copy, 0);
  const Be16 old_port = *port;
  *port = Be16(static_cast<uint16_t>(~old_port.value() * 3));
  *checksum = UpdateChecksum(*checksum, old_port, *port);
  FUZZ_CHECK(TransportChecksum(source, destination, protocol, copy) == Be16(0));
}

void CheckUdp(ConstBytes segment) {
  const UdpHeader* udp = nullptr;
  if (const ParseError error = ParseUdp(segment, &udp)) {
    FUZZ_CHECK(udp == nullptr);
    FUZZ_CHECK(*error == (segment.size() < sizeof(UdpHeader) ? Reason::udp_truncated : Reason::udp_length));
    return;
  }
  FUZZ_CHECK(reinterpret_cast<const uint8_t*>(udp) == segment.data());
  FUZZ_CHECK(udp->length.value() >= sizeof(UdpHeader) && udp->length.value() <= segment.size());
  const ConstBytes datagram = segment.first(udp->length.value());
  CheckChecksum(datagram, offsetof(UdpHeader, checksum), kSource4, kDestination4, kProtocolUdp);
  CheckChecksum(datagram, offsetof(UdpHeader, checksum), kSource6, kDestination6, kProtocolUdp);
}

void CheckTcp(ConstBytes segment) {
  const TcpHeader* tcp = nullptr;
  if (const ParseError error = ParseTcp(segment, &tcp)) {
    FUZZ_CHECK(tcp == nullptr);
    FUZZ_CHECK(*error == Reason::tcp_truncated);
    return;
  }
  FUZZ_CHECK(reinterpret_cast<const uint8_t*>(tcp) == segment.data());
  const size_t header = (tcp->data_offset >> 4) * size_t{4};
  FUZZ_CHECK(header >= sizeof(TcpHeader) && header <= segment.size());
  CheckChecksum(segment, offsetof(TcpHeader, checksum), kSource4, kDestination4, kProtocolTcp);
  CheckChecksum(segment, offsetof(TcpHeader, checksum), kSource6, kDestination6, kProtocolTcp);
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  qure::CheckUdp({data, size});
  qure::CheckTcp({data, size});
  return 0;
}
