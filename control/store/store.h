// What a node remembers across restarts: an SQLite database in the data directory, with a schema version.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/stored.h"
#include "control/store/sqlite.h"
#include "proto/net/address.h"

namespace qure {

// Not thread-safe: one thread at a time.
class Store {
 public:
  // Opens or creates DIRECTORY/qure.db (mode 0600, directory 0700), brings the schema up to date, draws a node id if
  // there is none, and counts this boot of `revision`. Durable when it returns. The file is this process's alone while
  // the store lives.
  //
  // A damaged file is moved aside (qure.db.damaged-N) and made anew, with state().lost. Where nothing can be written
  // (no space, read-only) but all can be read, the store serves from memory: alarm() says so, and Apply tries again.
  // Errors name the file and the remedy: FailedPrecondition (a newer schema, in use by another process), and
  // PermissionDenied, ResourceExhausted or Unavailable if there is no identity to serve with.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& directory, std::string_view revision);

  // The MAC of the LAN port. The first that an identity ever runs with is remembered; with another one
  // state().hardware_changed is set, on this boot and all that follow. A clone cannot outlive its mark that way, and
  // what else could have changed the port is not harmed by it.
  void SetHardware(const MacAddress& lan_mac);

  const StoredState& state() const { return state_; }  // as it was at the start
  const std::string& alarm() const { return alarm_; }  // why nothing could be written at the start; empty: it was

  // All of it, in this order, in one transaction; durable if it returns OK, nothing has changed otherwise.
  absl::Status Apply(std::span<const StoreChange> changes);
  // Draws another node id, for the boots that follow: this one is a copy of a node that lives.
  absl::Status TakeNewIdentity();

 private:
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
  std::optional<MacAddress> hardware_;
  uint64_t age_at_revision_ = 1;
  bool boot_saved_ = false;  // age, revision and hardware are in the file
  std::string alarm_;
};

}  // namespace qure
