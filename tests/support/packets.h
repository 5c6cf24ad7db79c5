// Frames for tests, built independently of the code under test: plain loops, no shared checksum or header code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/net/address.h"

namespace qure::testing {

using Bytes = std::vector<uint8_t>;

MacAddress Mac(const char* text);
Ipv4Address Ip4(const char* text);
Ipv6Address Ip6(const char* text);

Bytes Concat(std::initializer_list<Bytes> parts);
Bytes Pad(Bytes frame, size_t length = 60);

struct Ether {
  MacAddress destination;
  MacAddress source;
  uint16_t type = 0;
  int vlan = -1;  // tag control word; -1: untagged
};
Bytes Build(const Ether& ether, const Bytes& payload);

struct Arp {
  uint16_t operation = 1;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;
};
Bytes Build(const Arp& arp);

struct Ip4Header {
  Ipv4Address source;
  Ipv4Address destination;
  uint8_t protocol = 0;
  uint8_t ttl = 64;
  uint16_t id = 0x1234;
  uint16_t fragment = 0;
  Bytes options = {};  // a multiple of four bytes
};
Bytes Build(const Ip4Header& ip, const Bytes& payload);

struct Ip6Header {
  Ipv6Address source;
  Ipv6Address destination;
  uint8_t next_header = 0;
  uint8_t hop_limit = 64;
};
Bytes Build(const Ip6Header& ip, const Bytes& payload);

// Transport segments with their checksums over the pseudo-header.
Bytes Udp(const IpAddress& source, const IpAddress& destination, uint16_t sport, uint16_t dport, const Bytes& payload);
Bytes Tcp(const IpAddress& source, const IpAddress& destination, uint16_t sport, uint16_t dport, uint8_t flags,
          const Bytes& payload);
Bytes Icmp4(uint8_t type, uint8_t code, const Bytes& body);
Bytes Icmp6(const Ipv6Address& source, const Ipv6Address& destination, uint8_t type, uint8_t code, const Bytes& body);

// Identifier, sequence and `size` counting bytes of data.
Bytes EchoBody(uint16_t id, uint16_t sequence, size_t size);
// Flags, target and, when `option` is 1 or 2, a link-layer option of that type.
Bytes NeighborBody(uint32_t flags, const Ipv6Address& target, int option, const MacAddress& mac);

struct Dns {
  uint16_t id = 0x4242;
  uint16_t flags = 0x0100;
  std::string name;  // text, dots between labels, case kept
  uint16_t type = 1;
  uint16_t klass = 1;
  int edns_payload = -1;  // -1: no OPT
  uint8_t edns_version = 0;
  bool dnssec_ok = false;
  Bytes options;  // of the OPT record
};
Bytes Build(const Dns& query);
// One resource record with its owner a pointer to `owner`.
Bytes Record(uint16_t owner, uint16_t type, uint32_t ttl, const Bytes& rdata, uint16_t klass = 1);
Bytes WireName(const std::string& text);
// The OPT record that an answer carries.
Bytes AnswerOpt(uint8_t extended_rcode = 0, bool dnssec_ok = false, const Bytes& options = {});
Bytes DnsHeaderBytes(uint16_t id, uint16_t flags, uint16_t questions, uint16_t answers, uint16_t authorities,
                     uint16_t additionals);
Bytes Question(const std::string& name, uint16_t type, uint16_t klass = 1);

// What a sender puts into the checksum field if its network card is to compute the checksum.
uint16_t PseudoSum(const IpAddress& source, const IpAddress& destination, uint8_t protocol, size_t length);

uint16_t NaiveChecksum(const Bytes& bytes);
void PutBe16(Bytes* bytes, size_t at, uint16_t value);

}  // namespace qure::testing
