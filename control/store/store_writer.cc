#include "control/store/store_writer.h"

#include <algorithm>
#include <utility>

#include "control/base/log.h"
#include "proto/check.h"

namespace qure {

StoreWriter::StoreWriter(Apply apply, std::string alarm, Duration retry)
    : apply_(std::move(apply)), retry_(retry), alarm_(std::move(alarm)), thread_([this] { Run(); }) {}

StoreWriter::~StoreWriter() {
  requests_.Close();
  thread_.join();
}

void StoreWriter::Write(uint64_t ticket, StoreChange change) {
  QURE_CHECK(ticket != kRecovered && std::ranges::find(outstanding_, ticket) == outstanding_.end(), ticket);
  outstanding_.push_back(ticket);
  requests_.Put({.ticket = ticket, .change = std::move(change)});
}

std::vector<StoreWriter::Result> StoreWriter::TakeResults() {
  std::vector<Result> results = results_.Take();
  for (const Result& result : results) {
    if (result.ticket == kRecovered) continue;
    QURE_CHECK(!outstanding_.empty() && result.ticket == outstanding_.front(), result.ticket, outstanding_.size());
    outstanding_.pop_front();
  }
  return results;
}

std::string StoreWriter::alarm() const {
  const std::lock_guard lock(mutex_);
  return alarm_;
}

// A disk that was full is tried again even if there is nothing new to write: otherwise the alarm would stay, and what
// is kept would be lost at the next stop.
void StoreWriter::Run() {
  const auto pause = static_cast<int>(retry_.ns / Milliseconds(1).ns);
  std::vector<StoreChange> batch;  // changes that failed before, then new ones
  bool failed = !alarm().empty();
  while (true) {
    std::vector<Request> requests = failed ? requests_.AwaitFor(pause) : requests_.Await();
    const bool last = requests.empty() && requests_.closed();
    if (last && !failed) return;
    std::vector<uint64_t> tickets;
    for (Request& request : requests) {
      tickets.push_back(request.ticket);
      batch.push_back(std::move(request.change));
    }
    const absl::Status status = apply_(batch);
    if (status.ok()) batch.clear();
    failed = !status.ok();
    Report(tickets, status);
    if (last) return;
  }
}

void StoreWriter::Report(const std::vector<uint64_t>& tickets, const absl::Status& status) {
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(alarm_, std::string(status.message()));
  }
  for (const uint64_t ticket : tickets) results_.Put({.ticket = ticket, .ok = status.ok()});
  if (!status.ok() && before.empty()) {
    LogLine(LogLevel::kError, "the store cannot be written, going on from memory: ", status.message());
  }
  if (status.ok() && !before.empty()) {
    results_.Put({.ticket = kRecovered, .ok = true});
    LogLine(LogLevel::kInfo, "the store is written again");
  }
}

}  // namespace qure
