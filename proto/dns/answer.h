// From a DNS message to its answer.
#pragma once

#include <cstdint>

#include "proto/bytes.h"
#include "proto/dns/authority.h"
#include "proto/dns/lookahead.h"
#include "proto/net/address.h"
#include "proto/reason.h"

namespace qure {

// Who asks, when and how.
struct DnsClient {
  IpAddress address;
  uint32_t time = 0;    // Unix time in seconds
  bool stream = false;  // over TCP: the answer may be as long as kDnsStreamPayload
};

// The reason; the rest where its verdict is kAnswer.
struct DnsReply {
  Reason reason;
  uint16_t length = 0;         // of the answer
  uint16_t records = 0;        // where its records begin …
  uint16_t opt = 0;            // … and how long the OPT record behind them is
  bool client_proven = false;  // by a cookie: the answer goes to the client that asked
  uint64_t subject = 0;        // what it is about (DnsZone::Found::subject), of the first name of several; 0: of none
};

// The answer to `message[0, length)` is written over it, within `capacity` bytes. `ahead`: what is known of its
// question name already.
DnsReply AnswerDns(const DnsAuthority& authority, const DnsClient& client, uint8_t* message, uint16_t length,
                   uint16_t capacity, const DnsLookahead& ahead = {});

// The same to a query that AnswerDns has left to others (dns_forwarded), with what one of them has answered.
DnsReply AnswerDnsFrom(const DnsCachedAnswer& cached, const DnsAuthority& authority, const DnsClient& client,
                       uint8_t* message, uint16_t length, uint16_t capacity);

// What was asked, as it stands in an answer.
struct DnsAsked {
  ConstBytes name;  // wire form, maybe in mixed case; empty: the question could not be read
  uint16_t type = 0;
};
DnsAsked QuestionIn(const DnsReply& reply, const uint8_t* message);

// Takes the records out of an answer and sets TC: the client may ask again over TCP. Its OPT record stays (RFC 6891
// §7).
DnsReply TruncateDns(const DnsReply& reply, uint8_t* message);

}  // namespace qure
