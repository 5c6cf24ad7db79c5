// The part of SQLite that the store needs, with owned handles and absl::Status.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace qure {

class Database {
 public:
  // Opens an existing file. From the first access until the database is closed, or the process ends in any way, no
  // other process can use it. Every transaction is durable when its COMMIT returns (write-ahead log, synchronous =
  // FULL).
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  absl::Status Execute(const char* sql);
  // Runs `body` within a transaction: commits if `body` returns OK, rolls back otherwise.
  template <typename Body>
  absl::Status Transaction(Body body) {
    absl::Status status = Execute("BEGIN IMMEDIATE");
    if (!status.ok()) return status;
    status = body();
    if (status.ok()) status = Execute("COMMIT");
    if (!status.ok()) RollBack();
    return status;
  }
  // The last error, with the file and the remedy: DataLoss (damaged, not a database), FailedPrecondition (in use
  // by another process), ResourceExhausted (no space), PermissionDenied (not writable), Unavailable (anything else).
  absl::Status Error() const;

 private:
  friend class Statement;
  Database(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  void RollBack();

  const std::string path_;
  sqlite3* const db_;
};

// A prepared statement. If the preparation failed, every step fails.
class Statement {
 public:
  Statement(Database* database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds the next parameter. Numbers are stored as their 64 bits; bytes and text must outlive the step.
  Statement& Bind(uint64_t value);
  Statement& Bind(std::span<const uint8_t> bytes);
  Statement& Bind(std::string_view text);
  // Steps to the next row. False at the end and after an error; `failed` tells which.
  bool Row();
  bool failed() const { return failed_; }
  // Runs a statement that returns no rows, and makes it ready for the next parameters.
  absl::Status Run();

  uint64_t Number(int column) const;
  std::string Text(int column) const;
  // False, with `out` unchanged, if the column has another number of bytes.
  bool Bytes(int column, std::span<uint8_t> out) const;
  // A blob of any length; empty if it is none.
  std::vector<uint8_t> Blob(int column) const;

 private:
  Database* const database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  bool failed_ = false;
};

}  // namespace qure
