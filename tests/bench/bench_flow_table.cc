// ns and cycles a lookup in the worker's flow table, beside DPDK's rte_hash with the same keys on the same kind of
// pages in the same run. The ratio is the figure: it carries over to other machines, the times do not.
#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "dataplane/pipeline/flow_table.h"
#include "tests/bench/bench_support.h"

namespace qure::testing {

namespace {

constexpr size_t kLookups = size_t{1} << 18;  // a pass
constexpr size_t kFlowCounts[] = {1, 10'000, 1'000'000, 10'000'000};
constexpr FlowTime kNow{1};
constexpr char kHeap[] = "bench";

struct Options {
  bool json = false;
  bool small_pages = false;
  bool jhash = false;
  size_t flows_max = 10'000'000;
  size_t rounds = 15;
};

using Keys = std::vector<FlowKey>;

Keys RandomKeys(size_t count, std::mt19937_64* random) {
  Keys keys(count);
  for (FlowKey& key : keys) {
    const auto bits = (*random)();
    const std::array<uint8_t, 4> host{static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8),
                                      static_cast<uint8_t>(bits >> 16), static_cast<uint8_t>(bits >> 24)};
    key = {MappedAddress(Ipv4Address{host}), Be16(static_cast<uint16_t>(bits >> 32)), Be16(uint16_t{443}), 1, 6};
  }
  return keys;
}

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, rte_strerror(rte_errno));
  std::exit(1);
}

class Ours {
 public:
  explicit Ours(const Keys& keys) : table_(keys.size(), 0x5eed) {
    for (const FlowKey& key : keys) {
      FlowEntry* entry = table_.Insert(key, table_.HashOf(key), kNow);
      if (entry != nullptr) entry->state = FlowState::kEstablished;
    }
  }
  size_t Lookup(const FlowKey* keys) {
    std::array<uint64_t, kBurst> hashes;
    for (size_t i = 0; i < kBurst; ++i) {
      hashes[i] = table_.HashOf(keys[i]);
      table_.PrefetchTags(hashes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) table_.PrefetchEntry(hashes[i]);
    size_t hits = 0;
    for (size_t i = 0; i < kBurst; ++i) {
      const FlowEntry* entry = table_.Find(keys[i], hashes[i], kNow);
      if (entry != nullptr) hits += entry->state == FlowState::kEstablished ? 1 : 0;
    }
    return hits;
  }
  size_t bytes() const { return table_.bytes(); }
  uint64_t refused() const { return table_.counts().refused; }

 private:
  FlowTable table_;
};

// The value a flow would need, its owner and state, fits the pointer that rte_hash keeps beside the key.
class Theirs {
 public:
  Theirs(const Keys& keys, bool jhash) {
    const size_t before = Allocated();
    rte_hash_parameters parameters{};
    parameters.name = "bench";
    parameters.entries = static_cast<uint32_t>(std::max<size_t>(keys.size() + keys.size() / 16, 8));
    parameters.key_len = sizeof(FlowKey);
    parameters.hash_func = jhash ? rte_jhash : rte_hash_crc;
    parameters.socket_id = rte_malloc_heap_get_socket(kHeap);
    hash_ = rte_hash_create(&parameters);
    if (hash_ == nullptr) Fail("rte_hash_create");
    bytes_ = Allocated() - before;
    for (const FlowKey& key : keys) {
      if (rte_hash_add_key_data(hash_, &key, &owner_) != 0) ++refused_;
    }
  }
  ~Theirs() { rte_hash_free(hash_); }
  Theirs(const Theirs&) = delete;
  Theirs& operator=(const Theirs&) = delete;

  size_t Lookup(const FlowKey* keys) {
    std::array<const void*, kBurst> pointers;
    std::array<void*, kBurst> data;
    uint64_t hit_mask = 0;
    for (size_t i = 0; i < kBurst; ++i) pointers[i] = &keys[i];
    rte_hash_lookup_bulk_data(hash_, pointers.data(), kBurst, &hit_mask, data.data());
    size_t hits = 0;
    for (size_t i = 0; i < kBurst; ++i) {
      if ((hit_mask >> i & 1) != 0) hits += data[i] == &owner_ ? 1 : 0;
    }
    return hits;
  }
  size_t bytes() const { return bytes_; }
  uint64_t refused() const { return refused_; }

 private:
  static size_t Allocated() {
    rte_malloc_socket_stats stats{};
    rte_malloc_get_socket_stats(rte_malloc_heap_get_socket(kHeap), &stats);
    return stats.heap_allocsz_bytes;
  }

  rte_hash* hash_ = nullptr;
  char owner_ = 0;
  size_t bytes_ = 0;
  uint64_t refused_ = 0;
};

// Cycles of a pass: the keys lie in order, as headers just read would, and their flows all over the table.
template <typename Table>
double Pass(Table* table, const Keys& lookups) {
  size_t hits = 0;
  const uint64_t start = rte_rdtsc_precise();
  for (size_t i = 0; i < kLookups; i += kBurst) hits += table->Lookup(&lookups[i]);
  const uint64_t cycles = rte_rdtsc_precise() - start;
  if (hits < kLookups * 999 / 1000) Fail("flows were not found");  // some may have been refused
  return static_cast<double>(cycles) / kLookups;
}

// KiB of this process that lie in huge pages.
size_t HugeKib() {
  std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
  if (file == nullptr) return 0;
  char line[256];
  size_t kib = 0;
  while (std::fgets(line, sizeof(line), file) != nullptr) std::sscanf(line, "AnonHugePages: %zu", &kib);
  std::fclose(file);
  return kib;
}

nlohmann::json Measure(size_t flows, const Options& options) {
  std::mt19937_64 random(flows);
  const Keys keys = RandomKeys(flows, &random);
  Ours ours(keys);
  Theirs theirs(keys, options.jhash);
  Keys lookups(kLookups);
  const auto [cycles, hash_cycles] = MedianCycles(
      options.rounds,
      [&] {
        for (FlowKey& key : lookups) key = keys[random() % flows];
        return Pass(&ours, lookups);
      },
      [&] { return Pass(&theirs, lookups); });
  return {{"flows", flows},
          {"huge_mib", HugeKib() / 1024},
          {"ns", cycles * NsPerCycle()},
          {"cycles", cycles},
          {"bytes_per_flow", static_cast<double>(ours.bytes()) / static_cast<double>(flows)},
          {"refused", ours.refused()},
          {"rte_hash_ns", hash_cycles * NsPerCycle()},
          {"rte_hash_cycles", hash_cycles},
          {"rte_hash_bytes_per_flow", static_cast<double>(theirs.bytes()) / static_cast<double>(flows)},
          {"rte_hash_refused", theirs.refused()},
          {"ratio", cycles / hash_cycles}};
}

// rte_hash gets a heap of its own, of memory as the flow table maps it: DPDK's own without huge pages is 4 KiB only.
bool AddHeap(size_t flows) {
  constexpr size_t kPage = size_t{2} << 20;
  const size_t length = (flows * 160 / kPage + 16) * kPage;
  void* memory =
      mmap(nullptr, length + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  madvise(memory, length + kPage, MADV_HUGEPAGE);
  void* aligned = static_cast<char*>(memory) + (-reinterpret_cast<uintptr_t>(memory) & (kPage - 1));
  return rte_malloc_heap_create(kHeap) == 0 &&
         rte_malloc_heap_memory_add(kHeap, aligned, length, nullptr, static_cast<unsigned>(length / kPage), kPage) == 0;
}

Options ParseOptions(int argc, char** argv) {
  Options parsed;
  const option options[] = {{"json", no_argument, nullptr, 'j'},
                            {"flows-max", required_argument, nullptr, 'f'},
                            {"rounds", required_argument, nullptr, 'r'},
                            {"small-pages", no_argument, nullptr, 's'},
                            {"jhash", no_argument, nullptr, 'a'},
                            {"help", no_argument, nullptr, 'h'},
                            {}};
  for (int c = 0; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (c == 'j') {
      parsed.json = true;
    } else if (c == 'f') {
      parsed.flows_max = std::max<size_t>(1, std::strtoul(optarg, nullptr, 10));
    } else if (c == 'r') {
      parsed.rounds = std::max<size_t>(1, std::strtoul(optarg, nullptr, 10));
    } else if (c == 's') {
      parsed.small_pages = true;
    } else if (c == 'a') {
      parsed.jhash = true;
    } else {
      std::printf(
          "usage: bench_flow_table [--json] [--flows-max N] [--rounds N] [--small-pages] [--jhash]\n"
          "ns and cycles a lookup in the flow table, beside rte_hash (CRC32 unless --jhash), in bursts of %zu.\n",
          kBurst);
      std::exit(c == 'h' ? 0 : 2);
    }
  }
  return parsed;
}

int Main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  if (options.small_pages) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (!StartEnvironment(argv[0]) || !AddHeap(options.flows_max)) Fail("DPDK does not start");
  const char* pages = options.small_pages ? "4 KiB pages for both" : "transparent 2 MiB pages for both";
  nlohmann::json rows = nlohmann::json::array();
  if (!options.json) {
    std::printf("%s\n%-9s %8s %8s %8s %12s %12s %12s %6s %9s\n", pages, "flows", "ns", "cycles", "bytes", "rte_hash ns",
                "cycles", "bytes", "ratio", "huge MiB");
  }
  for (const size_t flows : kFlowCounts) {
    if (flows > options.flows_max) continue;
    nlohmann::json row = Measure(flows, options);
    rows.push_back(row);
    if (options.json) continue;
    std::printf("%-9zu %8.1f %8.1f %8.1f %12.1f %12.1f %12.1f %6.2f %9zu\n", flows, row["ns"].get<double>(),
                row["cycles"].get<double>(), row["bytes_per_flow"].get<double>(), row["rte_hash_ns"].get<double>(),
                row["rte_hash_cycles"].get<double>(), row["rte_hash_bytes_per_flow"].get<double>(),
                row["ratio"].get<double>(), row["huge_mib"].get<size_t>());
  }
  if (options.json) std::printf("%s\n", nlohmann::json{{"pages", pages}, {"rows", rows}}.dump(2).c_str());
  rte_eal_cleanup();
  return 0;
}

}  // namespace

}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}
