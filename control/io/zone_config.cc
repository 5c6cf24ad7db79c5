#include "control/io/zone_config.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "control/io/text.h"
#include "proto/address.h"
#include "proto/dns.h"

namespace qure {
namespace {

constexpr int64_t kMaxTtl = 0x7fffffff;     // RFC 2181 §8; also what serial arithmetic leaves for the SOA timers
constexpr int64_t kMaxSerial = 0xffffffff;  // RFC 1035 §3.3.13
constexpr size_t kMaxTxtString = 255;       // RFC 1035 §3.3
constexpr size_t kMaxTxt = 1024;            // so that the answer fits into kDnsEdnsPayload
constexpr std::string_view kNameRule = "labels of 1 to 63 bytes, 253 in all, like \"www.home.example\"";

std::string ToText(std::string_view wire) {
  return DnsNameToText({reinterpret_cast<const uint8_t*>(wire.data()), wire.size()});
}

void AppendBe32(int64_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

// Whether the text ends with a dot that is not escaped.
bool IsAbsolute(std::string_view text) {
  if (!text.ends_with('.')) return false;
  text.remove_suffix(1);
  const size_t last = text.find_last_not_of('\\');
  const size_t backslashes = text.size() - (last == std::string_view::npos ? 0 : last + 1);
  return backslashes % 2 == 0;
}

bool IsAtOrBelow(std::string_view name, std::string_view apex) {
  while (name.size() > apex.size()) name.remove_prefix(static_cast<uint8_t>(name[0]) + size_t{1});
  return name == apex;
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

template <typename Bytes>
std::string ToRdata(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
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
  explicit ZoneReader(TableReader* table) : table_(table) {}

  std::optional<ZoneConfig> Read();

 private:
  void ReadSoa(std::string_view zone_name);
  std::string SoaName(std::string_view key, std::string_view fallback);
  void ReadNameServers();
  void ReadRecord(TableReader* record);
  std::optional<std::string> OwnerName(const Placed<std::string>& text) const;
  std::optional<std::string> Rdata(uint16_t type, const Placed<std::string>& value) const;
  void Add(DnsRecord record, const Place& place);

  TableReader* table_;
  ZoneConfig zone_;
  std::vector<Placed<std::string>> name_servers_;
};

std::optional<ZoneConfig> ZoneReader::Read() {
  const auto name = table_->RequiredString("name", "write the zone's name like \"home.example\"");
  const auto apex = name ? ReadName(*name, table_->errors()) : std::nullopt;
  zone_.apex = apex.value_or("");
  zone_.ttl = static_cast<uint32_t>(table_->Integer("ttl", zone_.ttl, 0, kMaxTtl));
  name_servers_ = table_->Strings("ns");
  if (name_servers_.empty())
    table_->Fail("ns", "missing; a zone has at least one name server: ns = [\"ns1.home.example\"]");
  ReadSoa(name ? name->value : "");
  std::vector<TableReader> records = table_->Tables("record");
  if (apex) {
    ReadNameServers();
    for (TableReader& record : records) ReadRecord(&record);
  }
  table_->RejectUnknownKeys();
  if (!apex) return std::nullopt;
  return zone_;
}

std::string ZoneReader::SoaName(std::string_view key, std::string_view fallback) {
  const auto text = table_->OptionalString(key);
  return (text ? ReadName(*text, table_->errors()) : DnsNameToWire(fallback)).value_or(zone_.apex);
}

// RFC 1035 §3.3.13
void ZoneReader::ReadSoa(std::string_view zone_name) {
  zone_.soa = SoaName("primary", name_servers_.empty() ? zone_name : name_servers_[0].value);
  zone_.soa += SoaName("contact", Concat("hostmaster.", zone_name));
  AppendBe32(table_->Integer("serial", 1, 0, kMaxSerial), &zone_.soa);
  AppendBe32(table_->Integer("refresh", 3600, 1, kMaxTtl), &zone_.soa);
  AppendBe32(table_->Integer("retry", 600, 1, kMaxTtl), &zone_.soa);
  AppendBe32(table_->Integer("expire", 86400, 1, kMaxTtl), &zone_.soa);
  AppendBe32(table_->Integer("minimum", 60, 0, kMaxTtl), &zone_.soa);
}

void ZoneReader::ReadNameServers() {
  for (const Placed<std::string>& server : name_servers_) {
    if (const auto wire = ReadName(server, table_->errors())) {
      Add({zone_.apex, kDnsTypeNs, zone_.ttl, *wire}, server.place);
    }
  }
}

void ZoneReader::ReadRecord(TableReader* record) {
  const auto name = record->RequiredString("name", "write it relative to the zone, \"@\" for the zone itself");
  const auto type = record->RequiredChoice<uint16_t>(
      "type", {{"A", kDnsTypeA}, {"AAAA", kDnsTypeAaaa}, {"NS", kDnsTypeNs}, {"TXT", kDnsTypeTxt}});
  const auto value = record->OptionalString("value");
  if (!record->Has("value")) record->Fail("value", "missing; write an address, a name or a text, as the type demands");
  const auto ttl = static_cast<uint32_t>(record->Integer("ttl", zone_.ttl, 0, kMaxTtl));
  record->RejectUnknownKeys();
  const auto owner = name ? OwnerName(*name) : std::nullopt;
  const auto rdata = type && value ? Rdata(*type, *value) : std::nullopt;
  if (!owner || !rdata) return;
  if (*type == kDnsTypeNs && *owner != zone_.apex) {
    record->Fail("type",
                 "NS below the zone itself is a delegation, which is not served; put the records into this zone");
    return;
  }
  Add({*owner, *type, ttl, *rdata}, record->place());
}

std::optional<std::string> ZoneReader::OwnerName(const Placed<std::string>& text) const {
  const auto fail = [&](std::string_view message) {
    table_->errors()->Add(text.place, Concat("\"", text.value, "\" ", message));
    return std::nullopt;
  };
  if (text.value == "@") return zone_.apex;
  std::optional<std::string> wire = DnsNameToWire(text.value);
  if (!wire) return fail(Concat("is not a DNS name; use ", kNameRule));
  if (wire->starts_with("\1*")) return fail("is a wildcard, which is not served; give every name a record");
  const std::string zone = ToText(zone_.apex);
  if (IsAbsolute(text.value)) {
    if (IsAtOrBelow(*wire, zone_.apex)) return wire;
    return fail(Concat("is outside the zone ", zone, "; leave out the final dot, or put it into a zone of its own"));
  }
  wire->pop_back();  // the root label
  wire->append(zone_.apex);
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
      return ToRdata(address->v4().bytes);
    case kDnsTypeAaaa:
      if (!address || !address->is_v6()) return fail("is not an IPv6 address; write it like 2001:db8:2::50");
      return ToRdata(address->v6().bytes);
    case kDnsTypeNs:
      return ReadName(value, table_->errors());
    default:
      if (value.value.size() <= kMaxTxt) return TxtRdata(value.value);
      table_->errors()->Add(value.place, Concat("is ", value.value.size(), " bytes long; use at most ", kMaxTxt));
      return std::nullopt;
  }
}

void ZoneReader::Add(DnsRecord record, const Place& place) {
  const auto same = [&](const DnsRecord& other) {
    return record.name == other.name && record.type == other.type && record.rdata == other.rdata;
  };
  if (std::any_of(zone_.records.begin(), zone_.records.end(), same)) {
    table_->errors()->Add(place, "the same name, type and value once more; remove one of them");  // RFC 2181 §5
    return;
  }
  zone_.records.push_back(std::move(record));
}

}  // namespace

std::vector<ZoneConfig> ReadZones(TableReader* cluster) {
  std::vector<ZoneConfig> zones;
  std::map<std::string, uint32_t> lines;  // where a zone was given
  for (TableReader& table : cluster->Tables("zone")) {
    std::optional<ZoneConfig> zone = ZoneReader(&table).Read();
    if (!zone) continue;
    const auto [entry, first] = lines.emplace(zone->apex, table.place().line);
    if (!first) {
      table.Fail("name", Concat(ToText(zone->apex), " was given in line ", entry->second,
                                " already; put all its records there"));
      continue;
    }
    zones.push_back(*std::move(zone));
  }
  return zones;
}

}  // namespace qure
