#include "tests/bench/port/traffic.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdio>
#include <cstring>

#include "dataplane/dataplane.h"
#include "dataplane/environment.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr unsigned kMbufs = 8192;
constexpr unsigned kMbufCache = 256;
constexpr uint16_t kDescriptors = 1024;  // as QuRe's own LAN port
constexpr size_t kFlowCount = 1024;
constexpr uint16_t kServicePort = 7;
constexpr uint16_t kFirstSourcePort = 10'000;
constexpr size_t kSourcePortAt = 14 + 20;  // Ethernet, IPv4
constexpr size_t kMarkAt = 14 + 20 + 8;    // … UDP
constexpr char kMark[] = "QuRe bench";
constexpr size_t kGenerationAt = kFrameSize - sizeof(uint32_t);
constexpr size_t kMacsSize = 12;
static_assert(kMarkAt + sizeof(kMark) <= kGenerationAt);

constexpr double kAnswerSeconds = 5;      // until a device is up
constexpr double kPatienceSeconds = 0.1;  // with one that has stopped answering
constexpr double kSilenceSeconds = 0.05;
constexpr double kSendSeconds = 0.01;  // that a full ring is waited for

uint64_t Cycles(double seconds) {
  return static_cast<uint64_t>(seconds * static_cast<double>(rte_get_tsc_hz()));
}

}  // namespace

std::shared_ptr<const Snapshot> PeerSite() {
  auto site = std::make_shared<Snapshot>(SiteSnapshot());
  auto services = std::make_shared<ServiceMap>();
  services->Add({.name = "echo", .protocol = kProtocolUdp, .first_port = kServicePort, .last_port = kServicePort});
  site->services = std::move(services);
  site->balance = OneOwner(kPeer1, kPeer1);
  return site;
}

void KeepOpen(LeaseGate* gate) {
  gate->OpenSolo(gate->stalls(), 1);
  gate->NoteControlAlive(Now());
}

nlohmann::json ReasonsOf(const WorkerCounters& counters) {
  nlohmann::json reasons = nlohmann::json::object();
  for (size_t i = 0; i < kReasonCount; ++i) {
    const uint64_t count = counters.lan_reasons[i].value();
    if (count > 0) reasons[std::string(NameOf(static_cast<Reason>(i)))] = count;
  }
  return reasons;
}

rte_mempool* StartBench(const std::string& file_prefix, const std::vector<unsigned>& cpus) {
  DataplaneOptions options;
  options.workers = static_cast<unsigned>(cpus.size());
  options.cores = cpus;
  options.huge_pages = false;
  options.file_prefix = file_prefix;
  if (const absl::Status status = StartEnvironment(options); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return nullptr;
  }
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("bench", kMbufs, kMbufCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) std::fprintf(stderr, "no mbufs: %s\n", rte_strerror(rte_errno));
  return pool;
}

bool StartPort(uint16_t port, rte_mempool* pool) {
  rte_eth_conf conf = {};
  uint16_t rx = kDescriptors;
  uint16_t tx = kDescriptors;
  const bool started = rte_eth_dev_configure(port, 1, 1, &conf) == 0 &&
                       rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx) == 0 &&
                       rte_eth_rx_queue_setup(port, 0, rx, SOCKET_ID_ANY, nullptr, pool) == 0 &&
                       rte_eth_tx_queue_setup(port, 0, tx, SOCKET_ID_ANY, nullptr) == 0 && rte_eth_dev_start(port) == 0;
  // What comes back goes to the peer's MAC. Drivers that cannot filter have nothing to turn off.
  if (started) rte_eth_promiscuous_enable(port);
  return started;
}

nlohmann::json ToJson(const Figures& figures) {
  return {{"pps", figures.pps},
          {"idle", figures.idle},
          {"sent", figures.sent},
          {"lost", figures.lost},
          {"strange", figures.strange}};
}

Generator::Generator(uint16_t port, rte_mempool* pool) : port_(port), pool_(pool) {
  Bytes payload(kFrameSize - kMarkAt);
  std::memcpy(payload.data(), kMark, sizeof(kMark));
  frame_ = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                 Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = kProtocolUdp},
                       Udp(kClient4, kService4, kFirstSourcePort, kServicePort, payload)));
  PutBe16(&frame_, kSourcePortAt + 6, 0);  // no UDP checksum, which IPv4 allows (RFC 768): flows differ in ports alone
}

bool Generator::AwaitAnswer() {
  for (const uint64_t end = rte_rdtsc() + Cycles(kAnswerSeconds); received_ == 0 && rte_rdtsc() < end;) {
    SendNew(kBurst);
    Empty();
  }
  return received_ > 0;
}

Figures Generator::Run(double seconds) {
  first_generation_ = ++generation_;
  sent_ = 0;
  received_ = 0;
  strange_ = 0;
  SendNew(kInFlight);
  Pump(Cycles(seconds / 5));
  const Pumped pumped = Pump(Cycles(seconds));
  Empty();
  const auto cycles = static_cast<double>(pumped.cycles);
  return {.pps = static_cast<double>(pumped.frames) * static_cast<double>(rte_get_tsc_hz()) / cycles,
          .idle = 1 - static_cast<double>(pumped.busy_cycles) / cycles,
          .sent = sent_,
          .lost = sent_ - received_,
          .strange = strange_};
}

Generator::Pumped Generator::Pump(uint64_t cycles) {
  Pumped pumped;
  const uint64_t before = received_;
  const uint64_t patience = Cycles(kPatienceSeconds);
  const uint64_t start = rte_rdtsc();
  uint64_t now = start;
  for (uint64_t last = start; now < start + cycles;) {
    const uint64_t received = received_;
    Receive();
    const bool busy = received_ > received;
    if (held_count_ == kBurst) Send();
    const uint64_t then = now;
    now = rte_rdtsc();
    if (busy) {
      pumped.busy_cycles += now - then;
      last = now;
    } else if (now - last > patience) {  // all that were on their way are lost
      ++generation_;
      Free();
      SendNew(kInFlight);
      last = now;
    }
  }
  pumped.frames = received_ - before;
  pumped.cycles = now - start;
  return pumped;
}

// Until nothing has come for a while.
void Generator::Empty() {
  const uint64_t silence = Cycles(kSilenceSeconds);
  for (uint64_t end = rte_rdtsc() + silence; rte_rdtsc() < end;) {
    const uint64_t received = received_;
    Receive();
    Free();
    if (received_ > received) end = rte_rdtsc() + silence;
  }
}

// Beside those that are held.
void Generator::Receive() {
  rte_mbuf** const come = held_.data() + held_count_;
  const uint16_t count = rte_eth_rx_burst(port_, 0, come, static_cast<uint16_t>(kBurst - held_count_));
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(come[i], void*));
  for (uint16_t i = 0; i < count; ++i) {
    if (TakeBack(come[i])) {
      held_[held_count_++] = come[i];
    } else {
      rte_pktmbuf_free(come[i]);
    }
  }
}

// True if it can go round again: one of ours, of this generation, which came with other MAC addresses than it left with
// and has them put right.
bool Generator::TakeBack(rte_mbuf* mbuf) {
  auto* const data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  if (mbuf->data_len != kFrameSize || std::memcmp(data + kMarkAt, kMark, sizeof(kMark)) != 0 ||
      std::memcmp(data, frame_.data(), kMacsSize / 2) == 0) {
    ++strange_;
    return false;
  }
  uint32_t generation = 0;
  std::memcpy(&generation, data + kGenerationAt, sizeof(generation));
  if (generation >= first_generation_) ++received_;
  if (generation != generation_) return false;
  std::memcpy(data, frame_.data(), kMacsSize);
  return true;
}

void Generator::Send() {
  uint16_t taken = 0;
  for (const uint64_t end = rte_rdtsc() + Cycles(kSendSeconds); taken < held_count_ && rte_rdtsc() < end;) {
    taken = static_cast<uint16_t>(
        taken + rte_eth_tx_burst(port_, 0, &held_[taken], static_cast<uint16_t>(held_count_ - taken)));
  }
  sent_ += taken;
  rte_pktmbuf_free_bulk(&held_[taken], held_count_ - taken);
  held_count_ = 0;
}

void Generator::Free() {
  rte_pktmbuf_free_bulk(held_.data(), held_count_);
  held_count_ = 0;
}

// None must be held.
void Generator::SendNew(size_t count) {
  std::memcpy(&frame_[kGenerationAt], &generation_, sizeof(generation_));
  for (size_t done = 0; done < count; done += kBurst) {
    if (rte_pktmbuf_alloc_bulk(pool_, held_.data(), kBurst) != 0) return;
    held_count_ = kBurst;
    for (rte_mbuf* const mbuf : held_) {
      auto* const data = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, kFrameSize));
      std::memcpy(data, frame_.data(), kFrameSize);
      const Be16 source_port(static_cast<uint16_t>(kFirstSourcePort + next_flow_++ % kFlowCount));
      std::memcpy(data + kSourcePortAt, &source_port, sizeof(source_port));
    }
    Send();
  }
}

}  // namespace qure::testing
