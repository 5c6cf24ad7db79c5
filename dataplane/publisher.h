// Hands the newest snapshot to the workers and frees old ones when the last worker has let go (RCU, rte_rcu_qsbr).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include "proto/snapshot.h"

struct rte_rcu_qsbr;

namespace qure {

class Publisher {
 public:
  explicit Publisher(unsigned max_readers);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Control thread. A snapshot stays alive until every reader has been quiescent after its successor was published.
  void Publish(std::shared_ptr<const Snapshot> snapshot);
  void Reclaim();  // frees what no reader can hold any more; never waits
  size_t retired() const { return retired_.size(); }

  // Reader `id` in [0, max_readers), each in one thread. Offline readers hold nothing and are not waited for.
  void Online(unsigned id);
  void Offline(unsigned id);
  void Quiescent(unsigned id);
  // The newest snapshot, valid until this reader's next Quiescent or Offline. Null before the first Publish.
  const Snapshot* current() const { return current_.load(std::memory_order_acquire); }

 private:
  struct Retired {
    uint64_t token;
    std::shared_ptr<const Snapshot> snapshot;
  };

  rte_rcu_qsbr* qsbr_;
  std::atomic<const Snapshot*> current_ = nullptr;  // written by the control thread, read by the workers
  std::shared_ptr<const Snapshot> owner_;
  std::deque<Retired> retired_;
};

}  // namespace qure
