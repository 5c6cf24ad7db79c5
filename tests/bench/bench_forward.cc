// ns and cycles a packet of balanced flows through the production pipeline, beside a plain pass that only swaps the MAC
// addresses of the same mbufs in the same run; what the Maglev lookup tables cost, and how evenly they share. The
// ratios are the figures: they carry over to other machines, the times do not.
#include <getopt.h>
#include <rte_cycles.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "control/core/balance/maglev.h"
#include "dataplane/pipeline/pipeline.h"
#include "tests/bench/bench_support.h"
#include "tests/support/harness.h"

namespace qure::testing {

namespace {

constexpr size_t kFrames = BenchFrames::kFrames;
constexpr FlowTime kNow{1};
constexpr uint8_t kSyn = 2;
constexpr uint8_t kAck = 16;
constexpr BalanceSeed kSeed = {7};

struct Case {
  bool hit = true;
  int family = 4;
  size_t flows = 1;
  uint32_t nodes = 8;
  bool zipf = false;
};

NodeId IdOf(uint32_t number) {
  NodeId id{};
  std::mt19937 random(number);
  for (uint8_t& byte : id) byte = static_cast<uint8_t>(random());
  return id;
}

std::vector<WeightedNode> Nodes(uint32_t count) {
  std::vector<WeightedNode> nodes;
  for (uint32_t i = 0; i < count; ++i) nodes.push_back({.node = IdOf(i), .weight = 1});
  return nodes;
}

Snapshot SiteOf(uint32_t nodes) {
  Snapshot snapshot = SiteSnapshot();
  auto balance = std::make_shared<Balance>();
  balance->epoch = 1;
  balance->seed = kSeed;
  balance->slots = nodes;
  for (uint32_t i = 0; i < nodes; ++i) {
    const auto last = static_cast<uint8_t>(i);
    balance->nodes[i] = {.present = true, .hop0 = {{2, 9, 9, 9, last, 0}}, .hop1 = {{2, 9, 9, 9, last, 1}}};
  }
  const std::vector<uint8_t> rows = BuildMaglev(kSeed, Nodes(nodes));
  balance->current.services = {std::make_shared<const LookupTable>(rows.begin(), rows.end())};
  balance->previous.services = {nullptr};
  snapshot.balance = std::move(balance);
  return snapshot;
}

// The remote socket of flow `number`: all over the addresses, so that neighbours are not neighbours in the table.
FlowKey KeyOf(int family, uint64_t number) {
  const uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15;
  FlowKey key;
  const std::array<uint8_t, 4> host = {static_cast<uint8_t>(11 + (mixed >> 61)), static_cast<uint8_t>(mixed >> 48),
                                       static_cast<uint8_t>(mixed >> 40), static_cast<uint8_t>(mixed >> 32)};
  key.remote = family == 4 ? MappedAddress(Ipv4Address{host}) : kClient6.bytes;
  if (family == 6) std::memcpy(&key.remote[8], &number, sizeof(number));
  key.remote_port = Be16(static_cast<uint16_t>(1024 + (mixed >> 16) % 60000));
  key.local_port = Be16(80);
  key.local_address = family == 4 ? 1 : 3;
  key.protocol = kProtocolTcp;
  return key;
}

// Draws flows: evenly, or by Zipf's law with exponent 1, by the inverse of its continuous form.
class Draw {
 public:
  Draw(size_t flows, bool zipf) : flows_(flows), zipf_(zipf) {}
  uint64_t Next() {
    const double u = std::uniform_real_distribution<double>(0, 1)(random_);
    const auto flows = static_cast<double>(flows_);
    const double drawn = zipf_ ? std::exp(u * std::log(flows + 1)) - 1 : u * flows;
    return std::min(static_cast<uint64_t>(drawn), static_cast<uint64_t>(flows_ - 1));
  }

 private:
  size_t flows_;
  bool zipf_;
  std::mt19937_64 random_{3};
};

class Bench {
 public:
  Bench(rte_mempool* pool, const Case& c, FlowTable* table)
      : case_(c), snapshot_(SiteOf(c.nodes)), table_(table), draw_(c.flows, c.zipf), frames_(pool) {
    const uint8_t flags = c.hit ? kAck : kSyn;
    frame_ = c.family == 4
                 ? Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                               Tcp(kClient4, kService4, 40000, 80, flags, {})))
                 : Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
                         Build(Ip6Header{kClient6, kService6, 6}, Tcp(kClient6, kService6, 40000, 80, flags, {})));
  }

  uint64_t Plain() {
    return Pass(SwapMacs, [](size_t, Reason) {});
  }
  uint64_t Pipeline() {
    return Pass([this](Batch* batch) { ProcessLan(snapshot_, {.flows = {.table = table_}, .now = kNow}, batch); },
                [this](size_t, Reason reason) { Check(reason); });
  }

 private:
  template <typename Work, typename Seen>
  uint64_t Pass(Work work, Seen seen) {
    return frames_.Pass([this](size_t, rte_mbuf* mbuf) { LayDown(mbuf); }, work, seen);
  }

  // A flow in ten thousand may have found no room. Otherwise the figures would be of something else than they say.
  void Check(Reason reason) {
    const bool known = reason == Reason::forward_flow || reason == Reason::host_service;
    const bool anew = reason == Reason::forward_new || reason == Reason::host_service;
    ++packets_;
    if (case_.hit ? known : anew) return;
    if (++others_ <= 32 + packets_ / 1000) return;
    std::fprintf(stderr, "%s instead of a %s\n", NameOf(reason).data(), case_.hit ? "hit" : "new flow");
    std::exit(1);
  }

  // New flows count on from pass to pass: none comes twice. The port has verified the checksum, as a NIC does.
  void LayDown(rte_mbuf* mbuf) {
    uint8_t* const data = BenchFrames::Fill(mbuf, frame_);
    mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    const FlowKey key = KeyOf(case_.family, case_.hit ? draw_.Next() : next_new_++);
    if (case_.family == 4) {
      std::memcpy(data + 26, &key.remote[12], 4);
      std::memcpy(data + 34, &key.remote_port, 2);
    } else {
      std::memcpy(data + 22, key.remote.data(), 16);
      std::memcpy(data + 54, &key.remote_port, 2);
    }
  }

  const Case case_;
  const Snapshot snapshot_;
  FlowTable* const table_;
  Draw draw_;
  Bytes frame_;
  uint64_t next_new_ = 100'000'000;
  uint64_t packets_ = 0;
  uint64_t others_ = 0;
  BenchFrames frames_;
};

// Established flows, each with the owner that the Maglev lookup table names.
void Fill(const Case& c, FlowTable* table) {
  const Snapshot snapshot = SiteOf(c.nodes);
  const LookupTable& rows = *snapshot.balance->current.services[0];
  for (size_t i = 0; i < c.flows; ++i) {
    const FlowKey key = KeyOf(c.family, i);
    FlowEntry* const entry = table->Insert(key, table->HashOf(key), kNow);
    if (entry == nullptr) continue;
    entry->owner = rows[LookupEntry(kSeed, Affinity::kSocket, key, kLookupTableSize)];
    entry->state = FlowState::kEstablished;
  }
}

nlohmann::json Measure(rte_mempool* pool, const Case& c, size_t rounds) {
  // Room for the new flows of all rounds, so that none gives way to another; a sixteenth more, so that next to no flow
  // is refused and would not be a hit.
  const size_t room = c.hit ? c.flows + c.flows / 16 + 1024 : c.flows + kFrames * (rounds + 2);
  FlowTable table(room, 99);
  Fill(c, &table);
  Bench bench(pool, c, &table);
  const auto [plain, pipeline] = MedianCycles(
      rounds, [&] { return bench.Plain(); }, [&] { return bench.Pipeline(); });
  const double cycles = pipeline / kFrames;
  const double plain_cycles = plain / kFrames;
  return {{"case", c.hit ? "hit" : "new"},
          {"family", c.family},
          {"flows", c.flows},
          {"nodes", c.nodes},
          {"distribution", c.zipf ? "zipf" : "uniform"},
          {"ns", cycles * NsPerCycle()},
          {"cycles", cycles},
          {"plain_ns", plain_cycles * NsPerCycle()},
          {"ratio", cycles / plain_cycles}};
}

std::vector<Case> Cases(size_t flows_max) {
  std::vector<Case> cases;
  for (const int family : {4, 6}) {
    for (const size_t flows : {size_t{1}, size_t{10'000}, size_t{1'000'000}, size_t{10'000'000}}) {
      if (flows > flows_max) continue;
      for (const bool zipf : {false, true}) cases.push_back({.family = family, .flows = flows, .zipf = zipf});
      cases.push_back({.hit = false, .family = family, .flows = flows});
    }
  }
  for (const uint32_t nodes : {2U, 64U}) {
    if (flows_max >= 1'000'000) cases.push_back({.flows = 1'000'000, .nodes = nodes});
  }
  return cases;
}

double RebuildMs(uint32_t nodes) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const uint64_t start = rte_rdtsc_precise();
    const auto table = BuildMaglev(kSeed, Nodes(nodes));
    if (table.size() != kLookupTableSize) std::exit(1);
    times.push_back(static_cast<double>(rte_rdtsc_precise() - start) * 1e3 / static_cast<double>(rte_get_tsc_hz()));
  }
  return Median(times);
}

// The greatest share of a node over a million random flows, as a multiple of the fair one.
double WorstShare(uint32_t nodes) {
  const auto table = BuildMaglev(kSeed, Nodes(nodes));
  constexpr uint64_t kRandomFlows = 1'000'000;
  std::vector<uint64_t> flows(nodes);
  for (uint64_t i = 0; i < kRandomFlows; ++i)
    ++flows[table[LookupEntry(kSeed, Affinity::kSocket, KeyOf(4, i), kLookupTableSize)]];
  return static_cast<double>(*std::max_element(flows.begin(), flows.end())) * nodes / kRandomFlows;
}

struct Options {
  bool json = false;
  size_t rounds = 30;
  size_t flows_max = 10'000'000;
  std::string only;  // "hit" or "new"
};

nlohmann::json Report(rte_mempool* pool, const Options& options) {
  nlohmann::json report = {{"rows", nlohmann::json::array()}};
  if (!options.json) std::printf("case family    flows nodes dist        ns   cycles plain ns  ratio\n");
  for (const Case& c : Cases(options.flows_max)) {
    if (!options.only.empty() && options.only != (c.hit ? "hit" : "new")) continue;
    const nlohmann::json row = Measure(pool, c, options.rounds);
    report["rows"].push_back(row);
    if (options.json) continue;
    std::printf("%-4s %6d %8zu %5u %-7s %6.1f %8.1f %8.1f %6.2f\n", c.hit ? "hit" : "new", c.family, c.flows, c.nodes,
                c.zipf ? "zipf" : "uniform", row["ns"].get<double>(), row["cycles"].get<double>(),
                row["plain_ns"].get<double>(), row["ratio"].get<double>());
  }
  const FlowTable million(1'000'000, 1);
  report["bytes_per_flow"] = static_cast<double>(million.bytes()) / 1e6;
  double worst = 0;
  for (const uint32_t nodes : {2U, 8U, 64U}) {
    report["spread"][std::to_string(nodes)] = WorstShare(nodes);
    worst = std::max(worst, WorstShare(nodes));
  }
  report["spread_worst"] = worst;
  for (const uint32_t nodes : {2U, 8U, 64U, 256U}) report["rebuild_ms"][std::to_string(nodes)] = RebuildMs(nodes);
  return report;
}

// Nothing on wrong usage.
std::optional<Options> ParseOptions(int argc, char** argv) {
  Options parsed;
  const option options[] = {{"json", no_argument, nullptr, 'j'},
                            {"rounds", required_argument, nullptr, 'r'},
                            {"flows-max", required_argument, nullptr, 'f'},
                            {"case", required_argument, nullptr, 'c'},
                            {"help", no_argument, nullptr, 'h'},
                            {}};
  for (int c = 0; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (c == 'j') {
      parsed.json = true;
    } else if (c == 'r') {
      parsed.rounds = std::max<size_t>(1, std::strtoul(optarg, nullptr, 10));
    } else if (c == 'f') {
      parsed.flows_max = std::strtoul(optarg, nullptr, 10);
    } else if (c == 'c') {
      parsed.only = optarg;
    } else {
      std::printf(
          "usage: bench_forward [--json] [--rounds N] [--flows-max N] [--case hit|new]\nns and cycles a packet of "
          "balanced flows, beside a plain pass; bytes a flow; time to make\nMaglev lookup tables; the worst share of a "
          "node.\n");
      return std::nullopt;
    }
  }
  return parsed;
}

int Main(int argc, char** argv) {
  const std::optional<Options> options = ParseOptions(argc, argv);
  if (!options) return 2;
  rte_mempool* const pool = StartBench(argv[0]);
  if (pool == nullptr) return 1;
  const nlohmann::json report = Report(pool, *options);
  if (options->json) {
    std::printf("%s\n", report.dump(2).c_str());
  } else {
    std::printf("bytes a flow %.1f; worst share, of the fair one: %s; to make a table, ms: %s\n",
                report["bytes_per_flow"].get<double>(), report["spread"].dump().c_str(),
                report["rebuild_ms"].dump().c_str());
  }
  rte_mempool_free(pool);
  return 0;
}

}  // namespace

}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}
