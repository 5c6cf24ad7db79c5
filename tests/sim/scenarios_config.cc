// The configuration that all nodes have.
#include <algorithm>
#include <memory>
#include <string>

#include "control/core/command.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kFounded = Seconds(3);
constexpr Duration kFirst = Seconds(5);      // of the changes
constexpr Duration kToConfirm = Seconds(4);  // them

struct Change {
  std::string body;
  bool confirm = true;
  bool canary = true;
};

void ProposeAt(World& world, Duration when, size_t node, const Change& change) {
  world.At(when, [&world, node, change] {
    ProposeConfig command{.id = 1, .body = std::make_shared<const std::string>(change.body), .canary = change.canary};
    if (change.confirm) command.confirm = kToConfirm;
    world.node(node).Command(world.now(), command);
  });
}

void ConfirmAt(World& world, Duration when, size_t node) {
  world.At(when, [&world, node] { world.node(node).Command(world.now(), ConfirmConfig{.id = 2}); });
}

// The first configuration of all of these, without a wish to confirm it.
void Begin(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  FoundAt(world, kFounded);
  ProposeAt(world, kFirst, world.random().Below(world.size()), {.body = BodyOf(300), .confirm = false});
}

// A change is made at any node while nodes fail, and confirmed at any node, in time or not.
void Set(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  ProposeAt(world, when, world.random().Below(world.size()), {.body = BodyOf(301)});
  ConfirmAt(world, when + world.random().Between(Milliseconds(500), Seconds(5)), world.random().Below(world.size()));
  const Duration step = SomeFaults(world, when, 3);
  ProposeAt(world, std::max(step, when + Seconds(5)), world.random().Below(world.size()), {.body = BodyOf(302)});
  world.settle = kToConfirm + Seconds(2);
}

// Nobody confirms it.
void RolledBack(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  ProposeAt(world, when, world.random().Below(world.size()), {.body = BodyOf(301)});
  SomeFaults(world, when + Seconds(1), 1);
  world.settle = kToConfirm + Seconds(3);
}

// It is confirmed on one side of a cut, and rolled back on the other.
void Cut(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  ProposeAt(world, when, world.random().Below(world.size()), {.body = BodyOf(301)});
  const Duration cut = when + world.random().Between(Milliseconds(50), Seconds(2));
  const size_t apart = world.random().Below(world.size());
  world.At(cut, [&world, apart] { world.Cut({apart}, /*gateway_too=*/false); });
  ConfirmAt(world, cut + world.random().Between(Milliseconds(1), Seconds(3)), world.random().Below(world.size()));
  ProposeAt(world, cut + Seconds(5), apart, {.body = BodyOf(302)});
  ProposeAt(world, cut + Seconds(5), (apart + 1) % world.size(), {.body = BodyOf(303), .confirm = false});
  world.At(cut + Seconds(6), [&world] { world.Mend(); });
  world.settle = kToConfirm + Seconds(1);
}

// Its master dies before it is confirmed, and comes back.
void MasterDies(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  ProposeAt(world, when, world.random().Below(world.size()), {.body = BodyOf(301)});
  const Duration dies = when + world.random().Between(Milliseconds(1), Seconds(1));
  auto master = std::make_shared<size_t>(0);
  world.At(dies, [&world, master] {
    *master = world.Master();
    world.node(*master).Kill(world.now());
  });
  world.At(dies + world.random().Between(Milliseconds(200), Seconds(3)),
           [&world, master] { world.node(*master).Boot(world.now()); });
  if (world.random().Chance(0.5)) ConfirmAt(world, dies + Seconds(2), world.random().Below(world.size()));
  world.settle = kToConfirm + Seconds(2);
}

// A node is killed at any frame or write of a change or of its confirmation, and starts again. Wall clocks are years
// apart.
void Crashed(World& world) {
  constexpr uint64_t kTenYearsMs = 10ULL * 365 * 24 * 3600 * 1000;
  world.setups[0].wall_ms = 1;
  world.setups[1].wall_ms += kTenYearsMs;
  Begin(world);
  const auto crash = [&world](Duration from) {
    const size_t who = world.random().Below(world.size());
    const Duration dies = from + world.random().Between(Duration{}, Milliseconds(300));
    world.At(dies, [&world, who] { world.node(who).Kill(world.now()); });
    world.At(dies + world.random().Between(Milliseconds(1), Seconds(1)),
             [&world, who] { world.node(who).Boot(world.now()); });
  };
  const Duration when = kFirst + Seconds(2);
  ProposeAt(world, when, world.random().Below(world.size()), {.body = BodyOf(301)});
  crash(when);
  const Duration again = when + kToConfirm + Seconds(3);
  ProposeAt(world, again, world.random().Below(world.size()), {.body = BodyOf(302)});
  const Duration confirmed = again + Seconds(1) + world.random().Between(Duration{}, Seconds(2));
  ConfirmAt(world, confirmed, world.random().Below(world.size()));
  crash(confirmed);
  world.settle = kToConfirm + Seconds(2);
}

// A node is away while changes are made and confirmed, or has a full disk meanwhile.
void Away(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  const size_t away = world.random().Below(world.size());
  const bool full = world.random().Chance(0.3);
  world.At(when, [&world, away, full] {
    if (full) return world.node(away).disk().SetFull(true);
    world.node(away).Kill(world.now());
  });
  const size_t other = (away + 1) % world.size();
  ProposeAt(world, when + Seconds(3), other, {.body = BodyOf(301), .confirm = false});
  ProposeAt(world, when + Seconds(6), other, {.body = BodyOf(302)});
  ConfirmAt(world, when + Seconds(7), other);
  world.settle = Seconds(3);
  world.converge_within = Seconds(40);  // what a full disk did not take is tried again after 30 s
}

// One node would not take it, or takes it and cannot run it.
void Unfit(World& world) {
  Begin(world);
  const Duration when = kFirst + Seconds(2);
  const size_t who = world.random().Below(world.size());
  const bool refused = world.random().Chance(0.2);
  ProposeAt(world, when, world.random().Below(world.size()),
            {.body = BodyOf(301, refused ? "refused" : "unfit", world.setups[who].name),
             .confirm = false,
             .canary = world.random().Chance(0.2)});
  SomeFaults(world, when + Seconds(1), 1);
  world.settle = Seconds(3);
}

constexpr Scenario kTable[] = {
    {"config_set", "the cluster's configuration is changed while nodes fail", Set, 3},
    {"config_rolled_back", "a change of the configuration is not confirmed", RolledBack, 3},
    {"config_cut", "a change of the configuration is confirmed on one side of a cut", Cut, 3},
    {"config_master_dies", "the master dies while a change of the configuration is open", MasterDies, 3},
    {"config_crashed", "a node is killed in the middle of a change of the configuration", Crashed, 3},
    {"config_away", "a node is away while the configuration is changed", Away, 3},
    {"config_unable", "a node cannot run the configuration", Unfit, 3},
};

}  // namespace

std::span<const Scenario> ConfigScenarios() {
  return kTable;
}

}  // namespace qure::sim
