// The traffic of `scripts/bench port`: frames of balanced flows that go round between a generator and the device under
// test, and the site in which QuRe passes them on to a peer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/counters.h"
#include "proto/snapshot.h"

struct rte_mbuf;
struct rte_mempool;

namespace qure::testing {

// Without the frame check sequence.
inline constexpr size_t kFrameSize = 64;

// Exit status of a program whose frames the device does not answer; 1: the machine cannot do it.
inline constexpr int kNothingCameBack = 3;

// A master whose UDP service is another node's throughout: what comes from the gateway leaves for that peer.
std::shared_ptr<const Snapshot> PeerSite();

// What the control thread does all the time for a master without a deputy: the gate stays open.
void KeepOpen(LeaseGate* gate);

// By reason, what the worker did with the frames from its LAN port.
nlohmann::json ReasonsOf(const WorkerCounters& counters);

// DPDK in ordinary memory, with one lcore on each of `cpus` beside the calling thread, which is lcore 0. Null, with a
// word on stderr, if it or its pool of mbufs cannot be had.
rte_mempool* StartBench(const std::string& file_prefix, const std::vector<unsigned>& cpus);

// Starts a port with one pair of queues. False if it refuses.
bool StartPort(uint16_t port, rte_mempool* pool);

struct Figures {
  double pps = 0;        // came back
  double idle = 0;       // share of the time in which the generator only waited; at 0 it is itself the limit
  uint64_t sent = 0;     // all in all …
  uint64_t lost = 0;     // … of which so many never came back
  uint64_t strange = 0;  // frames that are not ours, or that came back unchanged
};
nlohmann::json ToJson(const Figures& figures);

// Keeps kInFlight frames on their way: those that come back are put right and, a burst at a time, sent again. So it
// offers as much as is answered, and no queue on the way is longer than its ring.
class Generator {
 public:
  static constexpr size_t kInFlight = 512;  // half of a ring

  Generator(uint16_t port, rte_mempool* pool);

  // Asks until the first frame comes back; false if none does.
  bool AwaitAnswer();
  // Measures for so long, after a fifth of it to warm up, and waits for the last frames.
  Figures Run(double seconds);

 private:
  static constexpr uint16_t kBurst = 32;

  struct Pumped {
    uint64_t frames = 0;  // came back
    uint64_t cycles = 0;
    uint64_t busy_cycles = 0;
  };

  void Receive();
  void Send();  // those that are held
  void Free();  // …
  void SendNew(size_t count);
  Pumped Pump(uint64_t cycles);
  void Empty();
  bool TakeBack(rte_mbuf* mbuf);

  const uint16_t port_;
  rte_mempool* const pool_;
  std::vector<uint8_t> frame_;
  std::array<rte_mbuf*, kBurst> held_ = {};  // came back, and wait until they are a burst
  uint16_t held_count_ = 0;
  size_t next_flow_ = 0;
  // In each frame: those that were given up for lost and come all the same do not go round beside their successors.
  uint32_t generation_ = 0;
  uint32_t first_generation_ = 0;  // of this run
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  uint64_t strange_ = 0;
};

}  // namespace qure::testing
