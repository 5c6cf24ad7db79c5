// Who belongs to the cluster.
#include <iterator>
#include <optional>
#include <set>
#include <vector>

#include "control/core/admission/codes.h"
#include "control/core/command.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

// The same paper whenever a run founds its cluster.
constexpr admission::RecoveryCode kCode = {4, 2};
// And the same token.
constexpr admission::TokenId kId = {3};
constexpr admission::TokenSecret kSecret = {4};

admission::PublicKey IdentityOf(World& world, size_t node) {
  return admission::SigningKeyOf(world.node(node).disk().identity()).public_key;
}

// Who belongs to the cluster as a node knows it, and is none of its machines: an operator sees them when it revokes.
std::set<admission::Fingerprint> Unknown(World& world, size_t node) {
  std::set<admission::Fingerprint> unknown;
  for (const auto& row : world.node(node).Status(world.now()).roll.nodes) unknown.insert(row.identity);
  for (size_t i = 0; i < world.size(); ++i) unknown.erase(admission::FingerprintOf(IdentityOf(world, i)));
  return unknown;
}

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

// A node without a key is named on one member or on all, while any of them may fail; and again, since a member that
// fails forgets whom it waits for.
void Adopted(World& world) {
  const size_t joins = OneWithoutAKey(world);
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

// It carries a token that one member has opened, while any of them may fail. Nothing is said twice: a token is a record
// like all others.
void Invited(World& world) {
  const size_t joins = OneWithoutAKey(world);
  FoundAt(world, Seconds(3));
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  InviteAt(world, when, joins, 1);
  Duration step = when + Milliseconds(550);
  for (int64_t faults = world.random().Between(0, 3); faults > 0; --faults) {
    step = AddRandomFault(world, step + world.random().Between(Milliseconds(1), Seconds(1)));
  }
  world.At(step + Seconds(1), [&world, joins] { world.node(joins).Boot(world.now()); });
  world.settle = Seconds(6);
}

// The cluster gets new keys, by any node. Nothing fails in half of the runs: then nobody notices.
void Rotated(World& world) {
  FoundAt(world, Seconds(3));
  const bool calm = world.random().Chance(0.5);
  world.expect().served_within = calm ? Milliseconds(20) : Milliseconds(4000);
  if (!calm) world.expect().overlap = Milliseconds(400);
  const Duration when = Seconds(5) + world.random().Between(Duration{}, Seconds(1));
  RotateAt(world, when);
  const Duration step = calm ? when : SomeFaults(world, when, 3);
  RotateAt(world, step + world.random().Between(Duration{}, Seconds(2)));
  world.settle = Seconds(4);
}

// One is away, and comes back under a key that nobody uses any more.
void RotatedAway(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  FoundAt(world, Seconds(3));
  const Duration when = Seconds(5);
  const size_t away = world.random().Below(world.size());
  world.At(when, [&world, away] { world.node(away).Kill(world.now()); });
  RotateAt(world, when + Seconds(2));
  RotateAt(world, when + Seconds(4));
  const Duration step = SomeFaults(world, when + Seconds(4), 1);
  world.At(step + Seconds(1), [&world, away] { world.node(away).Boot(world.now()); });
  world.settle = Seconds(5);
}

// A node leaves, perhaps the master, while nodes fail, and is taken in again: as another one, by then.
void Left(World& world) {
  const size_t leaves = OneWithoutAKey(world);
  // It may lead, and others that wait for the key of afterwards cannot open what comes under it.
  world.expect().overlap = Seconds(2);
  if (world.random().Chance(0.5)) world.setups[leaves].priority = 1;
  world.config.network.preempt = true;
  world.setups[leaves].config.network.preempt = true;
  FoundAt(world, Seconds(3));
  AdmitAt(world, Seconds(4), leaves);
  const Duration when = Seconds(9) + world.random().Between(Duration{}, Seconds(1));
  world.At(when, [&world, leaves] { world.node(leaves).Command(world.now(), LeaveCluster{}); });
  const Duration step = SomeFaults(world, when, 2);
  world.At(step + Seconds(1), [&world, leaves] { world.node(leaves).Boot(world.now()); });
  // One that was killed before the others heard its word is as it was.
  world.At(step + Seconds(2), [&world, leaves] { world.node(leaves).Command(world.now(), LeaveCluster{}); });
  AdmitAt(world, step + Seconds(6), leaves);
  world.settle = Seconds(7);
}

// A node is killed in the middle of what an operator has begun, and starts again: at any frame and at any write.
void CrashAfter(World& world, Duration when) {
  const size_t who = world.random().Below(world.size());
  const Duration dies = when + world.random().Between(Duration{}, Milliseconds(250));
  world.At(dies, [&world, who] { world.node(who).Kill(world.now()); });
  world.At(dies + world.random().Between(Milliseconds(1), Seconds(2)),
           [&world, who] { world.node(who).Boot(world.now()); });
}

// A node is taken in, and the key is changed.
void Crashed(World& world) {
  const size_t joins = OneWithoutAKey(world);
  world.expect().overlap = Seconds(2);
  FoundAt(world, Seconds(3));
  AdmitAt(world, Seconds(4), joins);
  CrashAfter(world, Seconds(4));
  AdmitAt(world, Seconds(8), joins);
  RotateAt(world, Seconds(12));
  CrashAfter(world, Seconds(12));
  RotateAt(world, Seconds(18));
  CrashAfter(world, Seconds(18));
  world.settle = Seconds(5);
}

// Wall clocks are ten years apart, or begin in 1970: nobody is let in, kept out or revoked by what they show.
void WrongClocks(World& world) {
  constexpr int64_t kTenYearsMs = 10LL * 365 * 24 * 3600 * 1000;
  const size_t joins = OneWithoutAKey(world);
  world.expect().overlap = Seconds(2);
  world.expect().check_silent = false;
  for (NodeSetup& setup : world.setups) {
    const auto right = static_cast<int64_t>(setup.wall_ms);
    const int64_t shown[] = {1, right - kTenYearsMs, right, right + kTenYearsMs};
    setup.wall_ms = static_cast<uint64_t>(shown[world.random().Below(std::size(shown))]);
  }
  FoundAt(world, Seconds(3));
  InviteAt(world, Seconds(4), joins, 1);
  RotateAt(world, Seconds(9));
  const size_t gone = world.random().Below(joins);
  world.revoked = {gone};
  RevokeAt(world, Seconds(13), gone);
  SomeFaults(world, Seconds(13), 1);
  RevokeAt(world, Seconds(17), gone);
  world.settle = Seconds(6);
}

// A node is expelled while nodes fail, perhaps the master, perhaps while it is away itself. It has the old key in its
// configuration.
void Revoked(World& world) {
  world.expect().served_within = Milliseconds(4000);
  // One that was held or away meanwhile cannot open what comes under the new key: it is as cut off until it has it.
  world.expect().overlap = Seconds(2);
  world.expect().check_silent = false;
  FoundAt(world, Seconds(3));
  const size_t gone = world.random().Below(world.size());
  world.revoked = {gone};
  const Duration when = Seconds(6);
  const bool away = world.random().Chance(0.5);
  if (away) world.At(when - Seconds(1), [&world, gone] { world.node(gone).Kill(world.now()); });
  RevokeAt(world, when, gone);
  const Duration step = SomeFaults(world, when, 2);
  RevokeAt(world, step + Seconds(2), gone);
  world.At(step + Seconds(3), [&world, gone] { world.node(gone).Boot(world.now()); });
  world.settle = Seconds(6);
}

constexpr Scenario kTable[] = {
    {"records_founded", "the cluster's records are begun while nodes fail", Founded, 3},
    {"adopted", "a node without a key is taken in while nodes fail", Adopted, 4},
    {"invited", "a node without a key carries a token while nodes fail", Invited, 4},
    {"rotated", "the cluster gets new keys while nodes fail", Rotated, 3},
    {"rotated_away", "a node was away while the key changed twice", RotatedAway, 3},
    {"revoked", "a node is expelled while nodes fail", Revoked, 4},
    {"crashed", "a node is killed while one is taken in or the key is changed", Crashed, 4},
    {"wrong_clocks", "wall clocks are ten years apart, or begin in 1970", WrongClocks, 4},
    {"left", "a node leaves the cluster while nodes fail, and comes again", Left, 4},
    {"records_lost", "a node loses its store with the cluster's records", StoreLost, 3},
};

}  // namespace

void FoundAt(World& world, Duration when) {
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), FoundCluster{.code = kCode}); });
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

size_t OneWithoutAKey(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  const size_t joins = world.size() - 1;
  ClusterConfig& config = world.setups[joins].config;
  config = world.config;
  config.network.key.reset();
  config.network.join = JoinConfig{};
  return joins;
}

void RotateAt(World& world, Duration when) {
  world.At(when, [&world] { world.node(world.Anyone()).Command(world.now(), RotateKey{}); });
}

void RevokeAt(World& world, Duration when, size_t gone) {
  std::vector<size_t> all;
  for (size_t i = 0; i < world.size(); ++i) all.push_back(i);
  RevokeBy(world, when, gone, all);
}

void RevokeBy(World& world, Duration when, size_t gone, const std::vector<size_t>& by) {
  world.At(when - Milliseconds(500), [&world, gone] {
    if (world.node(gone).running()) world.node(gone).Command(world.now(), HandOver{});
  });
  world.At(when, [&world, gone, by] {
    const admission::PublicKey identity = IdentityOf(world, gone);
    world.monitor().Revoke(identity);
    // At the master; or if that is none of these, at any.
    std::optional<size_t> at;
    for (const size_t i : by) {
      if (i == gone || !world.node(i).running()) continue;
      if (!at || world.node(i).Status(world.now()).role == NodeRole::kMaster) at = i;
    }
    if (!at) return;
    std::set<admission::Fingerprint> nodes = Unknown(world, *at);
    nodes.insert(admission::FingerprintOf(identity));
    world.node(*at).Command(world.now(), RevokeNodes{.nodes = nodes, .code = kCode, .why = "stolen"});
  });
}

void InviteAt(World& world, Duration when, size_t joins, uint32_t uses) {
  world.At(when, [&world, joins, uses] {
    Node& master = world.node(world.Master());
    const std::optional<admission::Fingerprint> cluster = master.Status(world.now()).roll.cluster;
    if (!cluster) return;
    master.Command(world.now(), OpenToken{.id = kId, .secret = kSecret, .uses = uses, .lifetime = Seconds(60)});
    world.node(joins).SetJoin({.cluster = std::nullopt, .token = admission::MakeToken(*cluster, kId, kSecret)});
  });
  // Those that are present have the record by then.
  world.At(when + Milliseconds(500), [&world, joins] { world.node(joins).Kill(world.now()); });
  world.At(when + Milliseconds(550), [&world, joins] { world.node(joins).Boot(world.now()); });
}

std::span<const Scenario> AdmissionScenarios() {
  return kTable;
}

}  // namespace qure::sim
