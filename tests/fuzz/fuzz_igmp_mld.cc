// IGMP and MLD queries. The first input byte chooses (bit 0: checksums are repaired first), the rest is an IP packet.
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/igmp.h"
#include "proto/net/ip.h"
#include "proto/net/mld.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

constexpr MacAddress kMac{{2, 0x11, 0x11, 0x11, 0x11, 0x10}};

void SetChecksum(MutableBytes message, size_t offset, auto compute) {
  auto* checksum = MutableHeaderAt<Be16>(message, offset);
  if (checksum == nullptr) return;
  *checksum = Be16(0);
  *checksum = compute();
}

void Repair4(MutableBytes packet) {
  const auto* ip = HeaderAt<Ipv4Header>(packet, 0);
  if (ip == nullptr || ip->header_length() < sizeof(Ipv4Header)) return;
  const size_t end = ip->total_length.value();
  if (end > packet.size() || ip->header_length() > end) return;
  const MutableBytes header = packet.first(ip->header_length());
  const MutableBytes igmp = packet.first(end).subspan(header.size());
  SetChecksum(header, offsetof(Ipv4Header, checksum), [&] { return InternetChecksum(header); });
  SetChecksum(igmp, 2, [&] { return InternetChecksum(igmp); });
}

void Repair6(MutableBytes packet) {
  IpView view;
  if (ParseIpv6(packet, &view) || view.transport == 0) return;
  const auto* ip = HeaderAt<Ipv6Header>(packet, 0);
  const MutableBytes icmp = packet.first(view.end).subspan(view.transport);
  SetChecksum(icmp, 2, [&] { return TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, icmp); });
}

void CheckFrame(const std::vector<uint8_t>& frame, bool v4) {
  EthernetView ethernet;
  FUZZ_CHECK(!ParseEthernet(frame, &ethernet));
  const ConstBytes packet = ConstBytes(frame).subspan(ethernet.length);
  IpView view;
  FUZZ_CHECK(!(v4 ? ParseIpv4(packet, false, &view) : ParseIpv6(packet, &view)));
  FUZZ_CHECK(!ParseIgmpQuery(packet) && !ParseMldQuery(packet));
}

// A report of what was asked for is sound, and no query.
void CheckReport(const GroupQuery& query) {
  constexpr Ipv4Address kOwn{{192, 0, 2, 1}};
  const GroupRecord records[] = {{GroupChange::kListening, query.group}, {GroupChange::kLeft, query.group}};
  if (query.group.is_v4()) {
    CheckFrame(BuildIgmpV3Report(kMac, kOwn, records), true);
    CheckFrame(BuildIgmpV2Report(kMac, kOwn, query.group.v4()), true);
    CheckFrame(BuildIgmpV2Leave(kMac, kOwn, query.group.v4()), true);
    return;
  }
  const Ipv6Address source = LinkLocalFromMac(kMac);
  CheckFrame(BuildMldReport(kMac, source, records), false);
  CheckFrame(BuildMldV1Report(kMac, source, query.group.v6()), false);
  CheckFrame(BuildMldV1Done(kMac, source, query.group.v6()), false);
}

void CheckQuery(const GroupQuery& query, bool v4, ConstBytes packet) {
  FUZZ_CHECK(query.group.is_v4() == v4);
  FUZZ_CHECK(query.version >= 1 && query.version <= (v4 ? 3 : 2));
  const bool zero = v4 ? query.group.v4().is_zero() : query.group.v6().is_zero();
  FUZZ_CHECK(zero || (v4 ? query.group.v4().is_multicast() : query.group.v6().is_multicast()));
  FUZZ_CHECK(query.max_response >= Duration{});
  FUZZ_CHECK(query.max_response <= (v4 ? Milliseconds(3'174'400) : Milliseconds(8'387'584)));
  // What is behind the packet changes nothing.
  const size_t end = v4 ? HeaderAt<Ipv4Header>(packet, 0)->total_length.value()
                        : sizeof(Ipv6Header) + HeaderAt<Ipv6Header>(packet, 0)->payload_length.value();
  const std::vector<uint8_t> exact = fuzz::Copy(packet.first(end));
  FUZZ_CHECK(v4 ? ParseIgmpQuery(exact).has_value() : ParseMldQuery(exact).has_value());
  CheckReport(query);
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  fuzz::Input input({data, size});
  const bool repair = (input.Byte() & 1) != 0;
  std::vector<uint8_t> packet = fuzz::Copy(input.rest());
  if (repair) {
    Repair4(packet);
    Repair6(packet);
  }
  const std::optional<GroupQuery> igmp = ParseIgmpQuery(packet);
  const std::optional<GroupQuery> mld = ParseMldQuery(packet);
  FUZZ_CHECK(!igmp || !mld);
  if (igmp) CheckQuery(*igmp, true, packet);
  if (mld) CheckQuery(*mld, false, packet);
  return 0;
}
