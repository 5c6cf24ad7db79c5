// Disks.
#include <vector>

#include "control/core/timers.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

// Something is done to a disk while its node is down; then the master dies, so that the node may have to lead.
void WhileDown(World& world, void (*act)(World& world, Node& node)) {
  world.expect().served_within = Milliseconds(1800);
  const size_t who = world.random().Below(world.size());
  const bool all = world.random().Chance(0.3);
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  world.Quietly(Seconds(3), [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).disk().Keep();
  });
  // Some masterships that the disk will not know of.
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
  world.At(when + Seconds(2), [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
  world.At(when + Seconds(4), [&world, who, act] {
    world.node(who).Kill(world.now());
    act(world, world.node(who));
  });
  world.At(when + Milliseconds(4500), [&world, who] { world.node(who).Boot(world.now()); });
  world.At(when + Milliseconds(7500), [&world, who, all] {
    for (size_t i = 0; i < world.size(); ++i) {
      if (i != who && (all || i == world.Master())) world.node(i).Kill(world.now());
    }
  });
  world.settle = Seconds(3);
}

void Lost(World& world) {
  WhileDown(world, [](World& w, Node& node) { node.disk().Lose(w.random().Id()); });
}
void Torn(World& world) {
  WhileDown(world, [](World&, Node& node) { node.disk().TearLast(); });
}
void RolledBack(World& world) {
  WhileDown(world, [](World&, Node& node) { node.disk().RollBack(); });
}
void Full(World& world) {
  WhileDown(world, [](World&, Node& node) { node.disk().SetFull(true); });
}
void Slow(World& world) {
  WhileDown(world, [](World& w, Node&) {
    for (size_t i = 0; i < w.size(); ++i) w.node(i).disk().SetDelay(Seconds(2));
  });
}

// All know a history to which one more event is one too many: what each writes now must still become all nodes'.
void HistoryLong(World& world) {
  world.expect().served_within = Milliseconds(1800);
  std::vector<HistoryEvent> events;
  const NodeId gone{0xee};
  constexpr uint64_t kLongAgo = 1'700'000'000'000;  // ms
  for (uint32_t seq = 1; seq <= kMaxHistoryEvents - 1; ++seq) {
    events.push_back({.node = gone, .age = 1, .seq = seq, .era = 1, .lineage = 7, .time = (kLongAgo + seq) << 16});
  }
  world.Make();
  for (size_t i = 0; i < world.size(); ++i) world.node(i).disk().Remember(events);
  world.At(Seconds(4), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.At(Seconds(5), [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
  });
}

constexpr Scenario kTable[] = {
    {"store_lost", "a disk is empty; the master dies", Lost, 3},
    {"store_torn", "the last change is missing; the master dies", Torn, 3},
    {"store_rolled_back", "a disk is as it was earlier; the master dies", RolledBack, 3},
    {"store_full", "a disk takes no changes; the master dies", Full, 3},
    {"history_long", "a history of as many events as a node takes; the master dies", HistoryLong, 3},
    {"store_slow", "making a change durable takes 2 s; the master dies", Slow, 3},
};

}  // namespace

std::span<const Scenario> StoreScenarios() {
  return kTable;
}

}  // namespace qure::sim
