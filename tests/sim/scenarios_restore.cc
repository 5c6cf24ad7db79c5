// Machines that go on from a snapshot of their memory, clocks and disk.
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kDay = Seconds(86'400);
constexpr Duration kHeardWithin = Seconds(1);
constexpr Duration kFresh = Milliseconds(300);  // heard so lately: three hello intervals

Duration Soon(World& world) {
  return Seconds(4) + world.random().Between(Duration{}, Seconds(1));
}

struct Snapshot {
  size_t who = 0;
  Node::Image image;
  uint64_t hash = 0;  // of all frames until then
};

// Of the node that `which` names, as it is at `when`: in a twin of this world, so that here it goes on undisturbed.
// After the last random number that the scenario draws before its run.
std::shared_ptr<Snapshot> SnapshotAt(const World& world, Duration when, const std::function<size_t(World&)>& which,
                                     const std::function<void(World&)>& boot = {}) {
  const std::unique_ptr<World> twin = world.Twin();
  if (boot) boot(*twin);
  twin->Quietly(when, [] {});
  twin->settle = Duration{};
  twin->RunScript();
  const size_t who = which(*twin);
  return std::make_shared<Snapshot>(
      Snapshot{.who = who, .image = twin->node(who).TakeImage(twin->now()), .hash = twin->monitor().hash()});
}

// The twin was one until then.
void CheckTwin(World& world, Duration when, uint64_t hash) {
  world.Quietly(when, [&world, hash] {
    if (world.monitor().hash() == hash) return;
    world.monitor().Violate(world.now(), Invariant::kCheck, "the snapshot is of another run");
  });
}

void ExpectHeard(World& world, size_t who) {
  const NodeId id = world.node(who).id();
  for (size_t i = 0; i < world.size(); ++i) {
    if (i == who || !world.node(i).running()) continue;
    for (const NodeRow& row : world.node(i).Status(world.now()).nodes) {
      if (row.node == id && row.state == NodeState::kAlive && row.heard_ago <= kFresh) return;
    }
    world.monitor().Violate(world.now(), Invariant::kLiveness,
                            absl::StrCat("a restored machine is not heard by ", world.node(i).setup().name));
  }
}

Node::Resumption SomeResumption(Random& random, Duration age) {
  constexpr Node::Clocks kClocks[] = {Node::Clocks::kStood, Node::Clocks::kMonotonicStood, Node::Clocks::kWentOn};
  const Duration stood = random.Chance(0.5) ? kDay : age;
  return {.clocks = kClocks[random.Below(std::size(kClocks))],
          .wall_behind = random.Chance(0.5) ? stood : Duration{},
          .new_generation = random.Chance(0.5)};
}

// A master or another goes on from a snapshot, and some seconds later again from the same one. Meanwhile another may
// have become master, and all others may have restarted.
void RestoredNode(World& world) {
  world.expect().served_within = Milliseconds(1800);
  world.expect().overlap = Milliseconds(20);  // a HELLO of a present master that it does not know ends it
  world.expect().can_learn = false;           // before it hears of others it may go on alone, once each time
  world.expect().check_silent = false;        // heartbeats of a restored master are not believed
  world.monitor().WatchNonces();
  Random& random = world.random();
  const Duration taken = Soon(world);
  const bool master = random.Chance(0.5);
  const Duration age =
      random.Chance(0.5) ? random.Between(Milliseconds(300), Seconds(10)) : random.Between(Seconds(10), Seconds(60));
  const bool others_restart = age > Seconds(10) && random.Chance(0.4);
  if (random.Chance(0.5)) {
    world.At(taken + age / 2, [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
  }
  const Node::Resumption resumptions[] = {SomeResumption(random, age), SomeResumption(random, age)};
  const auto which = [master](World& at) { return master ? at.Master() : at.Other(at.Master(), at.Master()); };
  Duration when = taken + age;
  for (const Node::Resumption& resumption : resumptions) {
    const std::shared_ptr<Snapshot> snapshot = SnapshotAt(world, taken, which);
    const size_t who = snapshot->who;
    world.At(when, [&world, snapshot, resumption, who] {
      world.node(who).Restore(world.now(), std::move(snapshot->image), resumption);
    });
    world.Quietly(when + kHeardWithin, [&world, who] { ExpectHeard(world, who); });
    when = when + Seconds(5);
    if (&resumption != std::begin(resumptions)) continue;
    CheckTwin(world, taken, snapshot->hash);
    for (size_t i = 0; others_restart && i < world.size(); ++i) {
      if (i == who) continue;
      const Duration restart = taken + Seconds(1) + Seconds(4) * static_cast<int64_t>(i);
      world.At(restart, [&world, i] { world.node(i).Kill(world.now()); });
      world.At(restart + Seconds(1), [&world, i] { world.node(i).Boot(world.now()); });
    }
  }
  world.settle = Seconds(4);
}

// The snapshot goes on as another machine, beside its original.
void RestoredTwin(World& world) {
  world.expect().served_within = Seconds(3);
  world.expect().overlap = Milliseconds(120);  // a HELLO of its original ends it
  world.expect().check_silent = false;         // the original's heartbeats may be for its copy
  world.expect().can_learn = false;            // both have one identity for a while
  world.monitor().WatchNonces();
  world.boots_itself = false;
  Random& random = world.random();
  const size_t copy = world.size() - 1;
  const size_t original = random.Below(copy);
  world.setups[copy].lan_mac = world.setups[original].lan_mac;
  const auto boot = [copy](World& at) {
    for (size_t i = 0; i < copy; ++i) {
      at.At(Milliseconds(static_cast<int64_t>(10 * i)), [&at, i] { at.node(i).Boot(at.now()); });
    }
  };
  boot(world);
  const Duration taken = Soon(world);
  const Duration age = random.Between(Milliseconds(300), Seconds(20));
  const Node::Resumption resumption = SomeResumption(random, age);
  const std::shared_ptr<Snapshot> snapshot = SnapshotAt(
      world, taken, [original](World&) { return original; }, boot);
  CheckTwin(world, taken, snapshot->hash);
  world.At(taken + age, [&world, snapshot, resumption, copy] {
    world.node(copy).Restore(world.now(), std::move(snapshot->image), resumption);
  });
  world.At(taken + age + Seconds(5), [&world, original, copy] {
    if (world.node(copy).id() != world.node(original).id()) return;
    world.monitor().Violate(world.now(), Invariant::kServed, "two machines keep one identity");
  });
  world.settle = Seconds(6);
}

constexpr Scenario kTable[] = {
    {"restored_node", "a machine goes on from an old snapshot, twice", RestoredNode, 3},
    {"restored_twin", "a snapshot goes on beside its original", RestoredTwin, 4},
};

}  // namespace

std::span<const Scenario> RestoreScenarios() {
  return kTable;
}

}  // namespace qure::sim
