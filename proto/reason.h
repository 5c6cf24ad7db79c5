// Every outcome a frame can have. The name of a reason is its metric label, the name that `qurectl counters` prints and
// that the documents use. No other place names what becomes of a frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace qure {

// What is done with a frame. A reason implies its verdict.
enum class Verdict : uint8_t {
  kDrop,     // freed
  kHost,     // to the node's kernel through the host port
  kLan,      // to the LAN, sourced from a node MAC or passed on as the kernel made it
  kAnswer,   // back to the LAN from the service MAC: only through the lease gate
  kControl,  // messages between nodes of the cluster: to the control thread or the heartbeater
};

// name, verdict, meaning (help text of the metric and of `qurectl counters`)
#define QURE_REASONS(X)                                                                                                \
  /* Answered in the fast path. */                                                                                     \
  X(arp_reply, kAnswer, "ARP request or probe for a held service address answered")                                    \
  X(neighbor_advertisement, kAnswer, "neighbor solicitation for a held service address answered")                      \
  X(echo_reply, kAnswer, "ICMP echo request to a held service address answered")                                       \
  X(echo6_reply, kAnswer, "ICMPv6 echo request to a held service address answered")                                    \
  X(dns_answer, kAnswer, "DNS query answered with records")                                                            \
  X(dns_referral, kAnswer, "DNS query for a name below a delegation answered with its name servers")                   \
  X(dns_nodata, kAnswer, "DNS query for an existing name without such records answered with the zone's SOA")           \
  X(dns_nxdomain, kAnswer, "DNS query for a name that does not exist answered NXDOMAIN with the zone's SOA")           \
  X(dns_failure, kAnswer, "DNS query for a name whose addresses are not known now answered SERVFAIL")                  \
  X(dns_cached, kAnswer, "DNS query for another server's name answered from the cache")                                \
  X(dns_refused, kAnswer, "DNS query for a name outside our zones answered REFUSED")                                   \
  X(dns_gateway, kAnswer, "DNS query of the gateway's address for other names or for its own address refused")         \
  X(dns_format_error, kAnswer, "malformed DNS query answered FORMERR")                                                 \
  X(dns_not_implemented, kAnswer, "DNS opcode other than QUERY answered NOTIMP")                                       \
  X(dns_bad_version, kAnswer, "DNS query with an unknown EDNS version answered BADVERS (RFC 6891 section 6.1.3)")      \
  X(dns_truncated, kAnswer, "DNS answer larger than the client accepts, sent with TC")                                 \
  X(dns_slipped, kAnswer, "DNS answer beyond the rate limit, sent empty with TC")                                      \
  X(return_service, kAnswer, "reply of a flow's owner sent to the gateway from the service MAC")                       \
  X(control_announce, kAnswer, "announcement or verification made by the control thread")                              \
  /* To the kernel. */                                                                                                 \
  X(dns_forwarded, kHost, "DNS query for another server's name: this node asks that server")                           \
  X(host_service, kHost, "packet to a held service address handed to the kernel")                                      \
  X(host_fragment, kHost, "later fragment whose first one was not sent to another node, handed to the kernel")         \
  X(host_owner, kHost, "packet of a flow that a peer sent to this node as its owner, handed to the kernel")            \
  X(host_second_chance, kHost, "packet of an older flow that a peer handed on to this node, handed to the kernel")     \
  X(host_node, kHost, "frame to the node's own MAC handed to the kernel")                                              \
  X(host_group, kHost, "broadcast or multicast frame handed to the kernel")                                            \
  X(way_in_question, kHost, "SYN or RST of a health check, handed to the kernel the way that clients' packets are")    \
  /* To the control thread or the heartbeater. */                                                                      \
  X(cluster_message, kControl, "datagram of a known boot of the cluster handed to the control thread")                 \
  X(cluster_stranger, kControl, "datagram of an unknown boot, within their limit, handed to the control thread")       \
  X(cluster_adoption, kControl, "datagram of an adoption of a node without a key, handed to the control thread")       \
  X(cluster_heartbeat, kControl, "heartbeat or its acknowledgement handed to the heartbeater")                         \
  /* To the LAN. */                                                                                                    \
  X(lan_host, kLan, "frame from the kernel passed to the LAN")                                                         \
  X(lan_arp_anonymous, kLan, "ARP request of the kernel naming a service address as sender, sent as the node")         \
  X(lan_nd_anonymous, kLan, "neighbor solicitation of the kernel sourced from a service address, sent link-local")     \
  X(forward_flow, kLan, "packet of a known flow sent to its owner")                                                    \
  X(forward_new, kLan, "first packet of a flow sent to the owner that the Maglev lookup table names")                  \
  X(forward_table, kLan,                                                                                               \
    "packet of a flow that is not in the flow table sent to the owner by the Maglev lookup table")                     \
  X(forward_second_chance, kLan, "packet of a flow unknown here sent on to the owner of the previous balance epoch")   \
  X(forward_error, kLan, "ICMP error sent to the owner of the flow that it quotes")                                    \
  X(forward_fragment, kLan, "later fragment sent to where the first one went")                                         \
  X(forward_unanswered, kLan,                                                                                          \
    "request to all nodes that was repeated, sent to its owner by the master, and the packets that follow")            \
  X(return_to_master, kLan, "reply of the kernel sent to the master, for the gateway to get it from the service MAC")  \
  X(control_frame, kLan, "frame of the control thread sourced from the node MAC")                                      \
  X(heartbeat_sent, kLan, "heartbeat or its acknowledgement sent by the heartbeater")                                  \
  X(handover_answer, kLan, "ping or DNS query answered from the node MAC while the address is handed over")            \
  /* Dropped: link layer. */                                                                                           \
  X(ethernet_truncated, kDrop, "shorter than an Ethernet header and its VLAN tag")                                     \
  X(ethernet_source, kDrop, "source MAC is a group address or zero")                                                   \
  X(own_frame, kDrop, "frame sourced from one of this node's MACs came back: a loop, or the kernel's own copy")        \
  X(vlan_foreign, kDrop, "tagged for another VLAN, tagged twice, or untagged where a VLAN is configured")              \
  X(other_mac, kDrop, "unicast frame to a MAC that is not ours")                                                       \
  X(kernel_owned, kDrop, "shared mode: the kernel has received this frame on its own")                                 \
  X(not_service_address, kDrop, "to the service MAC, but not to a service address")                                    \
  X(not_serving, kDrop, "to a service address that this node does not hold now")                                       \
  X(other_owner, kDrop, "packet to all nodes that another node owns; that node takes it")                              \
  X(return_unwanted, kDrop, "reply of a peer for the gateway, while this node is not the master or knows no gateway")  \
  X(service_port_closed, kDrop, "to a port without a service while default = \"drop\"")                                \
  /* Dropped: ARP and ND. */                                                                                           \
  X(arp_truncated, kDrop, "shorter than an ARP packet")                                                                \
  X(arp_malformed, kDrop, "ARP for other than Ethernet and IPv4, or of an unknown operation")                          \
  X(arp_sender_mismatch, kDrop, "ARP sender MAC is a group address or zero")                                           \
  X(arp_noted, kDrop,                                                                                                  \
    "ARP reply, announcement or probe about a service address or the gateway, noted by the control core")              \
  X(nd_malformed, kDrop, "neighbor discovery that RFC 4861 section 7.1 says to discard")                               \
  X(nd_noted, kDrop,                                                                                                   \
    "neighbor advertisement or probe about a service address or the gateway, noted by the control core")               \
  X(host_arp_blocked, kDrop, "ARP of the kernel that speaks for a service address")                                    \
  X(host_nd_blocked, kDrop, "neighbor discovery of the kernel that speaks for a service address")                      \
  X(host_source_mac, kDrop, "frame of the kernel sourced from a service MAC")                                          \
  X(way_in_answer, kDrop, "answer of the kernel to a way_in_question, taken by the health check")                      \
  /* Dropped: IP. */                                                                                                   \
  X(ip4_truncated, kDrop, "shorter than an IPv4 header")                                                               \
  X(ip4_version, kDrop, "IPv4 EtherType with another version")                                                         \
  X(ip4_header_length, kDrop, "IHL below 5 or beyond the packet (RFC 791 section 3.1)")                                \
  X(ip4_total_length, kDrop, "total length shorter than the header or longer than the frame (RFC 791 section 3.1)")    \
  X(ip4_checksum, kDrop, "IPv4 header checksum wrong (RFC 1122 section 3.2.1.2)")                                      \
  X(ip4_source, kDrop, "IPv4 source is zero, multicast, broadcast or loopback (RFC 1122 section 3.2.1.3)")             \
  X(ip6_truncated, kDrop, "shorter than an IPv6 header")                                                               \
  X(ip6_version, kDrop, "IPv6 EtherType with another version")                                                         \
  X(ip6_payload_length, kDrop, "payload length beyond the frame (RFC 8200 section 3)")                                 \
  X(ip6_extension, kDrop, "extension header chain truncated, too long or out of order (RFC 8200 section 4)")           \
  X(ip6_source, kDrop, "IPv6 source is multicast, loopback or, to a service address, unspecified (RFC 4291 2.7, 2.5)") \
  /* Dropped: transport. */                                                                                            \
  X(icmp_truncated, kDrop, "shorter than an ICMP header")                                                              \
  X(icmp_checksum, kDrop, "ICMP or ICMPv6 checksum wrong")                                                             \
  X(udp_truncated, kDrop, "shorter than a UDP header")                                                                 \
  X(udp_length, kDrop, "UDP length below 8 or beyond the packet (RFC 768)")                                            \
  X(udp_checksum, kDrop, "UDP checksum wrong, or zero over IPv6 (RFC 8200 section 8.1)")                               \
  X(tcp_truncated, kDrop, "shorter than a TCP header, or data offset below 5 or beyond the packet (RFC 9293 3.1)")     \
  /* Dropped: DNS where silence is due. */                                                                             \
  X(dns_short, kDrop, "DNS message shorter than its header")                                                           \
  X(dns_response, kDrop, "DNS message with QR=1: answering it would make a loop")                                      \
  X(dns_reflection, kDrop, "DNS query from UDP port 53, 0 or a group address: answering it could make a loop")         \
  X(dns_limited, kDrop, "DNS answer beyond the rate limit")                                                            \
  /* Dropped: on the cluster's port. */                                                                                \
  X(cluster_routed, kDrop, "datagram to the cluster's port that has passed a router (RFC 5082 section 3)")             \
  X(cluster_malformed, kDrop, "datagram to the cluster's port that is no envelope of the cluster")                     \
  X(cluster_over_limit, kDrop, "datagram beyond what its boot, or all unknown boots together, may send")               \
  X(heartbeat_unexpected, kDrop, "heartbeat of another boot than the one that this node shares a lease with")          \
  /* Dropped: resources and the lease. */                                                                              \
  X(gate_shut, kDrop, "answer withheld: this node has no lease on the service addresses")                              \
  X(cluster_full, kDrop, "datagram of the cluster beyond what the control thread or the heartbeater accepts")          \
  X(no_room, kDrop, "frame too large, scattered, or without room for the answer")                                      \
  X(lan_full, kDrop, "LAN port did not take the frame")                                                                \
  X(host_full, kDrop, "host port did not take the frame")                                                              \
  /* Dropped: the frame and its packet do not go together. */                                                          \
  X(ip_group_frame, kDrop, "frame to a group with a packet to a service address (RFC 1122 section 3.3.6)")

enum class Reason : uint8_t {
#define QURE_REASON_ENUM(name, verdict, help) name,
  QURE_REASONS(QURE_REASON_ENUM)
#undef QURE_REASON_ENUM
};

struct ReasonInfo {
  std::string_view name;
  Verdict verdict;
  std::string_view help;
};

inline constexpr std::array kReasons = {
#define QURE_REASON_INFO(name, verdict, help) ReasonInfo{#name, Verdict::verdict, help},
    QURE_REASONS(QURE_REASON_INFO)
#undef QURE_REASON_INFO
};

inline constexpr size_t kReasonCount = kReasons.size();

constexpr const ReasonInfo& InfoOf(Reason reason) {
  return kReasons[static_cast<size_t>(reason)];
}
constexpr Verdict VerdictOf(Reason reason) {
  return InfoOf(reason).verdict;
}
constexpr std::string_view NameOf(Reason reason) {
  return InfoOf(reason).name;
}
std::string_view NameOf(Verdict verdict);

}  // namespace qure
