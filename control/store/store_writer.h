// Writes to the store in a thread of its own: a disk that takes seconds must not block the control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "control/base/mailbox.h"
#include "control/core/stored.h"
#include "proto/time.h"

namespace qure {

// Changes that wait are written together, in one transaction, in the order of the calls. Changes that could not be
// written are kept, and written with the next ones or when a while has passed. Write and TakeResults are for one
// thread.
class StoreWriter {
 public:
  // Makes all of it durable, or nothing: Store::Apply. Called by the writer's thread only.
  using Apply = std::function<absl::Status(std::span<const StoreChange> changes)>;
  struct Result {
    uint64_t ticket = 0;  // kRecovered: all that failed before is durable now
    bool ok = false;
    friend bool operator==(const Result&, const Result&) = default;
  };

  static constexpr uint64_t kRecovered = 0;
  static constexpr Duration kRetry = Seconds(2);

  // `alarm`: why the store could not be written until now; empty: it could. `retry`: between two attempts to write what
  // has failed.
  explicit StoreWriter(Apply apply, std::string alarm = "", Duration retry = kRetry);
  ~StoreWriter();  // writes the changes that wait
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  // Tickets may come in any order, but each only once until its result is taken. They are not kRecovered.
  void Write(uint64_t ticket, StoreChange change);
  // Readable when results wait.
  int fd() const { return results_.fd(); }
  // One for each ticket, in the order of the calls of Write; and one with kRecovered when an alarm has ended.
  std::vector<Result> TakeResults();
  // The error of the last attempt; empty if it succeeded. Any thread.
  std::string alarm() const;

 private:
  struct Request {
    uint64_t ticket = 0;
    StoreChange change;
  };

  void Run();
  void Report(const std::vector<uint64_t>& tickets, const absl::Status& status);

  const Apply apply_;
  const Duration retry_;
  std::deque<uint64_t> outstanding_;  // tickets whose results were not taken yet, in the order of Write
  Mailbox<Request> requests_;
  Mailbox<Result> results_;
  mutable std::mutex mutex_;
  std::string alarm_;  // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure
