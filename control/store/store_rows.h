// The tables of the store: the schema, and conversion between rows and plain values.
#pragma once

#include <optional>
#include <span>

#include "absl/status/status.h"
#include "control/core/admission/signing.h"
#include "control/core/stored.h"
#include "control/store/sqlite.h"
#include "proto/net/address.h"

namespace qure {

// The row with the identity of this node.
struct IdentityRow {
  NodeId node_id{};
  uint64_t age = 0;
  std::optional<MacAddress> lan_mac;
  std::string revision;
  uint64_t age_at_revision = 1;
  std::optional<admission::Seed> seed;         // of its signing key; absent: written before there were any
  std::optional<admission::CopyOf> copy_of{};  // StoredState::copy_of
};

inline constexpr uint64_t kSchemaVersion = 11;

// The caller runs each of these within a transaction.

// DataLoss, with the damage, if the file is damaged.
absl::Status CheckIntegrity(Database* db);
// Upgrades to the schema of this program, from any older one or from an empty file (`was_empty`). FailedPrecondition if
// the schema is newer.
absl::Status UpgradeSchema(Database* db, bool* was_empty);

// DataLoss if there is no such row or it is invalid.
absl::Status ReadIdentity(Database* db, IdentityRow* out);
absl::Status WriteIdentity(Database* db, const IdentityRow& row);
// Reads all but the identity.
absl::Status ReadState(Database* db, StoredState* out);
absl::Status WriteChange(Database* db, const StoreChange& change);
// Deletes all that this node has and knows of its cluster: keys, records, configuration, history, settings.
absl::Status ForgetCluster(Database* db);
// Deletes the session keys, if there are records of who belongs to the cluster: another identity does not.
absl::Status GiveUpKeys(Database* db);
// Deletes the events of a boot that was in fact another node's, or that has another age now.
absl::Status ForgetBoot(Database* db, const NodeId& node, uint64_t age);

}  // namespace qure
