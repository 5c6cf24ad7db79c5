// The tables of the store: their schema, and rows from and to plain values.
#pragma once

#include <optional>
#include <span>

#include "absl/status/status.h"
#include "control/core/stored.h"
#include "control/store/sqlite.h"
#include "proto/net/address.h"

namespace qure {

// The row that says who this node is.
struct IdentityRow {
  NodeId node_id{};
  uint64_t age = 0;
  std::optional<MacAddress> lan_mac;
  std::string revision;
  uint64_t age_at_revision = 1;
};

// Each within a transaction of the caller's.

// DataLoss with what was found, if the file is damaged.
absl::Status CheckIntegrity(Database* db);
// To the schema of this program, from any older one or from nothing (`was_empty`). FailedPrecondition: a newer one.
absl::Status UpgradeSchema(Database* db, bool* was_empty);

// DataLoss if there is no such row or it cannot be right.
absl::Status ReadIdentity(Database* db, IdentityRow* out);
absl::Status WriteIdentity(Database* db, const IdentityRow& row);
// All but the identity.
absl::Status ReadState(Database* db, StoredState* out);
absl::Status WriteChange(Database* db, const StoreChange& change);
// The events of a boot that turned out to be another node's, or to have another age.
absl::Status ForgetBoot(Database* db, const NodeId& node, uint64_t age);

}  // namespace qure
