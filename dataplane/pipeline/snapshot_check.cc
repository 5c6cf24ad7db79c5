#include "dataplane/pipeline/snapshot_check.h"

#include <algorithm>
#include <set>

#include "proto/check.h"

namespace qure {
namespace {

void CheckAddresses(const std::vector<ServiceAddress>& addresses, bool v6) {
  QURE_CHECK(addresses.size() <= kMaxServiceAddresses, addresses.size());
  for (const ServiceAddress& service : addresses) {
    QURE_CHECK(service.address.is_v6() == v6, service.address);
    QURE_CHECK(service.id != 0, service.address);
  }
}

// Tables are large, and services of equal weights share one: each is looked at once.
using CheckedTables = std::set<const LookupTable*>;

void AddTables(const EpochTables& tables, CheckedTables* checked) {
  for (const auto& table : tables.services) checked->insert(table.get());
}

void CheckTables(const EpochTables& tables, const Balance& balance, size_t services, CheckedTables* checked) {
  QURE_CHECK(tables.services.size() <= services, tables.services.size(), services);
  QURE_CHECK(tables.heavy_hitters.size() <= kMaxHeavyHitters, tables.heavy_hitters.size());
  for (const auto& table : tables.services) {
    if (table == nullptr || !checked->insert(table.get()).second) continue;
    QURE_CHECK(!table->empty());
    const size_t highest = *std::ranges::max_element(*table);
    QURE_CHECK(highest < balance.slots, highest, balance.slots);
  }
}

}  // namespace

void CheckSnapshot(const Snapshot& snapshot, const Snapshot* before) {
  CheckAddresses(snapshot.addresses_v4, /*v6=*/false);
  CheckAddresses(snapshot.addresses_v6, /*v6=*/true);
  snapshot.ForEachMac([&snapshot](const MacAddress& mac) { QURE_CHECK(snapshot.macs.MayHold(mac), mac); });
  if (snapshot.balance == nullptr) return;
  const Balance& balance = *snapshot.balance;
  if (before != nullptr && before->balance == snapshot.balance && before->services == snapshot.services) return;
  QURE_CHECK(snapshot.services != nullptr);
  QURE_CHECK(balance.slots >= 1 && balance.slots <= kMaxNodes, balance.slots);
  QURE_CHECK(balance.master < balance.slots, balance.master, balance.slots);
  const size_t services = snapshot.services->services.size();
  CheckedTables checked;
  if (before != nullptr && before->balance != nullptr && before->balance->slots <= balance.slots) {
    AddTables(before->balance->current, &checked);
    AddTables(before->balance->previous, &checked);
  }
  CheckTables(balance.current, balance, services, &checked);
  CheckTables(balance.previous, balance, services, &checked);
}

}  // namespace qure
