#include "control/store/store_writer.h"

#include <sys/eventfd.h>

#include <iterator>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"

namespace qure {

StoreWriter::StoreWriter(Apply apply)
    : apply_(std::move(apply)), done_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { Run(); }) {}

StoreWriter::~StoreWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void StoreWriter::Write(uint64_t ticket, StoreChange change) {
  {
    const std::lock_guard lock(mutex_);
    tickets_.push_back(ticket);
    waiting_.push_back(std::move(change));
  }
  work_.notify_one();
}

std::vector<StoreWriter::Result> StoreWriter::TakeResults() {
  eventfd_t woken = 0;
  eventfd_read(done_fd_.get(), &woken);  // first: what comes in between makes it readable again
  const std::lock_guard lock(mutex_);
  return std::exchange(results_, {});
}

std::string StoreWriter::alarm() const {
  const std::lock_guard lock(mutex_);
  return alarm_;
}

void StoreWriter::Run() {
  std::vector<StoreChange> batch;  // what failed before, then what waited
  while (true) {
    std::vector<uint64_t> tickets;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      tickets = std::exchange(tickets_, {});
      std::move(waiting_.begin(), waiting_.end(), std::back_inserter(batch));
      waiting_.clear();
    }
    const absl::Status status = apply_(batch);
    if (status.ok()) batch.clear();
    Report(tickets, status);
  }
}

void StoreWriter::Report(const std::vector<uint64_t>& tickets, const absl::Status& status) {
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    for (const uint64_t ticket : tickets) results_.push_back({ticket, status.ok()});
    before = std::exchange(alarm_, std::string(status.message()));
  }
  eventfd_write(done_fd_.get(), 1);
  if (!status.ok() && before.empty()) {
    LogLine(LogLevel::kError, Concat("the store cannot be written, going on from memory: ", status.message()));
  }
  if (status.ok() && !before.empty()) LogLine(LogLevel::kInfo, "the store is written again");
}

}  // namespace qure
