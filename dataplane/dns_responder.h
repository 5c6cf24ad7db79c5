// DNS queries to a held service address, answered in place from the snapshot's zones.
#pragma once

#include "dataplane/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Frame `index` of the batch is an unfragmented UDP packet to port 53; the snapshot has zones.
Reason RespondDns4(const Snapshot& snapshot, size_t index, Batch* batch);
Reason RespondDns6(const Snapshot& snapshot, size_t index, Batch* batch);

// The DNS message alone: the answer to `message[0, length)` is written over it, within `capacity` bytes. Returns the
// reason and, where its verdict is kAnswer, the length of the answer.
struct DnsReply {
  Reason reason;
  uint16_t length = 0;
};
DnsReply AnswerDns(const DnsAuthority& authority, uint8_t* message, uint16_t length, uint16_t capacity);

}  // namespace qure
