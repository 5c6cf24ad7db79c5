// Hears from the kernel that links, addresses, routes or rules have changed, whatever program did it.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "control/base/fd.h"

namespace qure {

class KernelWatch {
 public:
  static absl::StatusOr<std::unique_ptr<KernelWatch>> Open();

  // Readable when something has changed.
  int fd() const { return socket_.get(); }
  // Takes what the kernel has reported. What it is does not matter: the state itself is looked at.
  void Take();

 private:
  explicit KernelWatch(Fd socket) : socket_(std::move(socket)) {}

  const Fd socket_;
};

}  // namespace qure
