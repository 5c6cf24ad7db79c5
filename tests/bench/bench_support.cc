#include "tests/bench/bench_support.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace qure::testing {

bool StartEnvironment(char* program) {
  const std::string prefix = "qure-bench-" + std::to_string(getpid());
  std::vector<std::string> words = {program,       "--no-huge",     "-m",   "64",       "--no-pci", "--no-telemetry",
                                    "--no-shconf", "--file-prefix", prefix, "--lcores", "0@(0)",    "--log-level",
                                    "error"};
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

rte_mempool* StartBench(char* program) {
  rte_mempool* pool = nullptr;
  if (StartEnvironment(program)) {
    pool = rte_pktmbuf_pool_create("bench", BenchFrames::kFrames + kBurst, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
  }
  if (pool == nullptr) std::fprintf(stderr, "DPDK does not start: %s\n", rte_strerror(rte_errno));
  return pool;
}

BenchFrames::BenchFrames(rte_mempool* pool) : mbufs_(kFrames) {
  if (rte_pktmbuf_alloc_bulk(pool, mbufs_.data(), kFrames) == 0) return;
  std::fprintf(stderr, "no mbufs\n");
  std::exit(1);
}

uint8_t* BenchFrames::Fill(rte_mbuf* mbuf, ConstBytes frame) {
  rte_pktmbuf_reset(mbuf);
  auto* const data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  std::memcpy(data, frame.data(), frame.size());
  mbuf->data_len = static_cast<uint16_t>(frame.size());
  mbuf->pkt_len = mbuf->data_len;
  return data;
}

}  // namespace qure::testing
