// What a node gets from the cluster that takes it: first the records, in parts, so that it judges as the cluster does;
// then the content of WELCOME. Both go sealed (handshake.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "control/core/admission/handshake.h"
#include "control/core/admission/records.h"
#include "control/core/admission/session_keys.h"
#include "control/core/admission/view.h"
#include "proto/bytes.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure::admission {

inline constexpr size_t kRecordsPart = 1'200;  // bytes of the list in one RECORDS, but for the last
inline constexpr uint32_t kRecordsWindow = 8;  // parts that are not acknowledged
inline constexpr size_t kMaxPullSources = 3;

// The records in effect as a list (proof.h), in parts.
class RecordSender {
 public:
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  RecordSender(const RecordSet& records, const View& view);

  // The plain text of RECORDS `index`: parts in all (2), then the part.
  std::vector<uint8_t> Part(uint32_t index) const;
  // The first `count` are there. What may be sent now and was not before.
  Range OnReceipt(uint32_t count);
  // What was sent and is not known to be there.
  Range Unacknowledged() const { return {acknowledged_, sent_}; }
  bool done() const { return acknowledged_ == total(); }

 private:
  uint32_t total() const;

  std::vector<uint8_t> list_;
  uint32_t acknowledged_ = 0;
  uint32_t sent_ = 0;
};

// Takes the parts in any order within the window, and each record's signature is checked as soon as it is whole.
class RecordCollector {
 public:
  // `known` has the cluster's genesis, and is what the records are added to.
  explicit RecordCollector(RecordSet known) : records_(std::move(known)) {}

  // False: a record is unsound, not signed as it must be or of another cluster, or the parts contradict each other.
  // Nothing is to be believed then.
  bool Take(uint32_t index, ConstBytes plain);
  // So many are here, without a gap.
  uint32_t count() const { return count_; }
  bool complete() const { return total_ && count_ == *total_; }
  const RecordSet& records() const { return records_; }

 private:
  bool AddWholeRecords();

  RecordSet records_;
  std::optional<uint16_t> total_;
  uint32_t count_ = 0;
  std::map<uint32_t, std::vector<uint8_t>> ahead_;  // of a gap; within the window
  std::vector<uint8_t> rest_;                       // of a record whose end is in the next part
};

// A member to pull configuration and objects from.
struct PullSource {
  NodeId node{};
  MacAddress mac;
  Ipv4Address address;
  friend bool operator==(const PullSource&, const PullSource&) = default;
};

struct Welcome {
  std::optional<Record> admit;       // the node's own; none: a roster or the genesis lists it
  std::vector<SessionGrant> grants;  // at most kSessionKeysKept, greatest first
  Digest rosters{};                  // View::rosters of the sender: with other ones, the keys would not be clean
  uint64_t lineage = 0;
  uint32_t era = 0;
  uint16_t port = 0;
  Ipv4Address group;
  std::vector<PullSource> sources;  // at most kMaxPullSources
};
// The caller wipes it.
std::vector<uint8_t> WriteWelcome(const Welcome& welcome);
// Nothing if it is unsound or a record's signature does not hold. `recovery`: Record::Read.
std::optional<Welcome> ReadWelcome(ConstBytes bytes, const PublicKey& recovery);

}  // namespace qure::admission
