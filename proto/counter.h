// Numbers that one thread writes and any other reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace qure {

// A counter with one writer: a plain add, but never torn for readers.
class Counter {
 public:
  void Add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// A value with one writer. A reader sees what its writer did before.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_release); }
  int64_t value() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<int64_t> value_ = 0;
};

}  // namespace qure
