// A zone as wire bytes ready to copy: built off the packet path, then immutable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/bytes.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {

// Where a name stands in a message, whole and uncompressed.
struct DnsPlace {
  uint16_t at = sizeof(DnsHeader);  // of the question name
  uint16_t length = 0;
};

// Records of a zone: `count` for the answer or authority section, and behind them `additional` more, which may be left
// out. They refer to a name in the message and to each other by pointers (RFC 1035 §4.1.4).
class DnsRecords {
 public:
  uint16_t count() const { return count_; }
  uint16_t additional() const { return additional_; }
  size_t length() const { return length_; }
  size_t whole_length() const { return whole_length_; }  // with the additional ones
  bool rotates() const { return rotates_; }

  // Writes the records to `message`, `at`; the name that they belong to, or that they were looked up for, is at `name`.
  void Write(uint8_t* message, uint16_t at, DnsPlace name, bool with_additional) const;
  // Of records that were written and rotate: begins with another one, by `turn`.
  void Rotate(uint8_t* message, uint16_t at, uint16_t turn) const;

 private:
  friend class DnsZone;

  const uint8_t* bytes_ = nullptr;
  const uint8_t* moves_ = nullptr;  // 16 bits each: what is pointed at, and where the pointer is within bytes_
  uint16_t count_ = 0;
  uint16_t additional_ = 0;
  uint16_t length_ = 0;
  uint16_t whole_length_ = 0;
  uint16_t move_count_ = 0;
  uint8_t made_for_ = 0;  // length of the name, or of its end, that they were made for, and that stood as question then
  bool exact_ = false;    // made for the whole name: as question it needs no moves
  bool rotates_ = false;  // several addresses, none of them better than the others
};

struct DnsRecord {
  std::string name;  // lower-case wire form
  uint16_t type = 0;
  uint32_t ttl = 0;   // seconds
  std::string rdata;  // wire form, names uncompressed
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

class DnsZone {
 public:
  enum class Outcome : uint8_t {
    kAnswer,
    kAlias,     // a CNAME for another type: its target is the rdata, uncompressed, at the end of the one record
    kReferral,  // name servers for the authority section, glue behind them (RFC 1034 §4.3.2 step 3b)
    kNoData,    // the zone's SOA for the authority section, with the TTL of negative answers (RFC 2308 §3)
    kNxDomain,  // the same
    kFailure,   // no records: the name's addresses are not known at present (DnsZoneBuilder::AddFailing)
  };
  struct Found {
    Outcome outcome = Outcome::kNxDomain;
    DnsRecords records;
    // Hash of the name that the records belong to: the wildcard, the delegation, the apex of what does not exist.
    uint64_t subject = 0;
  };

  uint64_t Hash(const DnsNameView& name) const { return name.Hash(hash_seed_); }

  // `name` is at or below the apex. ANY is answered with one of the record sets (RFC 8482 §4.1). Wildcards and empty
  // non-terminals are as in RFC 4592. `hash`: Hash(name).
  Found Lookup(const DnsNameView& name, uint16_t type) const { return Lookup(name, Hash(name), type); }
  Found Lookup(const DnsNameView& name, uint64_t hash, uint16_t type) const;

  // A lookup in a large zone waits for memory, first for the bucket, then for the entry. A caller with several to make
  // prefetches both beforehand, of all names one after the other, so that the waits overlap. These only compute where
  // they are: a call whose only effect is a prefetch has none for the compiler (g++ 12), which leaves it out.
  const void* BucketOf(uint64_t hash) const { return &buckets_[hash & (buckets_.size() - 1)]; }
  // Of the first bucket, which is nearly always the one.
  const uint8_t* EntryOf(uint64_t hash) const { return wire_.data() + buckets_[hash & (buckets_.size() - 1)].entry; }

  const std::string& apex() const { return apex_; }  // lower-case wire form
  size_t name_count() const { return name_count_; }
  size_t record_count() const { return record_count_; }
  uint32_t serial() const { return serial_; }
  bool lan_only() const { return lan_only_; }  // others are answered as if this zone were not served

 private:
  friend class DnsZoneBuilder;

  // All that belongs to a name is together in wire_, so that a lookup misses the cache twice at most, however large the
  // zone: once for the bucket, once for Entry, name, Entry::set_count times RecordSet, records.
  struct Entry {
    uint16_t set_count = 0;  // 0: an empty non-terminal
    uint8_t name_length = 0;
    uint8_t flags = 0;
  };
  static constexpr uint8_t kCut = 1;          // a delegation: its only sets are NS and DS
  static constexpr uint8_t kHasWildcard = 2;  // "*" below it exists
  static constexpr uint8_t kWildcard = 4;     // is one
  static constexpr uint8_t kAlias = 8;        // has a CNAME
  static constexpr uint8_t kFailing = 16;     // its addresses are not known
  static constexpr uint8_t kRotates = 32;     // its addresses are given in turn

  // The records of one name and type: bytes, then moves.
  struct RecordSet {
    uint16_t type = 0;
    uint16_t count = 0;
    uint16_t additional = 0;
    uint16_t move_count = 0;
    uint16_t length = 0;
    uint16_t whole_length = 0;
    uint32_t offset = 0;  // into wire_
  };
  struct Bucket {
    // Upper half of the hash: nearly all names that differ are told apart without a look at the entry.
    uint32_t tag = 0;
    uint32_t entry = 0;  // offset into wire_; 0: empty, for the zone's SOA is there
  };
  // An entry found, and where it is.
  struct Place {
    Entry entry;
    uint32_t offset = 0;
    uint64_t hash = 0;  // of its name
    explicit operator bool() const { return offset != 0; }
  };

  Place Find(const DnsNameView& name) const { return Find(name, Hash(name)); }
  Place Find(const DnsNameView& name, uint64_t hash) const;
  Found LookupMissing(const DnsNameView& name, uint16_t type) const;  // of a name that has no entry
  // What the wildcard below `closest` answers (RFC 4592 §3.3.1). Apart, since only its buffer has the compiler guard
  // the stack.
  [[gnu::noinline]] Found AnswerOfWildcard(const DnsNameView& closest, uint16_t type) const;
  Found AnswerOf(const Place& place, uint16_t type) const;
  Found Referral(const Place& place) const;
  Found Negative(Outcome outcome) const { return {outcome, RecordsOf(soa_, apex_.size(), {}), apex_hash_}; }
  // Where the RecordSet is; null: there is none of this type.
  const uint8_t* SetOf(const Place& place, uint16_t type) const;
  struct Traits {
    bool exact = false;
    bool rotates = false;
  };
  DnsRecords RecordsOf(const RecordSet& set, size_t made_for, Traits traits) const;
  void Insert(uint64_t hash, uint32_t offset);

  uint64_t hash_seed_ = 0;
  std::string apex_;
  uint64_t apex_hash_ = 0;
  uint32_t serial_ = 0;
  bool lan_only_ = false;
  size_t name_count_ = 0;
  size_t record_count_ = 0;
  size_t longest_name_ = 0;
  RecordSet soa_;                // of negative answers
  std::vector<Bucket> buckets_;  // open addressing, a power of two, at most half full
  std::vector<uint8_t> wire_;
};

}  // namespace qure
