// What a node remembers across restarts: an SQLite database in the data directory, with a schema version.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/identity.h"

struct sqlite3;

namespace qure {

class Store {
 public:
  // Opens or creates DIRECTORY/qure.db (mode 0600, directory 0700), brings the schema up to date, draws a node id if
  // there is none, and counts this boot. Durable when it returns. The file is this process's alone while the store
  // lives. Errors name the file and the remedy: PermissionDenied (not writable), DataLoss (damaged, not a database),
  // FailedPrecondition (a newer schema, in use by another process), ResourceExhausted (no space).
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& directory);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const NodeId& node_id() const { return node_id_; }
  uint64_t age() const { return age_; }  // boots of this node, this one included

 private:
  explicit Store(sqlite3* db) : db_(db) {}
  absl::Status Boot(const std::string& path);
  absl::Status ReadIdentity(const std::string& path);

  sqlite3* db_;
  NodeId node_id_{};
  uint64_t age_ = 0;
};

}  // namespace qure
