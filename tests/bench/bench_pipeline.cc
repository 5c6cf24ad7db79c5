// ns and cycles a packet through the production pipeline, beside a plain pass that only touches and swaps the MAC
// addresses of the same mbufs in the same run. The ratio is the figure: it carries over to other machines, the times do
// not.
#include <getopt.h>
#include <rte_eal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/pipeline/pipeline.h"
#include "proto/net/checksum.h"
#include "tests/bench/bench_support.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

struct BenchCase {
  const char* name;
  const char* row;  // of the packet tables
};
constexpr BenchCase kCases[] = {
    {"arp", "request for the service address"},
    {"nd", "solicitation"},
    {"echo", "ping"},
    {"echo6", "ping6"},
    {"dns", "A"},
    {"dns_nxdomain", "NXDOMAIN"},
    {"host", "TCP to a service"},
    {"host6", "TCP to a service over IPv6"},
    {"drop", "to somebody else's MAC"},
    // All beyond what their boot may send, as nearly all junk is.
    {"cluster_junk", "message of an unknown node"},
    {"cluster_routed", "message that passed a router"},
    {"cluster_spoofed", "message of a known boot from elsewhere"},
    {"cluster_forged", "message to the group"},
};
constexpr uint32_t kSources[] = {1, 10'000, 1'000'000};

Case FindCase(const std::string& row) {
  for (const Case& c : AllCases()) {
    if (c.name == row) return c;
  }
  std::fprintf(stderr, "no row \"%s\" in the packet tables\n", row.c_str());
  std::exit(1);
}

// Gives a frame its own remote address: the last four bytes of the source, with the checksums that cover it.
class SourcePatch {
 public:
  explicit SourcePatch(const Bytes& frame) {
    const bool v6 = frame[12] == 0x86;
    const bool arp = frame[13] == 0x06;
    source_ = arp ? 28 : v6 ? 34 : 26;
    if (arp) return;
    if (!v6) checksums_.push_back(24);
    const size_t transport = v6 ? 54 : 34;
    const uint8_t protocol = frame[v6 ? 20 : 23];
    if (protocol == 17) checksums_.push_back(transport + 6);
    if (protocol == 6) checksums_.push_back(transport + 16);
    if (protocol == 58) checksums_.push_back(transport + 2);
  }

  void Apply(uint32_t number, uint8_t* frame) const {
    std::array<uint8_t, 4> before;
    std::memcpy(before.data(), frame + source_, 4);
    const uint32_t value = 0x0b000000 + number;  // 11.0.0.0 onwards
    const std::array<uint8_t, 4> after = {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                                          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
    std::memcpy(frame + source_, after.data(), 4);
    for (size_t at : checksums_) {
      Be16 checksum;
      std::memcpy(&checksum, frame + at, 2);
      checksum = UpdateChecksum(checksum, before, after);
      std::memcpy(frame + at, &checksum, 2);
    }
  }

 private:
  size_t source_ = 0;
  std::vector<size_t> checksums_;
};

class Bench {
 public:
  Bench(rte_mempool* pool, const Case& c, uint32_t sources)
      : case_(c),
        patch_(c.in),
        sources_(sources),
        snapshot_(SiteOf(c)),
        forged_(c.reason == Reason::cluster_message),
        frames_(pool) {
    if (c.reason != Reason::cluster_stranger && c.reason != Reason::cluster_message) return;
    while (ProcessOne() == c.reason) continue;
    case_.reason = Reason::cluster_over_limit;
  }

  // Cycles of one pass over all frames, freshly laid down.
  uint64_t Plain() {
    return Pass(SwapMacs, [](size_t, Reason) {});
  }
  uint64_t Pipeline() {
    return Pass(
        [this](Batch* batch) {
          if (forged_) AllowProofs();
          ProcessLan(snapshot_, Memory(), batch);
        },
        [this](size_t, Reason reason) {
          if (reason == case_.reason) return;
          std::fprintf(stderr, "%s: %s\n", case_.name.c_str(), NameOf(reason).data());
          std::exit(1);
        });
  }

 private:
  template <typename Work, typename Seen>
  uint64_t Pass(Work work, Seen seen) {
    return frames_.Pass([this](size_t, rte_mbuf* mbuf) { LayDown(mbuf); }, work, seen);
  }

  static Snapshot SiteOf(const Case& c) {
    Snapshot snapshot = SiteSnapshot();
    if (c.site) c.site(&snapshot);
    snapshot.IndexMacs();
    return snapshot;
  }
  Reason ProcessOne() { return Process(snapshot_, Memory(), Direction::kFromLan, case_.in).reason; }
  WorkerMemory Memory() { return {.flows = {}, .dns = {}, .cluster = &admission_, .now = {}}; }

  // As much time passes as the proofs of a burst need: each forgery is found out by its tag. What the known boot may
  // send meanwhile is used up again.
  void AllowProofs() {
    now_ = now_ + Seconds(kBurst) / ClusterAdmission::kProofRate;
    admission_.Begin(now_);
    for (const ClusterPeer& peer : *snapshot_.cluster_peers) {
      while (admission_.TakeKnown(peer.boot)) continue;
    }
  }

  void LayDown(rte_mbuf* mbuf) {
    uint8_t* const data = BenchFrames::Fill(mbuf, case_.in);
    if (sources_ > 1) patch_.Apply(next_++ % sources_, data);
  }

  Case case_;
  const SourcePatch patch_;
  const uint32_t sources_;
  const Snapshot snapshot_;
  const bool forged_;
  ClusterAdmission admission_;
  MonoTime now_;
  uint32_t next_ = 0;
  BenchFrames frames_;
};

nlohmann::json Measure(rte_mempool* pool, const BenchCase& bench_case, uint32_t sources, size_t rounds) {
  Bench bench(pool, FindCase(bench_case.row), sources);
  const auto [plain, pipeline] = MedianCycles(
      rounds, [&] { return bench.Plain(); }, [&] { return bench.Pipeline(); });
  const double cycles = pipeline / BenchFrames::kFrames;
  const double plain_cycles = plain / BenchFrames::kFrames;
  return {{"case", bench_case.name},
          {"sources", sources},
          {"ns", cycles * NsPerCycle()},
          {"cycles", cycles},
          {"plain_ns", plain_cycles * NsPerCycle()},
          {"ratio", cycles / plain_cycles}};
}

int Main(int argc, char** argv) {
  bool json = false;
  size_t rounds = 50;
  std::string only;  // a case
  const option options[] = {{"json", no_argument, nullptr, 'j'},
                            {"case", required_argument, nullptr, 'c'},
                            {"rounds", required_argument, nullptr, 'r'},
                            {"help", no_argument, nullptr, 'h'},
                            {}};
  for (int c = 0; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (c == 'j') {
      json = true;
    } else if (c == 'r') {
      rounds = std::max<size_t>(1, std::strtoul(optarg, nullptr, 10));
    } else if (c == 'c') {
      only = optarg;
    } else {
      std::printf(
          "usage: bench_pipeline [--json] [--rounds N] [--case NAME]\nns and cycles a packet through the pipeline, "
          "beside a plain pass.\n");
      return c == 'h' ? 0 : 2;
    }
  }
  rte_mempool* const pool = StartBench(argv[0]);
  if (pool == nullptr) return 1;
  nlohmann::json rows = nlohmann::json::array();
  if (!json) std::printf("%-14s %9s %8s %8s %9s %6s\n", "case", "sources", "ns", "cycles", "plain ns", "ratio");
  for (const BenchCase& bench_case : kCases) {
    if (!only.empty() && only != bench_case.name) continue;
    for (uint32_t sources : kSources) {
      const nlohmann::json row = Measure(pool, bench_case, sources, rounds);
      rows.push_back(row);
      if (json) continue;
      std::printf("%-14s %9u %8.1f %8.1f %9.1f %6.2f\n", bench_case.name, sources, row["ns"].get<double>(),
                  row["cycles"].get<double>(), row["plain_ns"].get<double>(), row["ratio"].get<double>());
    }
  }
  if (json) std::printf("%s\n", nlohmann::json{{"rows", rows}}.dump(2).c_str());
  rte_mempool_free(pool);
  rte_eal_cleanup();
  return 0;
}

}  // namespace

}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}
