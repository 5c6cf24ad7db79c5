// Addresses as text: what parses prints, and what prints parses back to the same.
#include "proto/net/address.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

void CheckPrefix(const IpPrefix& prefix) {
  FUZZ_CHECK(prefix.length <= (prefix.address.is_v6() ? 128 : 32));
  FUZZ_CHECK(ParsePrefix(ToString(prefix)) == prefix);
  const IpPrefix network = NetworkOf(prefix);
  FUZZ_CHECK(NetworkOf(network) == network);
  FUZZ_CHECK(Contains(prefix, prefix.address));
  FUZZ_CHECK(Contains(network, prefix.address));
  FUZZ_CHECK(Contains(prefix, network.address));
}

void CheckDerived(const Ipv6Address& address) {
  FUZZ_CHECK(SolicitedNode(address).is_multicast());
  FUZZ_CHECK(SolicitedNode(SolicitedNode(address)) == SolicitedNode(address));
  FUZZ_CHECK(MulticastMac(address).is_multicast());
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto mac = ParseMac(text)) {
    FUZZ_CHECK(ParseMac(ToString(*mac)) == mac);
    FUZZ_CHECK(LinkLocalFromMac(*mac).is_link_local());
  }
  if (const auto ip = ParseIp(text)) {
    FUZZ_CHECK(ParseIp(ToString(*ip)) == ip);
    if (ip->is_v6()) CheckDerived(ip->v6());
  }
  if (const auto prefix = ParsePrefix(text)) CheckPrefix(*prefix);
  return 0;
}
