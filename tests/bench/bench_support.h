// What the benches share: DPDK without devices, passes over a set of frames in bursts, and rounds in which the things
// to compare take turns.
#pragma once

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/mbuf_frame.h"
#include "dataplane/pipeline/frame.h"
#include "proto/bytes.h"

namespace qure::testing {

// DPDK in ordinary memory, on this core, without devices. False, with rte_errno, if it does not start.
bool StartEnvironment(char* program);
// The same, with a pool for BenchFrames. Null, with a message on standard error, if it does not start.
rte_mempool* StartBench(char* program);

template <typename T>
double Median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

// Runs each of `runs`, which return cycles, once to warm up and then `rounds` times, turn about, so that a noisy
// neighbour hits all of them. Returns the medians.
template <typename... Runs>
std::array<double, sizeof...(Runs)> MedianCycles(size_t rounds, Runs... runs) {
  std::array<std::vector<double>, sizeof...(Runs)> cycles;
  (static_cast<void>(runs()), ...);
  for (size_t round = 0; round < rounds; ++round) {
    size_t i = 0;
    (cycles[i++].push_back(static_cast<double>(runs())), ...);
  }
  std::array<double, sizeof...(Runs)> medians;
  std::ranges::transform(cycles, medians.begin(), [](const auto& values) { return Median(values); });
  return medians;
}

inline double NsPerCycle() {
  return 1e9 / static_cast<double>(rte_get_tsc_hz());
}

// The plain pass that others are compared with: it only touches the MAC addresses and swaps them.
inline void SwapMacs(Batch* batch) {
  for (size_t i = 0; i < batch->count; ++i) {
    uint8_t* const mac = batch->frames[i].data;
    std::swap_ranges(mac, mac + 6, mac + 6);
  }
}

// A set of frames in mbufs: together well beyond the first-level cache, so that a frame comes from the second level or
// further, as behind a NIC.
class BenchFrames {
 public:
  static constexpr size_t kFrames = 4096;

  // Ends the program if the pool has no room.
  explicit BenchFrames(rte_mempool* pool);
  ~BenchFrames() { rte_pktmbuf_free_bulk(mbufs_.data(), kFrames); }
  BenchFrames(const BenchFrames&) = delete;
  BenchFrames& operator=(const BenchFrames&) = delete;

  // One pass over all frames: `lay_down(index, mbuf)` makes each anew, then `work(batch)` has each burst, and
  // `seen(index, reason)` each frame afterwards. Returns the cycles of the work with what a worker does around it.
  template <typename LayDown, typename Work, typename Seen>
  uint64_t Pass(LayDown lay_down, Work work, Seen seen) {
    for (size_t i = 0; i < kFrames; ++i) lay_down(i, mbufs_[i]);
    uint64_t cycles = 0;
    for (size_t first = 0; first < kFrames; first += kBurst) {
      rte_mbuf** const mbufs = &mbufs_[first];
      const uint64_t start = rte_rdtsc_precise();
      batch_.count = kBurst;
      batch_.event_count = 0;
      for (size_t i = 0; i < kBurst; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));
      for (size_t i = 0; i < kBurst; ++i) batch_.frames[i] = FrameOf(mbufs[i]);
      work(&batch_);
      for (size_t i = 0; i < kBurst; ++i) WriteBack(batch_.frames[i], mbufs[i]);
      cycles += rte_rdtsc_precise() - start;
      for (size_t i = 0; i < kBurst; ++i) seen(first + i, batch_.reasons[i]);
    }
    return cycles;
  }
  template <typename LayDown, typename Work>
  uint64_t Pass(LayDown lay_down, Work work) {
    return Pass(lay_down, work, [](size_t, Reason) {});
  }

  // Makes `mbuf` hold a copy of `frame`, as fresh from a port. Returns its bytes.
  static uint8_t* Fill(rte_mbuf* mbuf, ConstBytes frame);

 private:
  std::vector<rte_mbuf*> mbufs_;
  Batch batch_;
};

}  // namespace qure::testing
