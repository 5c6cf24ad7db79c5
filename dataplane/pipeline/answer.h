// What all answers made in place have in common.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"

namespace qure {

inline constexpr uint8_t kAnswerHops =
    64;  // time to live of what we originate (RFC 1122 §3.2.1.7, IANA's recommended value)

// Back to the sender of the frame, from the service MAC.
inline void TurnEthernet(const MacAddress& service_mac, Frame* frame) {
  auto* ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  ethernet->destination = ethernet->source;
  ethernet->source = service_mac;
}

// Time to live and protocol share a checksum word.
inline void SetTimeToLive(uint8_t hops, Ipv4Header* ip) {
  const uint8_t before[2] = {ip->time_to_live, ip->protocol};
  ip->time_to_live = hops;
  const uint8_t after[2] = {ip->time_to_live, ip->protocol};
  ip->checksum = UpdateChecksum(ip->checksum, before, after);
}

}  // namespace qure
