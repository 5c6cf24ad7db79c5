// The node's status: kept by the control thread, read by any thread.
#pragma once

#include <mutex>

#include "control/core/controller.h"
#include "control/operator/status.h"
#include "proto/cluster/node.h"

namespace qure {

class StatusBoard {
 public:
  // The control thread's own copy.
  NodeStatus& latest() { return latest_; }
  const NodeStatus& latest() const { return latest_; }

  // Takes over the controller's status, counts a new takeover, and publishes all of it. Publishes nothing while another
  // thread is reading, because the control thread must not wait: the next call publishes it.
  void Update(ControllerStatus status);
  // What was published last. Any thread.
  NodeStatus Published() const;

 private:
  NodeStatus latest_;
  Term counted_;  // of the newest mastership that latest_.takeovers includes
  mutable std::mutex mutex_;
  NodeStatus published_;  // guarded by mutex_
};

}  // namespace qure
