// The ARP and ND frames that the control core sends: questions, probes, announcements.
#pragma once

#include <optional>

#include "control/core/action.h"
#include "control/core/node_facts.h"
#include "proto/net/address.h"

namespace qure {

// Of an address of ours: the source of its frames, and where it is by ARP and ND.
struct Macs {
  MacAddress source;
  MacAddress link;
};

// "Does anyone have `address`?", asked from `node_mac` without a sender address (RFC 5227 §2.1.1; RFC 4862 §5.4.2).
SendFrame AskWhoHas(const MacAddress& node_mac, const IpAddress& address);

// "Where is `target`?", asked by the node itself.
SendFrame AskWhere(const QuestionSender& sender, const IpAddress& target, const std::optional<MacAddress>& at);

// "Where is `target`?", asked by `sender`: to the MAC at which it is known to be, or to all. `answer`: the source is a
// service MAC.
SendFrame AskWhere(const Macs& macs, const IpAddress& sender, const IpAddress& target,
                   const std::optional<MacAddress>& at, bool answer);

// "`address` is at `link`": the ARP Announcement of RFC 5227 §2.3; RFC 4861 §7.2.6 for IPv6.
SendFrame Announcement(const Macs& macs, const IpAddress& address, bool answer);

// The same to one host alone, which is at `to_mac`.
SendFrame AnswerTo(const Macs& macs, const IpAddress& address, const MacAddress& to_mac, const IpAddress& to);

// The reply form, for caches that learn from replies only; target MAC as RFC 5944 §4.6 has it.
SendFrame GratuitousReply(const Macs& macs, const Ipv4Address& ip);

}  // namespace qure
