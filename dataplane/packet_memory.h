// How node.dpdk.memory_mib becomes packet buffers (mbufs).
#pragma once

#include <cstdint>

namespace qure {

// An mbuf with all that the pool keeps for it. dataplane.cc checks it against DPDK's own sizes.
inline constexpr uint64_t kMbufBytes = 2176 + 128 + 64;

// Three quarters of the memory are for mbufs; rings, drivers and DPDK itself use the rest. In 64 bits: from 5462 MiB on
// the bytes do not fit into 32.
constexpr unsigned MbufCount(unsigned memory_mib) {
  return static_cast<unsigned>(uint64_t{memory_mib} * 768 * 1024 / kMbufBytes);
}

}  // namespace qure
