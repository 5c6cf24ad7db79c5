// One simulated site: nodes, switch, gateway, clients, strangers, a script of faults, and the monitor that watches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/core/config.h"
#include "tests/sim/clients.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/gateway.h"
#include "tests/sim/lan.h"
#include "tests/sim/monitor.h"
#include "tests/sim/node.h"
#include "tests/sim/random.h"
#include "tests/sim/strangers.h"
#include "tests/sim/thieves.h"

namespace qure::sim {

class World {
 public:
  World(uint64_t seed, size_t nodes, bool trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- For scenarios, before the run ---
  Random& random() { return random_; }
  Monitor& monitor() { return monitor_; }
  Expectations& expect() { return monitor_.expect; }
  ClusterConfig config;  // what all nodes start with, unless changed in `setups`
  std::vector<NodeSetup> setups;
  bool boots_itself = true;               // all nodes boot within the first 100 ms; else the script boots them
  std::set<size_t> revoked;               // a roster leaves them out by the end: they wait, and serve nothing
  Duration settle = Seconds(2);           // from the last step of the script to the healing
  Duration converge_within = Seconds(8);  // from the healing to the state that liveness asks for

  // On the LAN from now on. Before the world is made.
  void AddThief();

  // The same site, with a run of its own that is the same up to the first difference of the scripts: for what a machine
  // was like at some time of this one. Before the world is made.
  std::unique_ptr<World> Twin() const;
  // The world is made: nodes exist and may be talked to from now on. Done by Begin, or earlier by a scenario.
  void Make();
  // At this time of the run. Steps are disturbances, unless they say otherwise.
  void At(Duration when, std::function<void()> step);
  void Quietly(Duration when, std::function<void()> step);

  // --- For steps ---
  MonoTime now() const { return now_; }
  size_t size() const { return setups.size(); }
  Node& node(size_t index) { return *nodes_[index]; }
  Lan& lan() { return lan_; }
  Gateway& gateway() { return gateway_; }
  Clients& clients() { return clients_; }
  ForeignHost& foreign() { return foreign_; }
  Recorder& recorder() { return recorder_; }
  Speaker& speaker() { return speaker_; }
  Thief& thief() { return *thief_; }  // AddThief
  TransportConfig TransportOf(const ClusterConfig& cluster) const;
  // Those with an open gate of the highest term, and its deputy; any running node if there is none.
  size_t Master();
  size_t Deputy();
  size_t Other(size_t a, size_t b);                             // a running node that is neither, if there is one
  size_t Anyone();                                              // by chance, of those that run
  void Hold(size_t node, Duration span);                        // SIGSTOP: both threads
  void Steal(size_t node, Duration span);                       // worker, control or both, by chance
  void Cut(const std::vector<size_t>& side, bool gateway_too);  // from all others
  void Mend();                                                  // the network only

  // --- The run ---
  // The script, then all is healed, then what must come true within `converge_within`.
  void RunScript();
  // Goes on until `until`, with nothing but what the scenario left behind.
  void RunUntil(MonoTime until);
  // All faults healed: true if everything that must be true was within the bound.
  bool Converge();
  void Heal();

 private:
  void Handle(const Appointment& appointment);
  std::string WhyNotSettled();
  std::string WhyNotAgreed();
  std::vector<const Node*> Belonging() const;
  std::string WhyNotConfigured();

  const uint64_t seed_;
  EventQueue queue_;
  FramePool pool_;
  Random random_;
  Lan lan_;
  Monitor monitor_;
  Gateway gateway_;
  Clients clients_;
  ForeignHost foreign_;
  Recorder recorder_;
  Speaker speaker_;
  std::unique_ptr<Thief> thief_;
  std::vector<std::unique_ptr<Node>> nodes_;
  struct Step {
    std::function<void()> act;
    bool disturbs = true;
  };
  std::vector<Step> steps_;
  MonoTime now_;
  MonoTime script_end_;
  MonoTime next_check_;
};

}  // namespace qure::sim
