#include "control/io/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "control/io/fd.h"
#include "control/io/ownership.h"
#include "control/io/text.h"

namespace qure {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 500;  // a predecessor may still be closing

// Version 1. One row: who this node is, and how often it has booted.
constexpr char kSchema[] =
    "CREATE TABLE identity ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  node_id BLOB NOT NULL CHECK (length(node_id) = 16),"
    "  age INTEGER NOT NULL CHECK (age >= 0)) STRICT;"
    "PRAGMA user_version = 1";

absl::Status ToStatus(sqlite3* db, const std::string& path) {
  const std::string what = Concat(path, ": ", sqlite3_errmsg(db));
  switch (sqlite3_errcode(db)) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
      return absl::DataLossError(Concat(
          what, "; the file is damaged or not ours: move it away and start again, the node then takes a new identity"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::FailedPreconditionError(Concat(
          what,
          "; another qured uses it: stop that one, or set node.data_directory to a directory of this node's own"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(Concat(what, "; free some space on its file system"));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return absl::PermissionDeniedError(Concat(what, "; make it and its directory writable for qured"));
    default:
      return absl::UnavailableError(what);
  }
}

absl::Status Execute(sqlite3* db, const std::string& path, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return ToStatus(db, path);
}

// A prepared statement with an owner. A failed preparation shows in its steps.
class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql) {
    sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  sqlite3_stmt* get() const { return statement_; }
  bool Row() { return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_ROW; }
  bool Done() { return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_DONE; }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

// With the mode of its owner only, before anything is in it: SQLite gives its journal the mode of the file.
absl::Status CreateFile(const std::string& path) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.valid() || errno == EEXIST) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, Concat(path, ": cannot be created; make its directory writable for qured"));
}

absl::Status CheckIntegrity(sqlite3* db, const std::string& path) {
  Statement check(db, "PRAGMA quick_check(1)");
  if (!check.Row()) return ToStatus(db, path);
  const auto* result = reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0));
  if (result != nullptr && std::strcmp(result, "ok") == 0) return absl::OkStatus();
  return absl::DataLossError(Concat(path, ": damaged (", result == nullptr ? "" : result,
                                    "); move it away and start again, the node then takes a new identity"));
}

// Within a transaction.
absl::Status UpgradeSchema(sqlite3* db, const std::string& path) {
  Statement query(db, "PRAGMA user_version");
  if (!query.Row()) return ToStatus(db, path);
  const int version = sqlite3_column_int(query.get(), 0);
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(Concat(path, ": has schema version ", version, ", this qured knows ",
                                                kSchemaVersion, "; it was written by a newer qured: run that one"));
  }
  return version == kSchemaVersion ? absl::OkStatus() : Execute(db, path, kSchema);
}

absl::Status DrawIdentity(sqlite3* db, const std::string& path) {
  NodeId id{};
  if (getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    return absl::ErrnoToStatus(errno, "no random numbers from the kernel");
  }
  Statement insert(db, "INSERT INTO identity VALUES (1, ?, 0) ON CONFLICT DO NOTHING");
  sqlite3_bind_blob(insert.get(), 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  return insert.Done() ? absl::OkStatus() : ToStatus(db, path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& directory) {
  const std::string path = directory + "/qure.db";
  if (absl::Status made = MakePrivateDirectory(directory); !made.ok()) return made;
  if (absl::Status created = CreateFile(path); !created.ok()) return created;
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<Store> store(new Store(db));
  if (opened != SQLITE_OK) return ToStatus(db, path);
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  if (absl::Status booted = store->Boot(path); !booted.ok()) return booted;
  return store;
}

absl::Status Store::Boot(const std::string& path) {
  // The exclusive lock is taken with the first access and held until the process ends, however it ends.
  absl::Status status =
      Execute(db_, path, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (status.ok()) status = Execute(db_, path, "BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  // Without effect after COMMIT.
  const auto roll_back = absl::MakeCleanup([this] { sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr); });
  status = CheckIntegrity(db_, path);
  if (status.ok()) status = UpgradeSchema(db_, path);
  if (status.ok()) status = DrawIdentity(db_, path);
  if (status.ok()) status = Execute(db_, path, "UPDATE identity SET age = age + 1");
  if (status.ok()) status = ReadIdentity(path);
  if (status.ok()) status = Execute(db_, path, "COMMIT");  // durable: WAL with synchronous = FULL syncs here
  return status;
}

absl::Status Store::ReadIdentity(const std::string& path) {
  Statement query(db_, "SELECT node_id, age FROM identity");
  if (!query.Row()) return ToStatus(db_, path);
  std::memcpy(node_id_.data(), sqlite3_column_blob(query.get(), 0), node_id_.size());  // the schema checks the length
  age_ = static_cast<uint64_t>(sqlite3_column_int64(query.get(), 1));
  return absl::OkStatus();
}

Store::~Store() {
  sqlite3_close(db_);
}

}  // namespace qure
