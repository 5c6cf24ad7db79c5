#include "control/store/sqlite.h"

#include <sqlite3.h>

#include <cstring>

#include "control/base/text.h"

namespace qure {
namespace {

constexpr int kBusyTimeoutMs = 500;  // the process before this one may still be closing the file

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, db));
  if (opened != SQLITE_OK) return database->Error();
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  // The exclusive lock is taken with the first access and held until the file is closed. Of a key that is deleted
  // nothing stays on the disk.
  const absl::Status status = database->Execute(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
      "PRAGMA secure_delete = ON");
  if (!status.ok()) return status;
  return database;
}

Database::~Database() {
  sqlite3_close(db_);
}

absl::Status Database::Error() const {
  const std::string what = Concat(path_, ": ", sqlite3_errmsg(db_));
  switch (sqlite3_errcode(db_)) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
      return absl::DataLossError(Concat(what, "; the file is damaged or of another program"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::FailedPreconditionError(
          Concat(what, "; another qured uses it: stop that one, or set node.data_directory to a directory of its own"));
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

absl::Status Database::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return Error();
}

void Database::RollBack() {
  // A failed COMMIT may have ended the transaction already.
  if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Statement::Statement(Database* database, std::string_view sql) : database_(database) {
  const int prepared =
      sqlite3_prepare_v2(database->db_, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
  failed_ = prepared != SQLITE_OK;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::Bind(uint64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(value));
  return *this;
}

Statement& Statement::Bind(std::span<const uint8_t> bytes) {
  sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::Bind(std::string_view text) {
  sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

bool Statement::Row() {
  if (failed_) return false;
  const int result = sqlite3_step(statement_);
  failed_ = result != SQLITE_ROW && result != SQLITE_DONE;
  return result == SQLITE_ROW;
}

absl::Status Statement::Run() {
  if (!failed_) failed_ = sqlite3_step(statement_) != SQLITE_DONE;
  if (failed_) return database_->Error();
  sqlite3_reset(statement_);
  bound_ = 0;
  return absl::OkStatus();
}

uint64_t Statement::Number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return "";
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::Bytes(int column, std::span<uint8_t> out) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr || static_cast<size_t>(sqlite3_column_bytes(statement_, column)) != out.size()) return false;
  std::memcpy(out.data(), bytes, out.size());
  return true;
}

std::vector<uint8_t> Statement::Blob(int column) const {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, bytes + sqlite3_column_bytes(statement_, column)};
}

}  // namespace qure
