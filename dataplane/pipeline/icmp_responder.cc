#include "dataplane/pipeline/icmp_responder.h"

#include <algorithm>

#include "dataplane/pipeline/answer.h"
#include "proto/net/checksum.h"
#include "proto/net/icmp.h"
#include "proto/net/ip.h"

namespace qure {

namespace {

// Type and code share a checksum word.
void SetType(uint8_t type, IcmpHeader* icmp) {
  const uint8_t before[2] = {icmp->type, icmp->code};
  icmp->type = type;
  const uint8_t after[2] = {icmp->type, icmp->code};
  icmp->checksum = UpdateChecksum(icmp->checksum, before, after);
}

}  // namespace

Reason RespondEcho4(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  if (InternetChecksum({frame.data + parsed.transport, frame.data + parsed.end}) != Be16())
    return Reason::icmp_checksum;

  auto* ip = reinterpret_cast<Ipv4Header*>(frame.data + parsed.network);
  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);  // leaves the checksum as it is
  SetTimeToLive(kAnswerHops, ip);
  auto* icmp = reinterpret_cast<IcmpHeader*>(frame.data + parsed.transport);
  SetType(kIcmpEchoReply, icmp);
  // A reply may be all zeros, and then its checksum is not zero: an update cannot show that (RFC 1624 §3), a sum can.
  if (icmp->checksum == Be16())
    icmp->checksum = InternetChecksum({frame.data + parsed.transport, frame.data + parsed.end});
  return Reason::echo_reply;
}

Reason RespondEcho6(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<Ipv6Header*>(frame.data + parsed.network);
  const ConstBytes message(frame.data + parsed.transport, frame.data + parsed.end);
  if (TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, message) != Be16()) return Reason::icmp_checksum;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  ip->hop_limit = kAnswerHops;
  SetType(kIcmpv6EchoReply, reinterpret_cast<IcmpHeader*>(frame.data + parsed.transport));
  return Reason::echo6_reply;
}

}  // namespace qure
