// Who belongs to the cluster.
#include <optional>

#include "control/core/admission/codes.h"
#include "control/core/command.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

// The same paper whenever a run founds its cluster.
constexpr admission::RecoveryCode kCode = {4, 2};

void EnrolAt(World& world, Duration when) {
  world.At(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Command(world.now(), EnrolMembers{});
  });
}

// A node is away while the cluster is founded, others fail while they learn of it and admit the one that was away.
void Founded(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  const size_t away = world.random().Below(world.size());
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(2));
  const bool one_is_away = world.random().Chance(0.5);
  if (one_is_away) world.At(when, [&world, away] { world.node(away).Kill(world.now()); });
  FoundAt(world, when + Milliseconds(1500));
  world.At(when + Seconds(2), [&world, away] { world.node(away).Boot(world.now()); });
  Duration step = when + Milliseconds(1500);
  for (int64_t faults = world.random().Between(1, 3); faults > 0; --faults) {
    step = AddRandomFault(world, step + world.random().Between(Milliseconds(1), Seconds(2)));
  }
  EnrolAt(world, step + Seconds(1));
}

// The store of one is empty after the cluster was founded: another node comes in its place, and gets them from the
// others.
void StoreLost(World& world) {
  world.expect().served_within = Milliseconds(1800);
  const Duration when = Seconds(4);
  FoundAt(world, when);
  const size_t who = world.random().Below(world.size());
  world.At(when + Seconds(1), [&world, who] {
    world.node(who).Kill(world.now());
    world.node(who).disk().Lose(world.random().Id());
  });
  world.At(when + Seconds(2), [&world, who] { world.node(who).Boot(world.now()); });
  EnrolAt(world, when + Seconds(4));
  world.settle = Seconds(3);
}

void AdmitAt(World& world, Duration when, size_t joins) {
  world.At(when, [&world, joins] {
    if (!world.node(joins).running()) return;
    const std::optional<admission::Fingerprint> own = world.node(joins).Status(world.now()).roll.own;
    for (size_t i = 0; own && i < world.size(); ++i) {
      if (i != joins) world.node(i).Command(world.now(), AdmitNode{.code = admission::CodeOf(*own)});
    }
  });
}

// A node without a key is named on one member or on all, while any of them may fail; and again, since a member that
// fails forgets whom it waits for.
void Adopted(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  const size_t joins = world.size() - 1;
  ClusterConfig& config = world.setups[joins].config;
  config = world.config;
  config.network.key.reset();
  config.network.join = JoinConfig{};
  FoundAt(world, Seconds(3));
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  AdmitAt(world, when, joins);
  Duration step = when;
  for (int64_t faults = world.random().Between(0, 3); faults > 0; --faults) {
    step = AddRandomFault(world, step + world.random().Between(Milliseconds(1), Seconds(1)));
  }
  world.At(step + Seconds(1), [&world, joins] { world.node(joins).Boot(world.now()); });
  AdmitAt(world, step + Seconds(2), joins);
  world.settle = Seconds(5);
}

constexpr Scenario kTable[] = {
    {"records_founded", "the cluster's records are begun while nodes fail", Founded, 3},
    {"adopted", "a node without a key is taken in while nodes fail", Adopted, 4},
    {"records_lost", "a node loses its store with the cluster's records", StoreLost, 3},
};

}  // namespace

void FoundAt(World& world, Duration when) {
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), FoundCluster{.code = kCode}); });
}

std::span<const Scenario> AdmissionScenarios() {
  return kTable;
}

}  // namespace qure::sim
