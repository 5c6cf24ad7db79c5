#include "dataplane/idle_sleep.h"

#include <rte_epoll.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <ctime>

#include "dataplane/dataplane.h"

namespace qure {
namespace {

// After so many rounds without a frame the worker sleeps after each round. All sleeps are far below a stall: half of
// the shortest lease is 5 ms.
constexpr uint32_t kBusyRounds = 256;
constexpr int64_t kShortestNapNs = 50'000;
constexpr int64_t kLongestNapNs = 1'000'000;
constexpr int kInterruptWaitMs = 2;  // the control ring raises no interrupt
constexpr int kLeaseWaitMs = 1;      // with a part in a lease

}  // namespace

IdleSleep::IdleSleep(const IdleOptions& options, Publisher* publisher, WorkerCounters* counters)
    : options_(options), publisher_(publisher), counters_(counters) {}

void IdleSleep::WatchInterrupts() {
  if (!options_.interrupts) return;
  for (const uint16_t port : {options_.lan_port, options_.host_port}) {
    rte_eth_dev_rx_intr_ctl_q(port, options_.queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, nullptr);
  }
}

void IdleSleep::Busy() {
  empty_rounds_ = 0;
  nap_ns_ = kShortestNapNs;
}

void IdleSleep::Idle(MonoTime deadline, bool leased) {
  if (++empty_rounds_ >= kBusyRounds) Sleep(deadline, leased);
}

// Until a frame arrives, or for a nap where a port cannot raise an interrupt; at most until the deadline.
void IdleSleep::Sleep(MonoTime deadline, bool leased) {
  const MonoTime start = Now();
  const Duration left = deadline - start;
  if (left <= Duration{}) return;  // the heartbeater waits for the queue to be found empty
  publisher_->Offline(options_.reader);
  const int wait_ms = leased ? kLeaseWaitMs : kInterruptWaitMs;
  if (options_.interrupts && left >= Milliseconds(wait_ms)) {
    AwaitInterrupt(wait_ms);
  } else {
    // The tap driver's signal ends the nap when the kernel has a frame.
    const timespec nap = {.tv_sec = 0, .tv_nsec = std::min(nap_ns_, left.ns)};
    nanosleep(&nap, nullptr);
    nap_ns_ = std::min(nap_ns_ + nap_ns_ / 8, kLongestNapNs);  // 50 µs to 1 ms within 9 ms
  }
  publisher_->Online(options_.reader);
  counters_->sleeps.Add(1);
  counters_->sleep_ns.Add(static_cast<uint64_t>((Now() - start).ns));
}

void IdleSleep::AwaitInterrupt(int wait_ms) {
  // A frame that came before its interrupt was enabled waits for the timeout, no longer. Some drivers have them always
  // enabled.
  rte_eth_dev_rx_intr_enable(options_.lan_port, options_.queue);
  rte_eth_dev_rx_intr_enable(options_.host_port, options_.queue);
  rte_epoll_event events[2];
  rte_epoll_wait(RTE_EPOLL_PER_THREAD, events, 2, wait_ms);
  rte_eth_dev_rx_intr_disable(options_.lan_port, options_.queue);
  rte_eth_dev_rx_intr_disable(options_.host_port, options_.queue);
}

}  // namespace qure
