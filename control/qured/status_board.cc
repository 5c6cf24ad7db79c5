#include "control/qured/status_board.h"

#include <utility>

namespace qure {

void StatusBoard::Update(ControllerStatus status) {
  latest_.controller = std::move(status);
  if (const auto& last = latest_.controller.last_takeover; last && last->term != counted_) {
    if (last->cause != Cause::kFirst) latest_.takeovers.Add(last->took);  // a first master takes nothing over
    counted_ = last->term;
  }
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) published_ = latest_;
}

NodeStatus StatusBoard::Published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

}  // namespace qure
