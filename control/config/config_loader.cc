#include "control/config/config_loader.h"

#include <sys/eventfd.h>

#include <utility>

#include "control/config/config_file.h"

namespace qure {

ConfigLoader::ConfigLoader(std::string path)
    : path_(std::move(path)), done_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { Run(); }) {}

ConfigLoader::~ConfigLoader() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void ConfigLoader::Load(uint64_t ticket) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(ticket);
  }
  work_.notify_one();
}

std::vector<ConfigLoader::Result> ConfigLoader::TakeResults() {
  eventfd_t woken = 0;
  eventfd_read(done_fd_.get(), &woken);  // first: what comes in between makes it readable again
  const std::lock_guard lock(mutex_);
  return std::exchange(results_, {});
}

void ConfigLoader::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    Result result{.tickets = std::exchange(waiting_, {}), .config = absl::UnknownError("not read")};
    lock.unlock();
    result.config = LoadConfig(path_);
    lock.lock();
    results_.push_back(std::move(result));
    eventfd_write(done_fd_.get(), 1);
  }
}

}  // namespace qure
