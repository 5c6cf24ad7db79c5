#include "dataplane/pipeline/snapshot_check.h"

#include <algorithm>

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

bool WasChecked(const std::shared_ptr<const LookupTable>& table, const EpochTables& checked) {
  return std::ranges::find(checked.services, table) != checked.services.end();
}

// `before`: null if it proves nothing about this balance.
void CheckTables(const EpochTables& tables, const Balance& balance, size_t services, const Balance* before) {
  QURE_CHECK(tables.services.size() <= services, tables.services.size(), services);
  QURE_CHECK(tables.heavy_hitters.size() <= kMaxHeavyHitters, tables.heavy_hitters.size());
  for (const auto& table : tables.services) {
    if (table == nullptr) continue;
    if (before != nullptr && (WasChecked(table, before->current) || WasChecked(table, before->previous))) continue;
    QURE_CHECK(!table->empty());
    const size_t highest = *std::ranges::max_element(*table);
    QURE_CHECK(highest < balance.slots, highest, balance.slots);
  }
}

}  // namespace

void CheckSnapshot(const Snapshot& snapshot, const Snapshot* before) {
  CheckAddresses(snapshot.addresses_v4, /*v6=*/false);
  CheckAddresses(snapshot.addresses_v6, /*v6=*/true);
  if (snapshot.balance == nullptr) return;
  const Balance& balance = *snapshot.balance;
  if (before != nullptr && before->balance == snapshot.balance && before->services == snapshot.services) return;
  QURE_CHECK(snapshot.services != nullptr);
  QURE_CHECK(balance.slots >= 1 && balance.slots <= kMaxNodes, balance.slots);
  QURE_CHECK(balance.master < balance.slots, balance.master, balance.slots);
  const size_t services = snapshot.services->services.size();
  const Balance* const known = before != nullptr ? before->balance.get() : nullptr;
  const Balance* const same = known != nullptr && known->slots <= balance.slots ? known : nullptr;
  CheckTables(balance.current, balance, services, same);
  CheckTables(balance.previous, balance, services, same);
}

}  // namespace qure
