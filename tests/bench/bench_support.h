// What the benches share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace qure::testing {

// DPDK in ordinary memory, on this core, without devices. False, with rte_errno, if it does not start.
bool StartEnvironment(char* program);

template <typename T>
double Median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

}  // namespace qure::testing
