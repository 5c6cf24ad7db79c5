// What one thread hands to another: a queue with a file descriptor to wait for.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "control/base/fd.h"
#include "proto/check.h"

namespace qure {

// Any number of threads may put; one thread takes. Items come in the order in which they were put, each exactly once.
template <typename T>
class Mailbox {
 public:
  Mailbox() : ready_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { QURE_CHECK(ready_.valid(), errno); }

  // Readable while items wait that no Take has returned, and after Close.
  int fd() const { return ready_.get(); }

  void Put(T item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
    }
    eventfd_write(ready_.get(), 1);
  }

  // All items that wait. Never blocks.
  std::vector<T> Take() {
    eventfd_t count = 0;
    eventfd_read(ready_.get(), &count);  // before the items: a Put in between makes the descriptor readable again
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }

  // Blocks until items wait, and takes them. After Close it returns what is left, then nothing.
  std::vector<T> Await() {
    while (!closed()) {
      if (std::vector<T> items = AwaitFor(kForEver); !items.empty()) return items;
    }
    return Take();
  }

  // The same, for `milliseconds` at most: then it returns nothing, and sometimes before.
  std::vector<T> AwaitFor(int milliseconds) {
    pollfd ready{ready_.get(), POLLIN, 0};
    if (poll(&ready, 1, milliseconds) < 0) QURE_CHECK(errno == EINTR, errno);
    return Take();
  }

  // Ends every Await. Items put before are still taken; none may be put after.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    eventfd_write(ready_.get(), 1);
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  static constexpr int kForEver = -1;

  const Fd ready_;  // an eventfd
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<T> items_;
  bool closed_ = false;
};

}  // namespace qure
