// Writes to the store in a thread of its own: a disk that takes seconds must not hold up the control thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "control/base/fd.h"
#include "control/core/stored.h"

namespace qure {

// What waits is written together, in one transaction, in the order of the calls. What could not be written is kept and
// written with the next.
class StoreWriter {
 public:
  // Makes all of it durable, or nothing: Store::Apply. Called by the writer's thread only.
  using Apply = std::function<absl::Status(std::span<const StoreChange> changes)>;
  struct Result {
    uint64_t ticket = 0;
    bool ok = false;
    friend bool operator==(const Result&, const Result&) = default;
  };

  explicit StoreWriter(Apply apply);
  ~StoreWriter();  // writes what waits
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  void Write(uint64_t ticket, StoreChange change);
  // Readable when results wait.
  int fd() const { return done_fd_.get(); }
  // One for each ticket, in their order.
  std::vector<Result> TakeResults();
  // What the last attempt said if it failed; empty otherwise. Any thread.
  std::string alarm() const;

 private:
  void Run();
  void Report(const std::vector<uint64_t>& tickets, const absl::Status& status);

  const Apply apply_;
  const Fd done_fd_;  // eventfd
  mutable std::mutex mutex_;
  std::condition_variable work_;
  // Guarded by mutex_.
  std::vector<uint64_t> tickets_;  // of waiting_
  std::vector<StoreChange> waiting_;
  std::vector<Result> results_;
  std::string alarm_;
  bool ending_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure
