// IPv4, IPv6 and the checksums.
#include "proto/net/checksum.h"
#include "proto/net/ip.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

bool Same(const IpView& a, const IpView& b) {
  return a.transport == b.transport && a.end == b.end && a.protocol == b.protocol && a.fragment == b.fragment &&
         a.first_fragment == b.first_fragment && a.atomic == b.atomic && a.options == b.options;
}

// Properties of a sound packet of either family. `parse` is the parser.
template <typename Parse>
void CheckView(ConstBytes packet, size_t header, const IpView& view, Parse parse) {
  FUZZ_CHECK(view.end >= header && view.end <= packet.size());
  FUZZ_CHECK(view.fragment || !view.first_fragment);
  const bool later_fragment = view.fragment && !view.first_fragment;
  FUZZ_CHECK((view.transport == 0) == later_fragment);
  FUZZ_CHECK(later_fragment || (view.transport >= header && view.transport <= view.end));

  // What is behind the packet changes nothing, and not a byte of it is missing unnoticed.
  IpView again;
  FUZZ_CHECK(!parse(fuzz::Copy(packet.first(view.end)), &again));
  FUZZ_CHECK(Same(view, again));
  FUZZ_CHECK(parse(fuzz::Copy(packet.first(view.end - 1u)), &again));
}

void CheckIpv4(ConstBytes packet) {
  IpView unverified;
  const ParseError strict = ParseIpv4(packet, false, &unverified);
  IpView view;
  if (ParseIpv4(packet, true, &view)) {
    FUZZ_CHECK(strict);
    return;
  }
  CheckView(packet, sizeof(Ipv4Header), view, [](ConstBytes p, IpView* out) { return ParseIpv4(p, true, out); });
  if (strict) {
    FUZZ_CHECK(*strict == Reason::ip4_checksum);
    return;
  }
  FUZZ_CHECK(Same(view, unverified));

  // A forwarder's change keeps the header sound.
  std::vector<uint8_t> changed = fuzz::Copy(packet);
  auto* ip = MutableHeaderAt<Ipv4Header>(changed, 0);
  const uint8_t before[2] = {ip->time_to_live--, ip->protocol};
  const uint8_t after[2] = {ip->time_to_live, ip->protocol};
  ip->checksum = UpdateChecksum(ip->checksum, before, after);
  FUZZ_CHECK(!ParseIpv4(changed, false, &view));
}

void CheckIpv6(ConstBytes packet) {
  IpView view;
  if (ParseIpv6(packet, &view)) return;
  CheckView(packet, sizeof(Ipv6Header), view, [](ConstBytes p, IpView* out) { return ParseIpv6(p, out); });
}

// RFC 1071 §1, word by word.
uint16_t PlainChecksum(ConstBytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<uint32_t>(bytes[i] << 8) : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

void CheckChecksums(ConstBytes bytes) {
  const Be16 whole = InternetChecksum(bytes);
  FUZZ_CHECK(whole.value() == PlainChecksum(bytes));
  if (bytes.size() < 4) return;

  const size_t middle = bytes.size() / 2 & ~size_t{1};
  ChecksumAccumulator pieces;
  pieces.Add(bytes.first(middle));
  pieces.Add(bytes.subspan(middle));
  FUZZ_CHECK(pieces.Finish() == whole);

  // The first half changes to its complement. All zeros have two checksums, so they are left out.
  std::vector<uint8_t> changed = fuzz::Copy(bytes);
  for (size_t i = 0; i < middle; ++i) changed[i] = static_cast<uint8_t>(~changed[i]);
  const Be16 expected = InternetChecksum(changed);
  if (whole.value() == 0xffff || expected.value() == 0xffff) return;
  FUZZ_CHECK(UpdateChecksum(whole, bytes.first(middle), ConstBytes(changed).first(middle)) == expected);
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const qure::ConstBytes packet(data, size);
  qure::CheckIpv4(packet);
  qure::CheckIpv6(packet);
  qure::CheckChecksums(packet);
  return 0;
}
