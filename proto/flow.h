// A flow as the worker's table keeps it: the whole key, who serves it, and how it is doing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proto/endian.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

// IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).
using RemoteAddress = std::array<uint8_t, 16>;

// A node's number in this process: which one it is stays so while the process runs, so flows outlive a change of the
// balance. It means nothing to other nodes.
using NodeSlot = uint8_t;
inline constexpr NodeSlot kSelfSlot = 0;
inline constexpr size_t kMaxNodes = 256;

// The remote socket, and which of our service addresses and ports it speaks to. Compared and hashed as three words.
struct FlowKey {
  RemoteAddress remote{};
  Be16 remote_port;
  Be16 local_port;
  uint8_t local_address = 0;  // ServiceAddress::id
  uint8_t protocol = 0;
  uint16_t fragment = 0;  // 1: of a fragmented datagram: the ports are the two halves of its identification

  uint64_t word(size_t index) const {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const uint8_t*>(this) + index * sizeof(word), sizeof(word));
    return word;
  }
  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    return ((a.word(0) ^ b.word(0)) | (a.word(1) ^ b.word(1)) | (a.word(2) ^ b.word(2))) == 0;
  }
};
static_assert(sizeof(FlowKey) == 24);

// The key of a fragmented datagram, from that of any packet between the same addresses: source, destination, protocol
// and identification identify it (RFC 791 §3.2, RFC 8200 §4.5).
constexpr FlowKey FragmentKey(const FlowKey& socket, uint32_t id) {
  FlowKey key = socket;
  key.remote_port = Be16(static_cast<uint16_t>(id >> 16));
  key.local_port = Be16(static_cast<uint16_t>(id));
  key.fragment = 1;
  return key;
}

constexpr RemoteAddress MappedAddress(const Ipv4Address& v4) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4.bytes[0], v4.bytes[1], v4.bytes[2], v4.bytes[3]};
}
constexpr RemoteAddress RemoteOf(const IpAddress& address) {
  return address.is_v6() ? address.v6().bytes : MappedAddress(address.v4());
}
// No host sends from a mapped address (RFC 4291 §2.5.5.2), so this is RemoteOf turned round.
constexpr IpAddress AddressOf(const RemoteAddress& remote) {
  const Ipv4Address v4{{remote[12], remote[13], remote[14], remote[15]}};
  return MappedAddress(v4) == remote ? IpAddress(v4) : IpAddress(Ipv6Address{remote});
}

// Ticks of 2^26 ns, about 67 ms: 32 bits last nine years.
struct FlowTime {
  uint32_t ticks = 0;
  friend constexpr auto operator<=>(FlowTime, FlowTime) = default;
};
constexpr FlowTime FlowTimeOf(MonoTime now) {
  return {static_cast<uint32_t>(now.ns >> 26)};
}
constexpr int64_t SecondsOf(FlowTime time) {
  return (int64_t{time.ticks} << 26) / 1'000'000'000;
}
constexpr uint32_t FlowTicks(Duration span) {
  return static_cast<uint32_t>(span.ns >> 26);
}

// The numbers are also those of FlowReply (proto/cluster/cluster.proto).
enum class FlowState : uint8_t {
  kFree,         // no entry
  kOpening,      // provisional: its owner's kernel has not answered; gives way to any other when there is no room
  kEstablished,  // TCP: both sides have spoken; of another node's flow: the remote side has gone on
  kClosing,      // TCP: both sides have ended it, or the kernel has reset it
  kDatagrams,    // UDP: both sides have spoken; of another node's flow: the remote side has
  kFragments,    // not a flow: where the first fragment of a datagram went
};

inline constexpr std::array<std::string_view, 6> kFlowStateNames = {"free",    "opening",   "established",
                                                                    "closing", "datagrams", "fragments"};
constexpr std::string_view NameOf(FlowState state) {
  return kFlowStateNames[static_cast<size_t>(state)];
}

struct FlowEntry {
  FlowKey key;
  NodeSlot owner = kSelfSlot;
  FlowState state = FlowState::kFree;
  bool pinned : 1 = false;  // its owner reported it: the Maglev lookup table names another node
  // Of TCP flows that this node owns (dataplane/pipeline/flow_rules.h):
  bool answered : 1 = false;      // its kernel has answered the SYN
  bool numbered : 1 = false;      // what the kernel expects next is known
  bool finishing : 1 = false;     // a FIN waits for the kernel to acknowledge it
  bool remote_ended : 1 = false;  // it has: the remote side sends no more
  bool kernel_ended : 1 = false;  // the kernel has sent a FIN
  // Bits without a name would have to be kept: a new entry would wait for the line that it overwrites.
  uint8_t spare : 2 = 0;
  uint8_t reported = 0;  // the round of reports in which this node, its owner, reported it to the master
  FlowTime seen;         // its last frame

  // Another flow of the same key: nothing of the one before stays.
  void Begin(NodeSlot whose, FlowTime now) {
    const FlowKey same = key;
    *this = {.key = same, .owner = whose, .state = FlowState::kOpening, .seen = now};
  }
};
static_assert(sizeof(FlowEntry) == 32);

}  // namespace qure
