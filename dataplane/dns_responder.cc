#include "dataplane/dns_responder.h"

#include <algorithm>
#include <array>
#include <span>

#include "dataplane/answer.h"
#include "proto/checksum.h"
#include "proto/dns_answer.h"
#include "proto/ip.h"
#include "proto/udp.h"

namespace qure {

namespace {

// What becomes of an answer under the rate limit. Askers that are known to be who they say are spared: those with a
// cookie, and those whose answers do not leave the LAN.
DnsReply Limited(const Snapshot& snapshot, const IpAddress& asker, const Flows& flows, const DnsReply& reply,
                 uint8_t* message) {
  const DnsRateLimit& limit = snapshot.dns_limit;
  if (flows.answers == nullptr || limit.rate == 0 || reply.asker_proven) return reply;
  const DnsLimiter::Fate fate = flows.answers->Judge(limit, asker, reply.reason, reply.subject, flows.now);
  if (fate == DnsLimiter::Fate::kSend) return reply;
  if (std::ranges::any_of(snapshot.networks, [&](const IpPrefix& lan) { return Contains(lan, asker); })) return reply;
  if (fate == DnsLimiter::Fate::kDrop) return {.reason = Reason::dns_limited};
  if (reply.length == reply.records + reply.opt) return reply;  // an error, or empty already: there is nothing to take
  DnsReply slipped = TruncateDns(reply, message);
  slipped.reason = Reason::dns_slipped;
  return slipped;
}

// Common to both families: silence where a reply could loop, then the answer over the query and the UDP header turned
// around. The checksum is left zero.
DnsReply AnswerUdp(const Snapshot& snapshot, const IpAddress& address, const Flows& flows, size_t index, Batch* batch) {
  Frame* const frame = &batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* udp = reinterpret_cast<UdpHeader*>(frame->data + parsed.transport);
  const uint16_t asker = udp->source_port.value();
  if (asker == kDnsPort || asker == 0) return {Reason::dns_reflection};
  const uint16_t start = static_cast<uint16_t>(parsed.transport + sizeof(UdpHeader));
  const uint16_t capacity = static_cast<uint16_t>(frame->length + frame->tailroom - start);
  const uint16_t length = static_cast<uint16_t>(udp->length.value() - sizeof(UdpHeader));
  const DnsAsker from = {.address = address,
                         .time = static_cast<uint32_t>(snapshot.unix_at_zero + SecondsOf(flows.now))};
  const DnsLookahead ahead = snapshot.dns->zones.large() ? batch->dns[index] : DnsLookahead{};
  const DnsReply answer = AnswerDns(*snapshot.dns, from, frame->data + start, length, capacity, ahead);
  if (VerdictOf(answer.reason) != Verdict::kAnswer) return answer;
  const DnsReply reply = Limited(snapshot, address, flows, answer, frame->data + start);
  if (flows.queries != nullptr) {
    const DnsAsked asked = QuestionIn(answer, frame->data + start);
    flows.queries->Note(snapshot.dns_log_every, address, asked.name, asked.type, reply.reason);
  }
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply;

  std::swap(udp->source_port, udp->destination_port);
  udp->length = Be16(static_cast<uint16_t>(sizeof(UdpHeader) + reply.length));
  udp->checksum = Be16();
  const uint16_t end = static_cast<uint16_t>(start + reply.length);
  frame->tailroom = static_cast<uint16_t>(frame->length + frame->tailroom - end);
  frame->length = end;
  return reply;
}

// A computed checksum of zero is sent as all ones (RFC 768).
Be16 UdpChecksum(Be16 computed) {
  return computed == Be16() ? Be16(0xffff) : computed;
}

}  // namespace

Reason RespondDns4(const Snapshot& snapshot, const Flows& flows, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<Ipv4Header*>(frame.data + parsed.network);
  auto* udp = reinterpret_cast<UdpHeader*>(frame.data + parsed.transport);
  const ConstBytes query(frame.data + parsed.transport, udp->length.value());
  if (!frame.l4_checksum_good && udp->checksum != Be16() &&  // zero: the sender made none (RFC 768)
      TransportChecksum(ip->source, ip->destination, kProtocolUdp, query) != Be16()) {
    return Reason::udp_checksum;
  }
  const DnsReply reply = AnswerUdp(snapshot, IpAddress(ip->source), flows, index, batch);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  ip->total_length = Be16(static_cast<uint16_t>(frame.length - parsed.network));
  ip->time_to_live = kAnswerHops;
  ip->checksum = Be16();
  ip->checksum = InternetChecksum({frame.data + parsed.network, ip->header_length()});
  const ConstBytes segment(frame.data + parsed.transport, udp->length.value());
  udp->checksum = UdpChecksum(TransportChecksum(ip->source, ip->destination, kProtocolUdp, segment));
  return reply.reason;
}

Reason RespondDns6(const Snapshot& snapshot, const Flows& flows, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<Ipv6Header*>(frame.data + parsed.network);
  auto* udp = reinterpret_cast<UdpHeader*>(frame.data + parsed.transport);
  const ConstBytes query(frame.data + parsed.transport, udp->length.value());
  if (udp->checksum == Be16()) return Reason::udp_checksum;  // not optional over IPv6 (RFC 8200 §8.1)
  if (!frame.l4_checksum_good && TransportChecksum(ip->source, ip->destination, kProtocolUdp, query) != Be16()) {
    return Reason::udp_checksum;
  }
  const DnsReply reply = AnswerUdp(snapshot, IpAddress(ip->source), flows, index, batch);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  ip->payload_length = udp->length;
  ip->hop_limit = kAnswerHops;
  const ConstBytes segment(frame.data + parsed.transport, udp->length.value());
  udp->checksum = UdpChecksum(TransportChecksum(ip->source, ip->destination, kProtocolUdp, segment));
  return reply.reason;
}

void LookAheadDns(const DnsZones& zones, Batch* batch) {
  std::array<const DnsLookahead*, kBurst> found;
  size_t count = 0;
  for (size_t i = 0; i < batch->count; ++i) {
    if (batch->lanes[i] != Lane::kDns4 && batch->lanes[i] != Lane::kDns6) continue;
    DnsLookahead* const ahead = &batch->dns[i];
    *ahead = {};
    const size_t start = batch->parsed[i].transport + sizeof(UdpHeader);
    const ConstBytes name = DnsQuestionName(batch->frames[i].bytes().subspan(start));
    if (name.empty()) continue;
    ahead->name_length = static_cast<uint16_t>(name.size());
    const DnsNameView view(name.data(), name.size());
    ahead->zone = zones.Find(view);
    if (ahead->zone == nullptr) continue;
    ahead->hash = ahead->zone->Hash(view);
    ahead->zone->PrefetchBucket(ahead->hash);
    found[count++] = ahead;
  }
  for (const DnsLookahead* const ahead : std::span(found).first(count)) ahead->zone->PrefetchEntry(ahead->hash);
}

}  // namespace qure
