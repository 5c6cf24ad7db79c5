#include "tests/support/packets.h"

#include <cstdlib>

namespace qure::testing {

namespace {

void Append(Bytes* out, const Bytes& more) {
  out->insert(out->end(), more.begin(), more.end());
}
void Append16(Bytes* out, uint16_t v) {
  Append(out, {static_cast<uint8_t>(v >> 8), static_cast<uint8_t>(v)});
}
void Append32(Bytes* out, uint32_t v) {
  Append16(out, static_cast<uint16_t>(v >> 16));
  Append16(out, static_cast<uint16_t>(v));
}
template <typename A>
void AppendAddress(Bytes* out, const A& address) {
  out->insert(out->end(), address.bytes.begin(), address.bytes.end());
}
void AppendIp(Bytes* out, const IpAddress& ip) {
  if (ip.is_v6()) {
    AppendAddress(out, ip.v6());
  } else {
    AppendAddress(out, ip.v4());
  }
}

Bytes PseudoHeader(const IpAddress& source, const IpAddress& destination, uint8_t protocol, size_t length) {
  Bytes all;
  AppendIp(&all, source);
  AppendIp(&all, destination);
  if (source.is_v6()) {
    Append32(&all, static_cast<uint32_t>(length));
    Append32(&all, protocol);
  } else {
    Append16(&all, protocol);
    Append16(&all, static_cast<uint16_t>(length));
  }
  return all;
}

uint16_t PseudoChecksum(const IpAddress& source, const IpAddress& destination, uint8_t protocol, const Bytes& segment) {
  return NaiveChecksum(Concat({PseudoHeader(source, destination, protocol, segment.size()), segment}));
}

}  // namespace

MacAddress Mac(const char* text) {
  MacAddress mac;
  for (size_t i = 0; i < 6; ++i) mac.bytes[i] = static_cast<uint8_t>(std::strtoul(text + 3 * i, nullptr, 16));
  return mac;
}
Ipv4Address Ip4(const char* text) {
  return ParseIp(text)->v4();
}
Ipv6Address Ip6(const char* text) {
  return ParseIp(text)->v6();
}

Bytes Concat(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) Append(&out, part);
  return out;
}

Bytes Pad(Bytes frame, size_t length) {
  if (frame.size() < length) frame.resize(length);
  return frame;
}

uint16_t NaiveChecksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

uint16_t PseudoSum(const IpAddress& source, const IpAddress& destination, uint8_t protocol, size_t length) {
  return static_cast<uint16_t>(~NaiveChecksum(PseudoHeader(source, destination, protocol, length)));
}

void PutBe16(Bytes* bytes, size_t at, uint16_t value) {
  (*bytes)[at] = static_cast<uint8_t>(value >> 8);
  (*bytes)[at + 1] = static_cast<uint8_t>(value);
}

Bytes Build(const Ether& ether, const Bytes& payload) {
  Bytes out;
  AppendAddress(&out, ether.destination);
  AppendAddress(&out, ether.source);
  if (ether.vlan >= 0) {
    Append16(&out, 0x8100);
    Append16(&out, static_cast<uint16_t>(ether.vlan));
  }
  Append16(&out, ether.type);
  Append(&out, payload);
  return out;
}

Bytes Build(const Arp& arp) {
  Bytes out = {0, 1, 8, 0, 6, 4};
  Append16(&out, arp.operation);
  AppendAddress(&out, arp.sender_mac);
  AppendAddress(&out, arp.sender_ip);
  AppendAddress(&out, arp.target_mac);
  AppendAddress(&out, arp.target_ip);
  return out;
}

Bytes Build(const Ip4Header& ip, const Bytes& payload) {
  const size_t header = 20 + ip.options.size();
  Bytes out = {static_cast<uint8_t>(0x40 | (header / 4)), 0};
  Append16(&out, static_cast<uint16_t>(header + payload.size()));
  Append16(&out, ip.id);
  Append16(&out, ip.fragment);
  Append(&out, {ip.ttl, ip.protocol, 0, 0});
  AppendAddress(&out, ip.source);
  AppendAddress(&out, ip.destination);
  Append(&out, ip.options);
  PutBe16(&out, 10, NaiveChecksum(out));
  Append(&out, payload);
  return out;
}

Bytes Build(const Ip6Header& ip, const Bytes& payload) {
  Bytes out = {0x60, 0, 0, 0};
  Append16(&out, static_cast<uint16_t>(payload.size()));
  Append(&out, {ip.next_header, ip.hop_limit});
  AppendAddress(&out, ip.source);
  AppendAddress(&out, ip.destination);
  Append(&out, payload);
  return out;
}

Bytes Udp(const IpAddress& source, const IpAddress& destination, uint16_t sport, uint16_t dport, const Bytes& payload) {
  Bytes out;
  Append16(&out, sport);
  Append16(&out, dport);
  Append16(&out, static_cast<uint16_t>(8 + payload.size()));
  Append16(&out, 0);
  Append(&out, payload);
  const uint16_t checksum = PseudoChecksum(source, destination, 17, out);
  PutBe16(&out, 6, checksum == 0 ? 0xffff : checksum);
  return out;
}

Bytes Tcp(const IpAddress& source, const IpAddress& destination, uint16_t sport, uint16_t dport, uint8_t flags,
          const Bytes& payload) {
  Bytes out;
  Append16(&out, sport);
  Append16(&out, dport);
  Append32(&out, 1000);
  Append32(&out, 2000);
  Append(&out, {0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  Append(&out, payload);
  PutBe16(&out, 16, PseudoChecksum(source, destination, 6, out));
  return out;
}

Bytes Icmp4(uint8_t type, uint8_t code, const Bytes& body) {
  Bytes out = {type, code, 0, 0};
  Append(&out, body);
  PutBe16(&out, 2, NaiveChecksum(out));
  return out;
}

Bytes Icmp6(const Ipv6Address& source, const Ipv6Address& destination, uint8_t type, uint8_t code, const Bytes& body) {
  Bytes out = {type, code, 0, 0};
  Append(&out, body);
  PutBe16(&out, 2, PseudoChecksum(source, destination, 58, out));
  return out;
}

Bytes EchoBody(uint16_t id, uint16_t sequence, size_t size) {
  Bytes out;
  Append16(&out, id);
  Append16(&out, sequence);
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(i));
  return out;
}

Bytes NeighborBody(uint32_t flags, const Ipv6Address& target, int option, const MacAddress& mac) {
  Bytes out;
  Append32(&out, flags);
  AppendAddress(&out, target);
  if (option != 0) {
    Append(&out, {static_cast<uint8_t>(option), 1});
    AppendAddress(&out, mac);
  }
  return out;
}

Bytes WireName(const std::string& text) {
  Bytes out;
  size_t start = 0;
  while (start < text.size()) {
    size_t dot = text.find('.', start);
    if (dot == std::string::npos) dot = text.size();
    out.push_back(static_cast<uint8_t>(dot - start));
    out.insert(out.end(), text.begin() + static_cast<ptrdiff_t>(start), text.begin() + static_cast<ptrdiff_t>(dot));
    start = dot + 1;
  }
  out.push_back(0);
  return out;
}

Bytes Question(const std::string& name, uint16_t type, uint16_t klass) {
  Bytes out = WireName(name);
  Append16(&out, type);
  Append16(&out, klass);
  return out;
}

Bytes DnsHeaderBytes(uint16_t id, uint16_t flags, uint16_t questions, uint16_t answers, uint16_t authorities,
                     uint16_t additionals) {
  Bytes out;
  for (uint16_t word : {id, flags, questions, answers, authorities, additionals}) Append16(&out, word);
  return out;
}

Bytes Build(const Dns& query) {
  const bool edns = query.edns_payload >= 0;
  Bytes out = DnsHeaderBytes(query.id, query.flags, 1, 0, 0, edns ? 1 : 0);
  Append(&out, Question(query.name, query.type, query.klass));
  if (edns) {
    Append(&out, {0, 0, 41});
    Append16(&out, static_cast<uint16_t>(query.edns_payload));
    Append(&out, {0, query.edns_version, static_cast<uint8_t>(query.dnssec_ok ? 0x80 : 0), 0});
    Append16(&out, static_cast<uint16_t>(query.options.size()));
    Append(&out, query.options);
  }
  return out;
}

Bytes Record(uint16_t owner, uint16_t type, uint32_t ttl, const Bytes& rdata, uint16_t klass) {
  Bytes out;
  Append16(&out, static_cast<uint16_t>(0xc000 | owner));
  Append16(&out, type);
  Append16(&out, klass);
  Append32(&out, ttl);
  Append16(&out, static_cast<uint16_t>(rdata.size()));
  Append(&out, rdata);
  return out;
}

Bytes AnswerOpt(uint8_t extended_rcode, bool dnssec_ok, const Bytes& options) {
  const auto flags = static_cast<uint8_t>(dnssec_ok ? 0x80 : 0);
  Bytes out = {0, 0, 41, 1232 >> 8, 1232 & 0xff, extended_rcode, 0, flags, 0};
  Append16(&out, static_cast<uint16_t>(options.size()));
  Append(&out, options);
  return out;
}

}  // namespace qure::testing
