// ns a DNS query through the production pipeline, with zones of several sizes, beside a plain pass that only touches
// and swaps the MAC addresses of the same mbufs in the same run. Every query asks for a name drawn from the whole zone,
// so that caches miss as in life, and comes from another network, with the rate limit on.
#include <getopt.h>
#include <rte_eal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "dataplane/pipeline/pipeline.h"
#include "proto/dns/zone_builder.h"
#include "proto/net/checksum.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"
#include "tests/bench/bench_support.h"
#include "tests/support/harness.h"

namespace qure::testing {

namespace {

constexpr size_t kNetwork = 14;
constexpr size_t kTransport = kNetwork + sizeof(Ipv4Header);
constexpr size_t kLabel = kTransport + sizeof(UdpHeader) + sizeof(DnsHeader) + 1;  // of the question name
constexpr FlowTime kNow{1'000'000};
constexpr char kApex[] = "bench.example";
constexpr uint64_t kHashSeed = 0x7e57;

// The zone: n0000000 and so on have A; three of four AAAA; of five, one MX and another TXT. The Python package
// qure_dev.bench_dns makes the same as a file.
std::string Label(uint32_t number, char first = 'n') {
  char text[16];
  std::snprintf(text, sizeof(text), "%c%07u", first, number % 10'000'000);
  return text;
}
constexpr uint32_t kAaaaEach = 4;
constexpr uint32_t kNoAaaa = 3;
constexpr uint32_t kMxEach = 5;   // remainder 0
constexpr uint32_t kTxtEach = 5;  // remainder 1

std::string Wire(const std::string& text) {
  const Bytes wire = WireName(text);
  return {wire.begin(), wire.end()};
}

std::shared_ptr<const DnsZone> MakeZone(uint32_t names) {
  const std::string apex = Wire(kApex);
  const std::string host = Wire(Label(0) + "." + kApex);
  DnsZoneBuilder builder(apex, kHashSeed);
  builder.Add({apex, kDnsTypeSoa, 300, host + host + std::string(20, '\1')});
  builder.Add({apex, kDnsTypeNs, 300, host});
  for (uint32_t i = 0; i < names; ++i) {
    const std::string name = Wire(Label(i) + "." + kApex);
    const std::string number = {static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)};
    builder.Add({name, kDnsTypeA, 300, "\x0a" + number});
    if (i % kAaaaEach != kNoAaaa) builder.Add({name, kDnsTypeAaaa, 300, std::string(13, '\x20') + number});
    if (i % kMxEach == 0) builder.Add({name, kDnsTypeMx, 300, std::string("\0\x0a", 2) + host});
    if (i % kTxtEach == 1)
      builder.Add({name, kDnsTypeTxt, 300,
                   "\x06"
                   "v=spf1"});
  }
  return std::make_shared<const DnsZone>(builder.Build());
}

struct Question {
  std::string label;
  uint16_t type;
  Reason reason;
};

// A 60 %, AAAA 20 %, MX 3 %, TXT 2 %, AAAA that is not there 5 %, names that are not there 10 %.
class Questions {
 public:
  explicit Questions(uint32_t names) : names_(names) {}

  Question Draw() {
    const uint32_t roll = Below(100);
    if (roll < 60) return {Label(Below(names_)), kDnsTypeA, Reason::dns_answer};
    if (roll < 80) return {Label(OneOf(kAaaaEach, Below(kNoAaaa))), kDnsTypeAaaa, Reason::dns_answer};
    if (roll < 83) return {Label(OneOf(kMxEach, 0)), kDnsTypeMx, Reason::dns_answer};
    if (roll < 85) return {Label(OneOf(kTxtEach, 1)), kDnsTypeTxt, Reason::dns_answer};
    if (roll < 90) return {Label(OneOf(kAaaaEach, kNoAaaa)), kDnsTypeAaaa, Reason::dns_nodata};
    return {Label(Below(names_), 'x'), kDnsTypeA, Reason::dns_nxdomain};
  }
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>((random_() & UINT32_MAX) * uint64_t{bound} >> 32); }

 private:
  // The number of a name that leaves `remainder` when divided by `each`.
  uint32_t OneOf(uint32_t each, uint32_t remainder) {
    return Below((names_ - remainder - 1) / each + 1) * each + remainder;
  }

  const uint32_t names_;
  std::mt19937_64 random_{kHashSeed};
};

class Bench {
 public:
  Bench(rte_mempool* pool, uint32_t names) : questions_(names), snapshot_(SiteSnapshot()), frames_(pool) {
    snapshot_.dns = std::make_shared<const DnsAuthority>(DnsAuthority{.zones = DnsZones({MakeZone(names)})});
    const Dns query{.name = Label(0) + "." + kApex, .edns_payload = 1232};
    frame_ = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                   Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17},
                         Udp(kClient4, kService4, 40000, 53, Build(query))));
    type_ = kLabel - 1 + WireName(query.name).size();
  }

  // Cycles of one pass over all frames, freshly laid down.
  uint64_t Plain() {
    return Pass(SwapMacs, [](size_t, Reason) {});
  }
  uint64_t Pipeline(bool limited) {
    const WorkerMemory memory{.flows = {}, .dns = {.limiter = limited ? &limiter_ : nullptr}, .now = kNow};
    return Pass([&](Batch* batch) { ProcessLan(snapshot_, memory, batch); },
                [this](size_t index, Reason reason) {
                  if (reason == expected_[index]) return;
                  std::fprintf(stderr, "%s instead of %s\n", NameOf(reason).data(), NameOf(expected_[index]).data());
                  std::exit(1);
                });
  }

 private:
  template <typename Work, typename Seen>
  uint64_t Pass(Work work, Seen seen) {
    return frames_.Pass([this](size_t index, rte_mbuf* mbuf) { LayDown(index, mbuf); }, work, seen);
  }

  void LayDown(size_t index, rte_mbuf* mbuf) {
    const Question question = questions_.Draw();
    expected_[index] = question.reason;
    uint8_t* const data = BenchFrames::Fill(mbuf, frame_);
    std::ranges::copy(question.label, data + kLabel);
    data[type_ + 1] = static_cast<uint8_t>(question.type);

    auto* ip = reinterpret_cast<Ipv4Header*>(data + kNetwork);
    auto* udp = reinterpret_cast<UdpHeader*>(data + kTransport);
    ip->source = {{11, static_cast<uint8_t>(questions_.Below(256)), static_cast<uint8_t>(questions_.Below(256)), 1}};
    ip->checksum = Be16();
    ip->checksum = InternetChecksum({data + kNetwork, sizeof(Ipv4Header)});
    udp->checksum = Be16();
    udp->checksum =
        TransportChecksum(ip->source, ip->destination, kProtocolUdp, {data + kTransport, frame_.size() - kTransport});
  }

  Questions questions_;
  Snapshot snapshot_;
  DnsLimiter limiter_{kHashSeed};
  Bytes frame_;
  size_t type_ = 0;  // offset of the question type
  BenchFrames frames_;
  std::array<Reason, BenchFrames::kFrames> expected_{};
};

nlohmann::json Measure(rte_mempool* pool, uint32_t names, size_t rounds) {
  Bench bench(pool, names);
  const auto [plain, free, limited] = MedianCycles(
      rounds, [&] { return bench.Plain(); }, [&] { return bench.Pipeline(/*limited=*/false); },
      [&] { return bench.Pipeline(/*limited=*/true); });
  const double ns = NsPerCycle() / BenchFrames::kFrames;
  return {{"names", names},
          {"ns", limited * ns},
          {"plain_ns", plain * ns},
          {"ratio", limited / plain},
          {"limiter_ns", (limited - free) * ns}};
}

int Main(int argc, char** argv) {
  bool json = false;
  bool quick = false;
  size_t rounds = 0;
  const option options[] = {{"json", no_argument, nullptr, 'j'},
                            {"quick", no_argument, nullptr, 'q'},
                            {"rounds", required_argument, nullptr, 'r'},
                            {"help", no_argument, nullptr, 'h'},
                            {}};
  for (int c = 0; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (c == 'j') {
      json = true;
    } else if (c == 'q') {
      quick = true;
    } else if (c == 'r') {
      rounds = std::strtoul(optarg, nullptr, 10);
    } else {
      std::printf("usage: bench_dns [--json] [--quick] [--rounds N]\nns a DNS query, beside a plain pass.\n");
      return c == 'h' ? 0 : 2;
    }
  }
  if (rounds == 0) rounds = quick ? 20 : 200;
  rte_mempool* const pool = StartBench(argv[0]);
  if (pool == nullptr) return 1;
  nlohmann::json rows = nlohmann::json::array();
  if (!json) std::printf("%9s %8s %9s %6s %11s\n", "names", "ns", "plain ns", "ratio", "limiter ns");
  for (const uint32_t names : {10U, 100'000U, 1'000'000U}) {
    if (quick && names > 100'000) continue;
    rows.push_back(Measure(pool, names, rounds));
    const nlohmann::json& row = rows.back();
    if (json) continue;
    std::printf("%9u %8.1f %9.1f %6.2f %11.1f\n", names, row["ns"].get<double>(), row["plain_ns"].get<double>(),
                row["ratio"].get<double>(), row["limiter_ns"].get<double>());
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
