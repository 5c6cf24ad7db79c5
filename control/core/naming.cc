#include "control/core/naming.h"

namespace qure {

std::shared_ptr<const DnsTable> BuildDnsTable(const std::vector<ZoneConfig>& zones) {
  if (zones.empty()) return nullptr;
  DnsTableBuilder builder;
  for (const ZoneConfig& zone : zones) {
    builder.AddZone(zone.apex, zone.ttl, zone.soa);
    for (const DnsRecord& record : zone.records) builder.AddRecord(record);
  }
  return std::make_shared<const DnsTable>(builder.Build());
}

}  // namespace qure
