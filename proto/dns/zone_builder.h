// Collects the records of a zone and builds it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/dns/block_writer.h"
#include "proto/dns/zone.h"

namespace qure {

// The bytes of all records of one name and type, names uncompressed: what one answer can hold.
inline constexpr size_t kDnsMaxSet = 12'000;
// The bytes of all names and records of a zone. Beside them stand pointers and additional addresses, and the places of
// all have 32 bits.
inline constexpr size_t kDnsMaxZone = size_t{1} << 30;

class DnsZoneBuilder {
 public:
  // `apex` in lower-case wire form. `most_bytes`: what the zone may have, up to kDnsMaxZone.
  DnsZoneBuilder(std::string apex, uint64_t hash_seed, uint16_t klass = kDnsClassIn, size_t most_bytes = kDnsMaxZone);

  // What is wrong with the record, for its author; nullopt if it was taken. Records of one name and type share the
  // lowest of their TTLs; one that is there already is taken once (RFC 2181 §5).
  std::optional<std::string> Add(DnsRecord record);

  // The name exists, even without records.
  void AddName(std::string name) { names_.try_emplace(std::move(name)); }
  // A name whose addresses are not known now: clients are to ask again. Returns what is wrong with that, as Add.
  std::optional<std::string> AddFailing(std::string name);
  // The addresses of a name are answered in turn.
  void Rotate(std::string name);
  // Only hosts of the LAN are answered from the zone.
  void ForLanOnly() { lan_only_ = true; }

  // What is missing: a zone has one SOA and an NS at its apex (RFC 1035 §5.2).
  std::optional<std::string> Missing() const;

  // Nothing is missing. Empty non-terminals exist (RFC 4592 §2.2.2); what is below a delegation is glue.
  DnsZone Build() const;

 private:
  struct Set {
    uint32_t ttl = UINT32_MAX;
    size_t bytes = 0;
    std::vector<std::string> rdata;
  };
  using Sets = std::map<uint16_t, Set>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  using Names = std::unordered_map<std::string, Sets, Hash, std::equal_to<>>;

  using Flags = std::unordered_map<std::string_view, uint8_t>;  // by name: DnsZone::kCut and its like
  struct Made {
    DnsBlockWriter writer;
    uint16_t additional = 0;
  };

  std::optional<std::string> Unfit(const DnsRecord& record) const;
  Set* Find(std::string_view name, uint16_t type);
  bool IsCut(std::string_view name) const;
  bool IsBelowCut(std::string_view name) const;
  Flags Served() const;
  void AddHosts(uint16_t type, const Set& set, Made* made) const;
  DnsZone::RecordSet AppendSet(std::string_view known, std::string_view owner, uint16_t type, uint32_t ttl,
                               const Set& set, DnsZone* zone) const;
  void AppendName(std::string_view text, uint8_t flags, DnsZone* zone) const;

  std::string apex_;
  uint64_t hash_seed_;
  uint16_t klass_;
  size_t most_bytes_;
  bool lan_only_ = false;
  Names names_;
  std::unordered_map<std::string, uint8_t> marks_;  // DnsZone::kFailing, kRotates by name
  size_t record_count_ = 0;
  size_t bytes_ = 0;  // of all names and records
};

}  // namespace qure
