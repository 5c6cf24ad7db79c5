// Runs one frame at a time through the production pipeline, in a buffer with the room that an mbuf has.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/pipeline/pipeline.h"
#include "proto/snapshot.h"
#include "tests/support/packets.h"

namespace qure::testing {

// The site that all packet tests live in.
inline const MacAddress kGatewayMac = Mac("02:00:00:00:00:01");
inline const MacAddress kStrangerMac = Mac("02:00:00:00:00:66");
inline const MacAddress kLanMac = Mac("02:00:00:00:00:11");
inline const MacAddress kNodeMac = Mac("02:11:11:11:11:10");
inline const MacAddress kNodeMacHop1 = Mac("02:11:11:11:11:11");
inline const MacAddress kServiceMac4 = Mac("02:55:55:55:55:04");
inline const MacAddress kServiceMac6 = Mac("02:55:55:55:55:06");
inline const MacAddress kIdleMac4 = Mac("02:55:55:55:55:14");
inline const MacAddress kIdleMac6 = Mac("02:55:55:55:55:16");
inline const Ipv4Address kGateway4 = Ip4("198.51.100.1");
inline const Ipv4Address kNode4 = Ip4("198.51.100.11");
inline const Ipv4Address kService4 = Ip4("198.51.100.50");
inline const Ipv4Address kIdle4 = Ip4("198.51.100.51");  // a service address that is not held now
inline const Ipv4Address kClient4 = Ip4("203.0.113.7");
inline const Ipv6Address kGateway6 = Ip6("2001:db8:2::1");
inline const Ipv6Address kNode6 = Ip6("2001:db8:2::11");
inline const Ipv6Address kService6 = Ip6("2001:db8:2::50");
inline const Ipv6Address kIdle6 = Ip6("2001:db8:2::51");
inline const Ipv6Address kClient6 = Ip6("2001:db8:ffff::7");

// Dedicated, untagged, TCP 80 the only service with default = "local", and the zone home.example:
//   @ SOA, NS ns1; ns1 A; www A, AAAA, TXT; a.deep.example-like name "deep.ent" A; big TXT of 2000 bytes
Snapshot SiteSnapshot();

// Peers of the site, for balanced ones.
inline const MacAddress kPeer1Hop0 = Mac("02:22:22:22:22:20");
inline const MacAddress kPeer1Hop1 = Mac("02:22:22:22:22:21");
inline const MacAddress kPeer2Hop0 = Mac("02:33:33:33:33:30");
inline const MacAddress kPeer2Hop1 = Mac("02:33:33:33:33:31");
inline constexpr NodeSlot kPeer1 = 1;
inline constexpr NodeSlot kPeer2 = 2;

// Peer 1 and 2 are there; all entries of each table name one node.
std::shared_ptr<const Balance> OneOwner(NodeSlot current, NodeSlot previous, size_t services = 1);

// The frame as the kernel gets it: to the node MAC.
Bytes ToKernel(Bytes frame);

struct Outcome {
  Reason reason;
  Bytes frame;
  std::vector<Event> events;
};

enum class Direction { kFromLan, kFromHost };

inline constexpr uint32_t kUnixTime = 1'700'000'000;
inline constexpr DnsCookieSecret kCookieSecret = {7, 7, 7};
inline constexpr uint16_t kHeadroom = 128;
inline constexpr uint16_t kRoom = 2048;

inline constexpr size_t kFlows = 64;
inline constexpr uint64_t kFlowSeed = 7;

// With what `memory` knows, or with nothing.
Outcome Process(const Snapshot& snapshot, const WorkerMemory& memory, Direction direction, const Bytes& frame,
                bool checksums_good = false);
Outcome Process(const Snapshot& snapshot, Direction direction, const Bytes& frame, bool checksums_good = false);

// From the LAN, by a port that says this of the checksum.
Outcome ProcessPartial(const Snapshot& snapshot, SegmentChecksum checksum, const Bytes& frame);

}  // namespace qure::testing
