#include "dataplane/pipeline/flow_classifier.h"

#include "proto/dns/message.h"
#include "proto/net/icmp.h"
#include "proto/net/icmp_error.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {

FlowSign SignOf(uint8_t tcp_flags) {
  if ((tcp_flags & (kTcpRst | kTcpSyn | kTcpFin | kTcpAck)) == kTcpAck) return FlowSign::kGoesOn;  // nearly always
  if ((tcp_flags & kTcpRst) != 0) return FlowSign::kResets;
  const bool acknowledges = (tcp_flags & kTcpAck) != 0;
  if ((tcp_flags & kTcpSyn) != 0 && !acknowledges) {
    return (tcp_flags & kTcpFin) != 0 ? FlowSign::kStray : FlowSign::kOpens;
  }
  if (!acknowledges) return FlowSign::kStray;
  return (tcp_flags & kTcpFin) != 0 ? FlowSign::kFinishes : FlowSign::kGoesOn;
}

namespace {

// Whether its number must identify it: at the entrances where it may come again.
bool IsRequest(const FlowFacts& facts) {
  return IsGroup(facts.entrance) && facts.sign == FlowSign::kOpens && !facts.first_fragment;
}

// Ports and sign of a packet that has a transport header. The datagram of a first fragment goes on in others, so its
// UDP length is not to be held against it.
ParseError ReadTransport(ConstBytes segment, bool first_fragment, FlowFacts* facts) {
  if (facts->key.protocol == kProtocolTcp) {
    const TcpHeader* tcp = nullptr;
    if (const ParseError error = ParseTcp(segment, &tcp)) return error;
    facts->key.remote_port = tcp->source_port;
    facts->key.local_port = tcp->destination_port;
    facts->sign = SignOf(tcp->flags);
    if (first_fragment || facts->sign == FlowSign::kGoesOn) return std::nullopt;
    const uint32_t sequence = tcp->sequence.value();
    if (facts->sign == FlowSign::kFinishes) {
      const auto data = static_cast<uint32_t>(segment.size() - tcp->header_length());
      facts->id = sequence + data + 1;
    } else if (facts->sign == FlowSign::kResets || IsRequest(*facts)) {
      facts->id = sequence;
    }
    return std::nullopt;
  }
  const UdpHeader* udp = HeaderAt<UdpHeader>(segment, 0);
  if (udp == nullptr) return Reason::udp_truncated;
  if (!first_fragment) {
    if (const ParseError error = ParseUdp(segment, &udp)) return error;
  }
  facts->key.remote_port = udp->source_port;
  facts->key.local_port = udp->destination_port;
  facts->sign = FlowSign::kOpens;
  if (IsRequest(*facts) && facts->key.local_port.value() == kDnsPort) {
    const auto* const dns = HeaderAt<DnsHeader>(segment, sizeof(UdpHeader));
    if (dns != nullptr) facts->id = dns->id.value();
  }
  return std::nullopt;
}

// The flow that an ICMP error quotes: from `service` to the remote host. False: not of one.
bool ReadError(ConstBytes segment, const ServiceAddress& service, FlowFacts* facts) {
  const bool is_v6 = service.address.is_v6();
  const IcmpHeader* icmp = HeaderAt<IcmpHeader>(segment, 0);
  if (icmp == nullptr || !IsIcmpError(is_v6, icmp->type)) return false;
  const std::optional<QuotedFlow> quoted = ParseQuotedFlow(segment, is_v6);
  if (!quoted || quoted->source != service.address) return false;
  facts->key.remote = RemoteOf(quoted->destination);
  facts->key.protocol = quoted->protocol;
  facts->key.remote_port = quoted->destination_port;
  facts->key.local_port = quoted->source_port;
  facts->sign = FlowSign::kError;
  return true;
}

}  // namespace

bool ClassifyFlow(const Snapshot& snapshot, const ServiceAddress& service, const IpView& view, Entrance entrance,
                  size_t index, Batch* batch, ParseError* error) {
  FlowFacts& facts = batch->flows[index];
  const uint8_t* const header = batch->frames[index].data + batch->parsed[index].network;
  const auto* ip4 = reinterpret_cast<const Ipv4Header*>(header);
  const auto* ip6 = reinterpret_cast<const Ipv6Header*>(header);
  const bool is_v6 = service.address.is_v6();
  facts = {.entrance = entrance,
           .first_fragment = view.first_fragment && view.partial(),
           .id = view.partial() ? view.fragment_id : 0};
  facts.key.remote = is_v6 ? ip6->source.bytes : MappedAddress(ip4->source);
  facts.key.local_address = service.id;
  facts.key.protocol = view.protocol;

  if (view.fragment && !view.first_fragment) {
    if (view.protocol != kProtocolTcp && view.protocol != kProtocolUdp) return false;
    facts.key = FragmentKey(facts.key, view.fragment_id);
    facts.sign = FlowSign::kLaterFragment;
    return true;
  }
  const ConstBytes segment = batch->frames[index].bytes().subspan(view.transport, view.end - view.transport);
  if (view.protocol == kProtocolTcp || view.protocol == kProtocolUdp) {
    *error = ReadTransport(segment, facts.first_fragment, &facts);
    if (*error) return false;
  } else if (view.protocol != (is_v6 ? kProtocolIcmpv6 : kProtocolIcmp) || !ReadError(segment, service, &facts)) {
    return false;
  }
  facts.service = snapshot.services->Find(facts.key.protocol, facts.key.local_port.value(), service.id);
  return facts.service != 0;
}

}  // namespace qure
