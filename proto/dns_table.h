// The names that a node answers for, as wire bytes ready to copy: built off the packet path, then immutable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"
#include "proto/dns.h"

namespace qure {

class DnsTable {
 public:
  enum class Outcome : uint8_t { kAnswer, kNoData, kNxDomain, kNotOurs };

  struct Result {
    Outcome outcome = Outcome::kNotOurs;
    // kAnswer: whole records, owner a pointer to the question name (0xC00C). kNoData, kNxDomain: one SOA record from
    // its type field on; the owner is the last `zone_length` bytes of the question name.
    ConstBytes records;
    uint16_t count = 0;
    uint8_t zone_length = 0;
  };

  // `name` is a question name in wire form in any case, sound as ParseDnsQuery leaves it. ANY is answered with one of
  // the record sets of the name (RFC 8482 §4.1).
  Result Lookup(ConstBytes name, uint16_t type) const;

  size_t name_count() const { return name_count_; }
  bool empty() const { return name_count_ == 0; }

 private:
  friend class DnsTableBuilder;

  // All that belongs to a name lies together in wire_, so that a lookup misses the cache twice at most, however large
  // the table: once for the bucket, once for Entry, name, Entry::set_count times RecordSet, records.
  struct Entry {
    uint32_t zone = 0;       // into zones_: the closest enclosing one
    uint16_t set_count = 0;  // 0: an empty non-terminal
    uint8_t name_length = 0;
    uint8_t unused = 0;
  };
  // The records of one name and type.
  struct RecordSet {
    uint16_t type = 0;
    uint16_t count = 0;
    uint32_t offset = 0;  // into wire_
    uint32_t length = 0;
  };
  struct Zone {
    uint8_t name_length = 0;
    RecordSet negative_soa;
  };
  struct Bucket {
    uint32_t tag =
        0;  // upper half of the hash: nearly all names that differ are told apart without a look at the entry
    uint32_t entry = 0;  // offset into wire_ + 1; 0: empty
  };
  // An entry found, and where it is.
  struct Found {
    Entry entry;
    uint32_t offset;
  };

  std::optional<Found> Find(ConstBytes padded_name) const;
  Result Answer(const Found& found, uint16_t type) const;
  Result Negative(Outcome outcome, const Entry& entry) const;
  ConstBytes BytesOf(const RecordSet& set) const { return ConstBytes(wire_).subspan(set.offset, set.length); }
  void Insert(uint64_t hash, uint32_t offset);

  uint64_t hash_seed_ = 0;
  size_t name_count_ = 0;
  size_t longest_name_ = 0;
  std::vector<Zone> zones_;
  std::vector<Bucket> buckets_;  // open addressing, a power of two, at most half full
  std::vector<uint8_t> wire_;
};

struct DnsRecord {
  std::string name;  // lower-case wire form
  uint16_t type = 0;
  uint32_t ttl = 0;   // seconds
  std::string rdata;  // wire form, names uncompressed
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

// Collects zones and builds a table. Empty non-terminals between a record and its zone's apex exist (RFC 4592 §2.2.2).
class DnsTableBuilder {
 public:
  // `hash_seed` should be a secret of the node: whoever knows it can choose names that share a bucket.
  explicit DnsTableBuilder(uint64_t hash_seed = 0) : hash_seed_(hash_seed) {}

  // `apex` in lower-case wire form; `soa` is the rdata of its SOA. The SOA of negative answers has the TTL min(ttl,
  // MINIMUM field) (RFC 2308 §3). Of several with one apex the last counts.
  void AddZone(std::string apex, uint32_t ttl, std::string soa);
  // Records of one name and type share the lowest of their TTLs and differ in their rdata (RFC 2181 §5). A record
  // outside every zone, a SOA (AddZone makes it), and one whose rdata is longer than 65535 bytes is not served.
  void AddRecord(DnsRecord record);
  DnsTable Build() const;

 private:
  struct Zone {
    uint32_t ttl;
    std::string soa;
  };
  // What is known of a name while the table is built.
  struct Name;
  using Names = std::map<std::string, Name>;

  const std::string* EnclosingApex(std::string_view name) const;
  Name* AddName(std::string_view name, Names* names) const;
  Names CollectNames() const;
  void AppendEntry(const std::string& text, const Name& name, uint32_t zone, DnsTable* table) const;

  uint64_t hash_seed_;
  std::map<std::string, Zone, std::less<>> zones_;  // by apex
  std::vector<DnsRecord> records_;
};

}  // namespace qure
