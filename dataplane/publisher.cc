#include "dataplane/publisher.h"

#include <rte_rcu_qsbr.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "dataplane/pipeline/snapshot_check.h"

namespace qure {

Publisher::Publisher(unsigned max_readers) {
  const size_t size = rte_rcu_qsbr_get_memsize(max_readers);  // a multiple of the cache line
  qsbr_ = static_cast<rte_rcu_qsbr*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, size));
  if (qsbr_ == nullptr) throw std::bad_alloc();
  rte_rcu_qsbr_init(qsbr_, max_readers);
  // All are registered from the start: a registered reader that is offline is not waited for.
  for (unsigned id = 0; id < max_readers; ++id) rte_rcu_qsbr_thread_register(qsbr_, id);
}

Publisher::~Publisher() {
  std::free(qsbr_);
}

void Publisher::Publish(std::shared_ptr<const Snapshot> snapshot) {
  CheckSnapshot(*snapshot, owner_.get());
  current_.store(snapshot.get(), std::memory_order_release);
  std::shared_ptr<const Snapshot> old = std::exchange(owner_, std::move(snapshot));
  if (old != nullptr) retired_.push_back({rte_rcu_qsbr_start(qsbr_), std::move(old)});
  Reclaim();
}

void Publisher::Reclaim() {
  while (!retired_.empty() && rte_rcu_qsbr_check(qsbr_, retired_.front().token, /*wait=*/false) == 1) {
    retired_.pop_front();
  }
}

void Publisher::Online(unsigned id) {
  rte_rcu_qsbr_thread_online(qsbr_, id);
}
void Publisher::Offline(unsigned id) {
  rte_rcu_qsbr_thread_offline(qsbr_, id);
}
void Publisher::Quiescent(unsigned id) {
  rte_rcu_qsbr_quiescent(qsbr_, id);
}

}  // namespace qure
