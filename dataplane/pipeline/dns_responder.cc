#include "dataplane/pipeline/dns_responder.h"

#include <algorithm>
#include <array>
#include <span>

#include "dataplane/pipeline/answer.h"
#include "proto/dns/answer.h"
#include "proto/net/checksum.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"

namespace qure {

namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kEntryLines = 3;  // of a name with few records

// What becomes of an answer under the rate limit. Clients that have proven their address are exempt: those with a
// cookie, and those whose answers do not leave the LAN.
void Limit(const Snapshot& snapshot, const IpAddress& client, const WorkerMemory& memory, uint8_t* message,
           DnsReply* reply) {
  const DnsRateLimit& limit = snapshot.dns_limit;
  if (memory.dns.limiter == nullptr || limit.rate == 0 || reply->client_proven) return;
  const DnsLimiter::Fate fate = memory.dns.limiter->Judge(limit, client, reply->reason, reply->subject, memory.now);
  if (fate == DnsLimiter::Fate::kSend) return;
  if (snapshot.dns->lan.Contain(client)) return;
  if (fate == DnsLimiter::Fate::kDrop) {
    reply->reason = Reason::dns_limited;
  } else if (reply->length != reply->records + reply->opt) {  // an error is empty already: there is nothing to take
    *reply = TruncateDns(*reply, message);
    reply->reason = Reason::dns_slipped;
  }
}

// Common to both families: silence where a reply could loop, then the answer over the query and the UDP header turned
// around. The checksum is left zero.
Reason AnswerUdp(const Snapshot& snapshot, const DnsClient& client, const WorkerMemory& memory, size_t index,
                 Batch* batch) {
  Frame* const frame = &batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* udp = reinterpret_cast<UdpHeader*>(frame->data + parsed.transport);
  const uint16_t port = udp->source_port.value();
  if (port == kDnsPort || port == 0) return Reason::dns_reflection;
  const uint16_t start = static_cast<uint16_t>(parsed.transport + sizeof(UdpHeader));
  uint8_t* const message = frame->data + start;
  const uint16_t capacity = static_cast<uint16_t>(frame->length + frame->tailroom - start);
  const uint16_t length = static_cast<uint16_t>(udp->length.value() - sizeof(UdpHeader));
  DnsReply reply = AnswerDns(*snapshot.dns, client, message, length, capacity, batch->dns[index]);
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;
  Limit(snapshot, client.address, memory, message, &reply);
  if (memory.dns.queries != nullptr) {
    const DnsAsked asked = QuestionIn(reply, message);
    memory.dns.queries->Note(snapshot.dns_log_every, client.address, asked.name, asked.type, reply.reason);
  }
  if (VerdictOf(reply.reason) != Verdict::kAnswer) return reply.reason;

  std::swap(udp->source_port, udp->destination_port);
  udp->length = Be16(static_cast<uint16_t>(sizeof(UdpHeader) + reply.length));
  udp->checksum = Be16();
  const uint16_t end = static_cast<uint16_t>(start + reply.length);
  frame->tailroom = static_cast<uint16_t>(frame->length + frame->tailroom - end);
  frame->length = end;
  return reply.reason;
}

uint32_t UnixTime(const Snapshot& snapshot, FlowTime now) {
  return static_cast<uint32_t>(snapshot.unix_at_zero + SecondsOf(now));
}

IpAddress SourceOf(const Batch& batch, size_t index) {
  const uint8_t* const ip = batch.frames[index].data + batch.parsed[index].network;
  if (!batch.parsed[index].is_v6) return reinterpret_cast<const Ipv4Header*>(ip)->source;
  return reinterpret_cast<const Ipv6Header*>(ip)->source;
}

// Up to the bucket of the name, whose entry is looked at when the buckets of all others are on their way, too.
DnsLookahead LookAhead(const DnsZones& zones, ConstBytes message) {
  const ConstBytes name = DnsQuestionName(message);
  if (name.empty()) return {};
  DnsLookahead ahead = {.name_length = static_cast<uint16_t>(name.size())};
  const DnsNameView view(name.data(), name.size());
  ahead.zone = zones.Find(view);
  if (ahead.zone == nullptr) return ahead;
  ahead.hash = ahead.zone->Hash(view);
  __builtin_prefetch(ahead.zone->BucketOf(ahead.hash));
  return ahead;
}

// A computed checksum of zero is sent as all ones (RFC 768).
Be16 UdpChecksum(Be16 computed) {
  return computed == Be16() ? Be16(0xffff) : computed;
}

// RFC 768: zero is none. RFC 8200 §8.1: over IPv6 there always is one.
bool MayLackChecksum(const Ipv4Header&) {
  return true;
}
bool MayLackChecksum(const Ipv6Header&) {
  return false;
}

// Sets length, time to live and checksum of an answer. `length` includes the header.
void FinishHeader(uint16_t length, Ipv4Header* ip) {
  ip->total_length = Be16(length);
  ip->time_to_live = kAnswerHops;
  ip->checksum = Be16();
  ip->checksum = Ipv4HeaderChecksum({reinterpret_cast<const uint8_t*>(ip), ip->header_length()});
}
void FinishHeader(uint16_t length, Ipv6Header* ip) {
  ip->payload_length = Be16(static_cast<uint16_t>(length - sizeof(Ipv6Header)));
  ip->hop_limit = kAnswerHops;
}

template <typename IpHeader>
Reason RespondDns(const Snapshot& snapshot, const WorkerMemory& memory, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  const Parsed& parsed = batch->parsed[index];
  auto* ip = reinterpret_cast<IpHeader*>(frame.data + parsed.network);
  auto* udp = reinterpret_cast<UdpHeader*>(frame.data + parsed.transport);
  const ConstBytes query(frame.data + parsed.transport, udp->length.value());
  if (udp->checksum == Be16()) {
    if (!MayLackChecksum(*ip)) return Reason::udp_checksum;
  } else if (frame.checksum != SegmentChecksum::kGood &&
             TransportChecksum(ip->source, ip->destination, kProtocolUdp, query) != Be16()) {
    return Reason::udp_checksum;
  }
  const DnsClient client = {.address = ip->source, .time = UnixTime(snapshot, memory.now)};
  const Reason reason = AnswerUdp(snapshot, client, memory, index, batch);
  if (VerdictOf(reason) != Verdict::kAnswer) return reason;

  TurnEthernet(snapshot.Find(ip->destination)->mac, &frame);
  std::swap(ip->source, ip->destination);
  FinishHeader(static_cast<uint16_t>(frame.length - parsed.network), ip);
  const ConstBytes segment(frame.data + parsed.transport, udp->length.value());
  udp->checksum = UdpChecksum(TransportChecksum(ip->source, ip->destination, kProtocolUdp, segment));
  return reason;
}

}  // namespace

Reason RespondDns4(const Snapshot& snapshot, const WorkerMemory& memory, size_t index, Batch* batch) {
  return RespondDns<Ipv4Header>(snapshot, memory, index, batch);
}
Reason RespondDns6(const Snapshot& snapshot, const WorkerMemory& memory, size_t index, Batch* batch) {
  return RespondDns<Ipv6Header>(snapshot, memory, index, batch);
}

void LookAheadDns(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch) {
  std::array<uint8_t, kBurst> queries;
  size_t count = 0;
  for (size_t i = 0; i < batch->count; ++i) {
    if (batch->lanes[i] != Lane::kDns4 && batch->lanes[i] != Lane::kDns6) continue;
    const size_t message = batch->parsed[i].transport + sizeof(UdpHeader);
    batch->dns[i] = LookAhead(snapshot.dns->zones, batch->frames[i].bytes().subspan(message));
    if (batch->dns[i].zone != nullptr) queries[count++] = static_cast<uint8_t>(i);
  }
  const auto found = std::span(queries).first(count);
  if (memory.dns.limiter != nullptr) {
    for (const uint8_t i : found) {  // mostly there is an answer, and it is the name's own
      __builtin_prefetch(memory.dns.limiter->BucketsOf(SourceOf(*batch, i), Reason::dns_answer, batch->dns[i].hash));
    }
  }
  // Nothing else is between these: as many as possible are to wait at the same time.
  for (const uint8_t i : found) {
    const uint8_t* const entry = batch->dns[i].zone->EntryOf(batch->dns[i].hash);
    for (size_t line = 0; line < kEntryLines; ++line) __builtin_prefetch(entry + line * kCacheLine);
  }
}

}  // namespace qure
