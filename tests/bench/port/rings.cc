// port_rings: a pair of net_ring ports within one process, as no other can open their ends. On one, by turns, QuRe's
// worker with its host port, and a plain loop that swaps MAC addresses; on the other the generator.
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "dataplane/dataplane.h"
#include "dataplane/environment.h"
#include "dataplane/port.h"
#include "dataplane/publisher.h"
#include "dataplane/worker.h"
#include "tests/bench/port/traffic.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr unsigned kDeviceLcore = 1;
constexpr unsigned kGeneratorLcore = 2;
constexpr unsigned kRingSize = 1024;
constexpr unsigned kMessages = 64;
constexpr uint16_t kMtu = 1500;
constexpr uint16_t kMaxFrame = kMtu + 14 + 4;
constexpr std::chrono::milliseconds kBeat(50);

struct Pair {
  uint16_t device = 0;
  uint16_t generator = 0;
};

Pair OpenPair(rte_mempool* pool) {
  std::array<rte_ring*, 2> rings = {};
  for (rte_ring*& ring : rings) {
    const std::string name = &ring == rings.data() ? "bench_there" : "bench_back";
    ring = rte_ring_create(name.c_str(), kRingSize, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  }
  const int device = rte_eth_from_rings("device", &rings[0], 1, &rings[1], 1, 0);
  const int generator = rte_eth_from_rings("generator", &rings[1], 1, &rings[0], 1, 0);
  if (device < 0 || generator < 0) {
    std::fprintf(stderr, "no net_ring ports\n");
    std::exit(1);
  }
  const Pair pair = {.device = static_cast<uint16_t>(device), .generator = static_cast<uint16_t>(generator)};
  if (!StartPort(pair.device, pool) || !StartPort(pair.generator, pool)) {
    std::fprintf(stderr, "the net_ring ports do not start\n");
    std::exit(1);
  }
  return pair;
}

// What a worker needs around it, as Dataplane gives it.
class Appliance {
 public:
  Appliance(uint16_t lan, rte_mempool* pool) {
    auto host = Port::OpenHost("qure0", kNodeMac, kMtu, 1, pool);
    if (!host.ok()) {
      std::fprintf(stderr, "%s\n", host.status().ToString().c_str());
      std::exit(1);
    }
    host_ = *std::move(host);
    publisher_.Publish(PeerSite());
    const auto ring = [](const char* name) { return rte_ring_create(name, kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ); };
    const auto flows = [](const char* name) {
      return rte_ring_create_elem(name, sizeof(PinnedFlow), kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ);
    };
    const WorkerOptions options = {
        .lan_port = lan,
        .host_port = host_->id(),
        .max_frame = kMaxFrame,
        .control = ring("bench_control"),
        .events = rte_ring_create_elem("bench_events", sizeof(Event), kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ),
        .event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .cluster = {.pool = pool,
                    .control = {.messages = ring("bench_messages")},
                    .heartbeats = ring("bench_heartbeats"),
                    .heartbeater = &heartbeater_,
                    .workers = {&progress_, 1}},
        .flows = {.seed = 1},
        .flow_reports = flows("bench_reports"),
        .flow_lessons = flows("bench_lessons")};
    worker_ = std::make_unique<Worker>(options, &publisher_, &gate_, &counters_, &progress_);
  }

  LeaseGate* gate() { return &gate_; }
  const WorkerCounters& counters() const { return counters_; }
  void Run(const std::atomic<bool>& stop) { worker_->Run(stop); }

 private:
  std::unique_ptr<Port> host_;
  Publisher publisher_{1};
  LeaseGate gate_;
  HeartbeatReport heartbeater_;
  WorkerCounters counters_;
  WorkerProgress progress_;
  std::unique_ptr<Worker> worker_;
};

void SwapMacs(uint16_t port, const std::atomic<bool>& stop) {
  std::array<rte_mbuf*, kBurst> mbufs;
  while (!stop.load(std::memory_order_relaxed)) {
    const uint16_t count = rte_eth_rx_burst(port, 0, mbufs.data(), kBurst);
    for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));
    for (uint16_t i = 0; i < count; ++i) {
      auto* const mac = rte_pktmbuf_mtod(mbufs[i], uint8_t*);
      std::swap_ranges(mac, mac + 6, mac + 6);
    }
    uint16_t sent = 0;
    uint16_t took = 0;
    while (sent < count && (took = rte_eth_tx_burst(port, 0, &mbufs[sent], static_cast<uint16_t>(count - sent))) > 0) {
      sent = static_cast<uint16_t>(sent + took);
    }
    rte_pktmbuf_free_bulk(mbufs.data() + sent, count - sent);
  }
}

int Launch(void* work) {
  (*static_cast<std::function<void()>*>(work))();
  return 0;
}

// One turn: the device and the generator each on a core of its own, the appliance's control here.
Figures Measure(const Pair& pair, rte_mempool* pool, double seconds, LeaseGate* gate,
                const std::function<void(const std::atomic<bool>& stop)>& device) {
  std::atomic<bool> stop = false;  // written here, read by the device
  std::promise<Figures> figures;
  std::future<Figures> measured = figures.get_future();
  std::function<void()> serve = [&] {
    AcceptTapSignal();
    device(stop);
  };
  std::function<void()> ask = [&] {
    Generator generator(pair.generator, pool);
    figures.set_value(generator.AwaitAnswer() ? generator.Run(seconds) : Figures{});
  };
  KeepOpen(gate);
  rte_eal_remote_launch(Launch, &serve, kDeviceLcore);
  rte_eal_remote_launch(Launch, &ask, kGeneratorLcore);
  while (measured.wait_for(kBeat) != std::future_status::ready) KeepOpen(gate);
  stop = true;
  rte_eal_mp_wait_lcore();
  const Figures result = measured.get();
  if (result.sent == 0) {
    std::fprintf(stderr, "nothing came back\n");
    std::exit(kNothingCameBack);
  }
  return result;
}

int Main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: port_rings FILE_PREFIX DEVICE_CPU GENERATOR_CPU ROUNDS SECONDS\n");
    return 2;
  }
  const auto cpu = [&](int at) { return static_cast<unsigned>(std::strtoul(argv[at], nullptr, 10)); };
  const double seconds = std::strtod(argv[5], nullptr);
  rte_mempool* const pool = StartBench(argv[1], {cpu(2), cpu(3)});
  if (pool == nullptr) return 1;
  const Pair pair = OpenPair(pool);
  nlohmann::json report = {{"qure", nlohmann::json::array()}, {"beside", nlohmann::json::array()}};
  {
    Appliance appliance(pair.device, pool);
    for (unsigned round = 0; round < cpu(4); ++round) {
      const auto worker = [&](const std::atomic<bool>& stop) { appliance.Run(stop); };
      const auto plain = [&](const std::atomic<bool>& stop) { SwapMacs(pair.device, stop); };
      report["qure"].push_back(ToJson(Measure(pair, pool, seconds, appliance.gate(), worker)));
      report["beside"].push_back(ToJson(Measure(pair, pool, seconds, appliance.gate(), plain)));
    }
    report["reasons"] = ReasonsOf(appliance.counters());
  }
  std::printf("%s\n", report.dump().c_str());
  rte_eal_cleanup();
  return 0;
}

}  // namespace
}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}
