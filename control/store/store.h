// The state of a node that survives restarts: an SQLite database in the data directory, with a schema version.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/admission/signing.h"
#include "control/core/stored.h"
#include "control/store/sqlite.h"
#include "proto/net/address.h"

namespace qure {

struct IdentityRow;

// Not thread-safe: one thread at a time.
class Store {
 public:
  // Opens or creates DIRECTORY/qure.db (mode 0600, directory 0700), upgrades the schema, draws an identity if there is
  // none, and adds one to the boot count (the age) for this boot of `revision`. Durable when it returns. No other
  // process can open the file while the store exists.
  //
  // A damaged file is renamed (qure.db.damaged-N), a new one is created, and state().lost is set. If the file can be
  // read but not written (no space, read-only), the store works from memory: alarm() gives the reason, and Apply tries
  // again. Errors name the file and the remedy: FailedPrecondition (a newer schema, in use by another process), and
  // PermissionDenied, ResourceExhausted or Unavailable if there is no identity to work with.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& directory, std::string_view revision);

  // The MAC of the LAN port. The store keeps the first MAC that an identity runs with. With any other MAC,
  // state().hardware_changed is set on this boot and on all later ones, so that a clone never loses this mark. The mark
  // has no effect on a node whose port was only replaced.
  void SetHardware(const MacAddress& lan_mac);

  const StoredState& state() const { return state_; }  // as it was at the start
  // Why the file could not be written at the start; empty if it was.
  const std::string& alarm() const { return alarm_; }

  // Applies all changes, in this order, in one transaction. Durable if it returns OK; nothing has changed otherwise. An
  // age in a change is never below the age of this boot.
  absl::Status Apply(std::span<const StoreChange> changes);
  // Draws a new identity for later boots: this node is a copy of another active one. If there are records of who
  // belongs to the cluster, the session keys are given up: nobody has admitted the new identity.
  absl::Status TakeNewIdentity();
  // Likewise, of a node that has left its cluster: nothing of it is kept.
  absl::Status BeginAnew();

 private:
  template <typename Forget>
  absl::Status BecomeAnother(const IdentityRow& fresh, Forget forget);
  Store(const std::string& directory, std::string_view revision)
      : directory_(directory), path_(directory + "/qure.db"), revision_(revision) {}
  absl::Status Boot();
  absl::Status MoveAside(const absl::Status& why);
  absl::Status ServeFromMemory(const absl::Status& why);
  absl::Status Load(Database* db, bool created);
  absl::Status SaveBoot();

  const std::string directory_;
  const std::string path_;
  const std::string revision_;
  std::unique_ptr<Database> db_;  // null: could not be opened for writing yet
  StoredState state_;
  uint64_t age_ = 1;  // of this boot; StoreChange::age raises it above state_.age
  std::optional<MacAddress> hardware_;
  std::optional<admission::Seed> seed_;
  uint64_t age_at_revision_ = 1;
  bool boot_saved_ = false;  // age, revision and hardware are in the file
  std::string alarm_;
};

}  // namespace qure
