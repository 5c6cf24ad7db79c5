#include "control/config/zone_config.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "control/base/text.h"
#include "control/config/zone_text.h"
#include "proto/dns/ldns.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"
#include "proto/dns/zone_builder.h"
#include "proto/net/address.h"

namespace qure {
namespace {

constexpr int64_t kMaxTtl = 0x7fffffff;     // RFC 2181 §8; also what serial arithmetic leaves for the SOA timers
constexpr int64_t kMaxSerial = 0xffffffff;  // RFC 1035 §3.3.13
constexpr size_t kMaxTxtString = 255;       // RFC 1035 §3.3
constexpr size_t kMaxTxt = 1024;            // so that the answer fits into kDnsEdnsPayload
// Types of our own: the addresses of another name (often called ALIAS or ANAME), and what the cluster knows.
constexpr std::string_view kAliasType = "ALIAS";
constexpr std::string_view kClusterType = "CLUSTER";
constexpr std::string_view kHealthy = "healthy ";
constexpr std::string_view kNameRule = "labels of 1 to 63 bytes, 253 in all, like \"www.home.example\"";

// Whether the text ends with a dot that is not escaped.
bool IsAbsolute(std::string_view text) {
  if (!text.ends_with('.')) return false;
  text.remove_suffix(1);
  const size_t last = text.find_last_not_of('\\');
  const size_t backslashes = text.size() - (last == std::string_view::npos ? 0 : last + 1);
  return backslashes % 2 == 0;
}

std::optional<std::string> ReadName(const Placed<std::string>& text, ConfigErrors* errors) {
  if (text.value.find('@') != std::string::npos) {  // RFC 1035 §8: the mailbox of an SOA
    errors->Add(text.place, Concat("\"", text.value, "\" is a mail address; write a dot for the @"));
    return std::nullopt;
  }
  std::optional<std::string> wire = DnsNameToWire(text.value);
  if (!wire) errors->Add(text.place, Concat("\"", text.value, "\" is not a DNS name; use ", kNameRule));
  return wire;
}

// The text in strings of at most 255 bytes (RFC 1035 §3.3.14), one of them even when it is empty.
std::string TxtRdata(std::string_view text) {
  std::string rdata;
  do {
    const std::string_view part = text.substr(0, kMaxTxtString);
    rdata.push_back(static_cast<char>(part.size()));
    rdata.append(part);
    text.remove_prefix(part.size());
  } while (!text.empty());
  return rdata;
}

class ZoneReader {
 public:
  ZoneReader(TableReader* table, const std::vector<ServiceConfig>& services, uint64_t hash_seed)
      : table_(table), services_(services), hash_seed_(hash_seed) {}

  std::optional<ZoneConfig> Read();

 private:
  void ReadFile();
  void ReadSoa(std::string_view zone_name);
  std::string SoaName(std::string_view key, std::string_view fallback);
  uint32_t SoaNumber(std::string_view key, uint32_t fallback, int64_t least, int64_t most);
  void ReadRecord(TableReader* record);
  std::optional<std::string> OwnerName(const Placed<std::string>& text) const;
  std::optional<std::string> Rdata(uint16_t type, const Placed<std::string>& value) const;
  void ReadLive(std::string_view type, const std::optional<Placed<std::string>>& name, TableReader* record);
  bool ReadCluster(std::string_view value, TableReader* record, LiveRecord* out) const;
  void Add(DnsRecord record, const Place& place);
  std::optional<ZoneConfig> Finish();

  TableReader* table_;
  const std::vector<ServiceConfig>& services_;
  uint64_t hash_seed_;
  uint32_t ttl_ = ZoneConfig{}.ttl;
  std::string apex_;
  std::optional<DnsZoneBuilder> builder_;
  std::string file_;
  std::optional<ZoneSoa> soa_;
  std::vector<ZoneRecord> records_;
  std::vector<LiveRecord> live_;
  std::vector<Place> live_places_;
};

std::optional<ZoneConfig> ZoneReader::Read() {
  const auto name = table_->RequiredString("name", "write the zone's name like \"home.example\"");
  const auto apex = name ? ReadName(*name, table_->errors()) : std::nullopt;
  apex_ = apex.value_or("");
  ttl_ = static_cast<uint32_t>(table_->Integer("ttl", ttl_, 0, kMaxTtl));
  if (apex) builder_.emplace(*apex, hash_seed_);
  if (table_->Has("file")) {
    ReadFile();
  } else {
    ReadSoa(name ? name->value : "");
  }
  for (TableReader& record : table_->Tables("record")) ReadRecord(&record);
  table_->RejectUnknownKeys();
  if (!builder_) return std::nullopt;
  if (const auto missing = builder_->Missing()) {
    if (!file_.empty()) table_->Fail("file", Concat(file_, ": the zone ", DnsNameToText(apex_), " ", *missing));
    return std::nullopt;
  }
  return Finish();
}

std::optional<ZoneConfig> ZoneReader::Finish() {
  std::optional<DnsZoneBuilder> base;
  if (!live_.empty()) base = *builder_;
  for (size_t i = 0; i < live_.size(); ++i) {
    if (const auto unfit = builder_->AddFailing(live_[i].name)) {
      table_->errors()->Add(live_places_[i], Concat("\"", DnsNameToText(live_[i].name), "\" ", *unfit));
    }
  }
  ZoneConfig zone{.file = file_,
                  .zone = std::make_shared<const DnsZone>(builder_->Build()),
                  .live = nullptr,
                  .ttl = ttl_,
                  .soa = std::move(soa_),
                  .records = std::make_shared<const std::vector<ZoneRecord>>(std::move(records_))};
  if (base) zone.live = std::make_shared<const LiveZone>(LiveZone{*std::move(base), std::move(live_)});
  return zone;
}

void ZoneReader::ReadFile() {
  const auto path = table_->OptionalString("file");
  if (!path || !builder_) return;
  if (!path->value.starts_with('/')) {
    table_->Fail("file", Concat("\"", path->value, "\" is not an absolute path; begin it with \"/\""));
    return;
  }
  file_ = path->value;
  const std::vector<std::string> problems = ReadZoneFile(file_, DnsNameToText(apex_), ttl_, &*builder_);
  for (const std::string& problem : problems) table_->Fail("file", problem);
  if (!problems.empty()) builder_.reset();
}

std::string ZoneReader::SoaName(std::string_view key, std::string_view fallback) {
  const auto text = table_->OptionalString(key);
  return (text ? ReadName(*text, table_->errors()) : DnsNameToWire(fallback)).value_or(apex_);
}

uint32_t ZoneReader::SoaNumber(std::string_view key, uint32_t fallback, int64_t least, int64_t most) {
  return static_cast<uint32_t>(table_->Integer(key, fallback, least, most));
}

// The SOA (RFC 1035 §3.3.13) and the name servers.
void ZoneReader::ReadSoa(std::string_view zone_name) {
  const std::vector<Placed<std::string>> name_servers = table_->Strings("ns");
  if (name_servers.empty()) {
    table_->Fail("ns", "missing; a zone has at least one name server: ns = [\"ns1.home.example\"]");
  }
  const std::string primary = SoaName("primary", name_servers.empty() ? zone_name : name_servers[0].value);
  const std::string contact = SoaName("contact", Concat("hostmaster.", zone_name));
  ZoneSoa soa{.primary = DnsNameToText(primary), .contact = DnsNameToText(contact)};
  soa.serial = SoaNumber("serial", soa.serial, 0, kMaxSerial);
  soa.refresh = SoaNumber("refresh", soa.refresh, 1, kMaxTtl);
  soa.retry = SoaNumber("retry", soa.retry, 1, kMaxTtl);
  soa.expire = SoaNumber("expire", soa.expire, 1, kMaxTtl);
  soa.minimum = SoaNumber("minimum", soa.minimum, 0, kMaxTtl);
  std::string rdata = primary + contact;
  for (const uint32_t number : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) {
    AppendNumber(number, 4, &rdata);
  }
  Add({apex_, kDnsTypeSoa, ttl_, rdata}, table_->place());
  for (const Placed<std::string>& server : name_servers) {
    const auto wire = ReadName(server, table_->errors());
    if (!wire) continue;
    soa.ns.push_back(DnsNameToText(*wire));
    Add({apex_, kDnsTypeNs, ttl_, *wire}, server.place);
  }
  soa_ = std::move(soa);
}

void ZoneReader::ReadRecord(TableReader* record) {
  const auto name = record->RequiredString("name", "write it relative to the zone, \"@\" for the zone itself");
  const auto type_name = record->RequiredString("type", "use \"A\", \"AAAA\", \"CNAME\", \"MX\", \"SRV\" and the like");
  if (type_name && (type_name->value == kAliasType || type_name->value == kClusterType)) {
    return ReadLive(type_name->value, name, record);
  }
  const uint16_t type = type_name ? DnsTypeOf(type_name->value).value_or(0) : uint16_t{0};  // 0 is none
  if (type_name && type == 0) {
    record->Fail("type", Concat("\"", type_name->value,
                                "\" is not a type of record; use \"A\", \"AAAA\", \"CNAME\", \"MX\", "
                                "\"SRV\" and the like, or \"TYPE\" and its number"));
  }
  const auto value = record->OptionalString("value");
  if (!record->Has("value")) record->Fail("value", "missing; write an address, a name or a text, as the type demands");
  const auto ttl = static_cast<uint32_t>(record->Integer("ttl", ttl_, 0, kMaxTtl));
  record->RejectUnknownKeys();
  if (!builder_) return;
  const auto owner = name ? OwnerName(*name) : std::nullopt;
  const auto rdata = type != 0 && value ? Rdata(type, *value) : std::nullopt;
  if (!owner || !rdata) return;
  records_.push_back({.name = name->value, .type = type_name->value, .value = value->value, .ttl = ttl});
  Add({*owner, type, ttl, *rdata}, record->place());
}

// Names that stand for addresses that change.
void ZoneReader::ReadLive(std::string_view type, const std::optional<Placed<std::string>>& name, TableReader* record) {
  LiveRecord live;
  live.ttl = static_cast<uint32_t>(record->Integer("ttl", ttl_, 0, kMaxTtl));
  const auto value = record->RequiredString("value", type == kAliasType ? "write the name whose addresses it has"
                                                                        : "write what it stands for, like \"service\"");
  const bool healthy = value && value->value.starts_with(kHealthy);
  live.rotate = record->Choice("order", healthy, kRecordOrders);
  record->RejectUnknownKeys();
  if (!builder_ || !name || !value) return;
  const auto owner = OwnerName(*name);
  if (type == kAliasType) {
    const auto target = ReadName(*value, table_->errors());
    if (!target) return;
    live.from = LiveRecord::From::kAlias;
    live.argument = *target;
  } else if (!ReadCluster(value->value, record, &live)) {
    return;
  }
  if (!owner) return;
  live.name = *owner;
  records_.push_back(
      {.name = name->value, .type = std::string(type), .value = value->value, .ttl = live.ttl, .rotate = live.rotate});
  live_.push_back(std::move(live));
  live_places_.push_back(record->place());
}

bool ZoneReader::ReadCluster(std::string_view value, TableReader* record, LiveRecord* out) const {
  using From = LiveRecord::From;
  static const std::map<std::string_view, From> kWords = {
      {"service", From::kServiceAddresses}, {"node", From::kThisNode}, {"public", From::kPublic}};
  if (const auto word = kWords.find(value); word != kWords.end()) {
    out->from = word->second;
    return true;
  }
  if (!value.starts_with(kHealthy)) {
    record->Fail("value", Concat("\"", value,
                                 "\" is not a set of addresses; use \"service\", \"node\", \"public\" or "
                                 "\"healthy SERVICE\""));
    return false;
  }
  out->from = From::kHealthy;
  out->argument = value.substr(kHealthy.size());
  if (std::ranges::find(services_, out->argument, &ServiceConfig::name) != services_.end()) return true;
  record->Fail("value", Concat("there is no service \"", out->argument, "\"; use the name of a [[cluster.service]]"));
  return false;
}

std::optional<std::string> ZoneReader::OwnerName(const Placed<std::string>& text) const {
  const auto fail = [&](std::string_view message) {
    table_->errors()->Add(text.place, Concat("\"", text.value, "\" ", message));
    return std::nullopt;
  };
  if (text.value == "@") return apex_;
  std::optional<std::string> wire = DnsNameToWire(text.value);
  if (!wire) return fail(Concat("is not a DNS name; use ", kNameRule));
  const std::string zone = DnsNameToText(apex_);
  if (IsAbsolute(text.value)) {
    if (DnsIsWithin(*wire, apex_)) return wire;
    return fail(Concat("is outside the zone ", zone, "; leave out the final dot, or put it into a zone of its own"));
  }
  wire->pop_back();  // the root label
  wire->append(apex_);
  if (wire->size() > kDnsMaxName) return fail(Concat("is too long together with ", zone, "; use ", kNameRule));
  return wire;
}

std::optional<std::string> ZoneReader::Rdata(uint16_t type, const Placed<std::string>& value) const {
  const auto fail = [&](std::string_view message) {
    table_->errors()->Add(value.place, Concat("\"", value.value, "\" ", message));
    return std::nullopt;
  };
  const std::optional<IpAddress> address = ParseIp(value.value);
  switch (type) {
    case kDnsTypeA:
      if (!address || !address->is_v4()) return fail("is not an IPv4 address; write it like 198.51.100.50");
      return DnsAddressRdata(*address);
    case kDnsTypeAaaa:
      if (!address || !address->is_v6()) return fail("is not an IPv6 address; write it like 2001:db8:2::50");
      return DnsAddressRdata(*address);
    case kDnsTypeNs:
    case kDnsTypeCname:
    case kDnsTypePtr:
      return ReadName(value, table_->errors());
    case kDnsTypeTxt:
      if (value.value.size() <= kMaxTxt) return TxtRdata(value.value);
      table_->errors()->Add(value.place, Concat("is ", value.value.size(), " bytes long; use at most ", kMaxTxt));
      return std::nullopt;
    default:
      break;
  }
  const absl::StatusOr<std::string> rdata = DnsRdata(type, value.value, DnsNameToText(apex_));
  if (rdata.ok()) return *rdata;
  return fail(Concat("is not the data of a record of type ", DnsTypeName(type), " (", rdata.status().message(),
                     "); write it as in a zone file"));
}

void ZoneReader::Add(DnsRecord record, const Place& place) {
  if (!builder_) return;
  const std::string name = DnsNameToText(record.name);
  const uint16_t type = record.type;
  if (const auto unfit = builder_->Add(std::move(record))) {
    table_->errors()->Add(place, Concat("\"", name, " ", DnsTypeName(type), "\" ", *unfit));
  }
}

}  // namespace

std::vector<ZoneConfig> ReadZones(const std::vector<ServiceConfig>& services, TableReader* cluster) {
  std::vector<ZoneConfig> zones;
  std::map<std::string, uint32_t> lines;  // where a zone was given
  // Without the seed an attacker cannot choose names that share a bucket.
  const uint64_t hash_seed = uint64_t{std::random_device()()} << 32 | std::random_device()();
  for (TableReader& table : cluster->Tables("zone")) {
    std::optional<ZoneConfig> zone = ZoneReader(&table, services, hash_seed).Read();
    if (!zone) continue;
    const auto [entry, first] = lines.emplace(zone->zone->apex(), table.place().line);
    if (!first) {
      table.Fail("name", Concat(DnsNameToText(zone->zone->apex()), " was given in line ", entry->second,
                                " already; put all its records there"));
      continue;
    }
    zones.push_back(*std::move(zone));
  }
  return zones;
}

}  // namespace qure
