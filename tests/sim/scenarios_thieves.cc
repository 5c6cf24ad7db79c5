// Who has recorded, copied or stolen what the cluster lives by.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/codes.h"
#include "control/core/command.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kFounded = Seconds(3);

// While the cluster has no key that all of it knows, one half of it may not hear the other.
void ExpectRevocation(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Seconds(2);
  world.expect().check_silent = false;
}

// What the thief says may be believed from now on: what the cluster does meanwhile is the fault of the thief alone.
void ExpectHarm(World& world, Duration when) {
  world.Quietly(when, [&world] {
    world.expect().check_served = false;
    world.expect().overlap = Seconds(20);
    world.expect().can_learn = false;
  });
}

std::vector<NodeId> AllIds(World& world) {
  std::vector<NodeId> ids;
  for (size_t i = 0; i < world.size(); ++i) ids.push_back(world.node(i).disk().node_id());
  return ids;
}

void StealAt(World& world, Duration when, size_t from, bool disk) {
  world.Quietly(when, [&world, from, disk] {
    Loot loot = LootOf(world.node(from).disk().state());
    if (!disk) loot.identity.reset();
    world.thief().Steal(loot, world.TransportOf(world.config));
  });
}

// Once nobody opens the stolen keys any more, whatever could be tried with them is tried, and does no harm.
void BeRecklessAt(World& world, Duration when) {
  auto reckless = std::make_shared<bool>(false);
  world.Quietly(when, [&world, reckless] {
    if (world.monitor().CleanSince() == kNever || world.monitor().CleanSince() + Seconds(1) > world.now()) return;
    world.thief().Speak(world.now(), AllIds(world), /*reckless=*/true);
    *reckless = true;
  });
  world.Quietly(when + Seconds(3), [&world, reckless] {
    if (!*reckless) return;
    world.expect().check_served = true;
    world.expect().overlap = Seconds(2);
  });
}

void ComeForKeysAt(World& world, Duration when) {
  world.Quietly(when, [&world] { world.thief().ComeForKeys(world.now()); });
}

// All that was sent is played again, in any order: after the key was changed, after a node was revoked, and to nodes
// that start again meanwhile.
void Recorded(World& world) {
  ExpectRevocation(world);
  world.Quietly(Duration{}, [&world] { world.recorder().KeepAll(true); });
  FoundAt(world, kFounded);
  const auto play = [&world](Duration when) {
    world.Quietly(when, [&world] { world.recorder().PlayAnyhow(world.now(), 3000, Milliseconds(2)); });
  };
  const size_t gone = world.random().Below(world.size());
  const size_t again = (gone + 1) % world.size();
  world.revoked = {gone};
  RotateAt(world, Seconds(5));
  play(Seconds(7));
  RevokeAt(world, Seconds(10), gone);
  RevokeAt(world, Seconds(12), gone);
  play(Seconds(13));
  world.At(Seconds(16), [&world, again] { world.node(again).Kill(world.now()); });
  play(Seconds(17));
  world.At(Seconds(18), [&world, again] { world.node(again).Boot(world.now()); });
  const Duration step = SomeFaults(world, Seconds(18), 2);
  play(step + Milliseconds(100));
  world.settle = Seconds(4);
}

// The keys of a node are stolen. It is revoked, and what it has opens nothing any more.
void StolenKey(World& world) {
  ExpectRevocation(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const size_t gone = world.random().Below(world.size());
  world.revoked = {gone};
  StealAt(world, Seconds(4), gone, /*disk=*/false);
  if (world.random().Chance(0.5)) world.At(Seconds(4), [&world, gone] { world.node(gone).Kill(world.now()); });
  if (world.random().Chance(0.5)) {
    ExpectHarm(world, Seconds(5));
    world.Quietly(Seconds(5), [&world] { world.thief().Speak(world.now(), {}, /*reckless=*/false); });
  }
  RevokeAt(world, Seconds(7), gone);
  SomeFaults(world, Seconds(7), 1);
  RevokeAt(world, Seconds(11), gone);
  for (const Duration when : {Seconds(12), Seconds(17)}) BeRecklessAt(world, when);
  world.settle = Seconds(6);
}

// The disk of a node is stolen, with its identity: the thief is a member until it is revoked. It comes for each new
// key.
void StolenDisk(World& world) {
  ExpectRevocation(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const size_t gone = world.random().Below(world.size());
  world.revoked = {gone};
  StealAt(world, Seconds(4), gone, /*disk=*/true);
  world.At(Seconds(4), [&world, gone] { world.node(gone).Kill(world.now()); });
  ComeForKeysAt(world, Milliseconds(4500));
  if (world.random().Chance(0.5)) RotateAt(world, Seconds(5));
  if (world.random().Chance(0.5)) {
    ExpectHarm(world, Seconds(6));
    world.Quietly(Seconds(6), [&world] {
      world.thief().Speak(world.now(), {world.thief().robbed()}, /*reckless=*/false);
      world.thief().TakeIn(world.now());
    });
  }
  RevokeAt(world, Seconds(8), gone);
  SomeFaults(world, Seconds(8), 1);
  RevokeAt(world, Seconds(12), gone);
  for (const Duration when : {Seconds(13), Seconds(18)}) BeRecklessAt(world, when);
  world.settle = Seconds(6);
}

// A node that is cut off hears of the revocation last: the thief is with it, and gives and takes what it can.
void MeetsAbsent(World& world) {
  ExpectRevocation(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const size_t gone = world.random().Below(world.size());
  const size_t absent = (gone + 1 + world.random().Below(world.size() - 1)) % world.size();
  world.revoked = {gone};
  StealAt(world, Seconds(4), gone, /*disk=*/true);
  world.At(Seconds(4), [&world, gone] { world.node(gone).Kill(world.now()); });
  world.At(Seconds(5), [&world, absent] {
    world.Cut({absent}, /*gateway_too=*/false);
    world.lan().SetGroup(world.thief().port(), 1);
  });
  ExpectHarm(world, Seconds(5));
  world.Quietly(Milliseconds(5500), [&world] {
    world.thief().Speak(world.now(), {world.thief().robbed()}, /*reckless=*/false);
    world.thief().ComeForKeys(world.now());
    world.thief().TakeIn(world.now());
  });
  RevokeAt(world, Seconds(7), gone);
  if (world.random().Chance(0.5)) {
    world.At(Seconds(9), [&world, absent] { world.node(absent).Command(world.now(), RotateKey{}); });
  }
  const Duration heals = Seconds(9) + world.random().Between(Duration{}, Seconds(4));
  world.At(heals, [&world] { world.Mend(); });
  RevokeAt(world, heals + Seconds(3), gone);
  for (const Duration when : {Seconds(7), Seconds(12)}) BeRecklessAt(world, heals + when);
  world.settle = Seconds(6);
}

// A node without a key waits where the thief takes in any node that asks: it is a member when the cluster has named it,
// and not before.
void TakesIn(World& world) {
  ExpectRevocation(world);
  const size_t joins = OneWithoutAKey(world);
  ExpectRevocation(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const size_t gone = world.random().Below(joins);
  world.revoked = {gone};
  world.Quietly(Milliseconds(200), [&world, joins] { world.node(joins).Kill(world.now()); });
  StealAt(world, Seconds(4), gone, /*disk=*/true);
  world.At(Seconds(4), [&world, gone] { world.node(gone).Kill(world.now()); });
  RevokeAt(world, Seconds(6), gone);
  RevokeAt(world, Seconds(8), gone);
  world.Quietly(Seconds(13), [&world] { world.thief().TakeIn(world.now()); });
  world.At(Seconds(14), [&world, joins] { world.node(joins).Boot(world.now()); });
  world.Quietly(Seconds(18), [&world, joins] {
    world.monitor().TakeIn(
        admission::FingerprintOf(admission::SigningKeyOf(world.node(joins).disk().identity()).public_key));
  });
  AdmitAt(world, Seconds(18), joins);
  AdmitAt(world, Seconds(22), joins);
  world.settle = Seconds(6);
}

// Somebody runs a cluster with the same name, and takes in all that ask: not a node that wants this one.
void OtherOffers(World& world) {
  const size_t joins = OneWithoutAKey(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  world.At(when, [&world, joins] {
    const auto cluster = world.node(world.Master()).Status(world.now()).roll.cluster;
    world.node(joins).SetJoin({.cluster = cluster, .token = std::nullopt});
    world.node(joins).Kill(world.now());
    world.thief().Found(world.now(), world.TransportOf(world.config));
  });
  world.At(when + Milliseconds(100), [&world, joins] { world.node(joins).Boot(world.now()); });
  AdmitAt(world, when + Seconds(4), joins);
  world.settle = Seconds(4);
}

// The code of a node is named, and another node has one that looks like it.
void LooksAlike(World& world) {
  const size_t joins = OneWithoutAKey(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  world.At(when, [&world, joins] {
    world.thief().Resemble(world.now(), admission::DigitsOf(*world.node(joins).Status(world.now()).roll.own));
    if (world.random().Chance(0.5)) world.node(joins).Kill(world.now());
  });
  AdmitAt(world, when, joins);
  world.At(when + Milliseconds(10), [&world, joins] {
    const std::string code = admission::CodeOf(
        admission::FingerprintOf(admission::SigningKeyOf(world.node(joins).disk().identity()).public_key));
    for (size_t i = 0; i < joins; ++i) world.node(i).Command(world.now(), AdmitNode{.code = code});
  });
  world.At(when + Seconds(3), [&world, joins] { world.node(joins).Boot(world.now()); });
  world.settle = Seconds(5);
}

// A node is taken in with a token, which is good for another one. Who has heard that cannot use it.
void TokenCopied(World& world) {
  const size_t joins = OneWithoutAKey(world);
  world.AddThief();
  FoundAt(world, kFounded);
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  world.Quietly(when, [&world] { world.thief().CopyToken(world.now()); });
  InviteAt(world, when, joins, 5);
  world.At(when + Seconds(6), [] {});
  world.settle = Seconds(3);
}

// More ask to be taken in than are listed, and then so many that nobody can look at all of them. The one that was named
// is looked at, and nothing else suffers.
void CandidateFlood(World& world) {
  const size_t joins = OneWithoutAKey(world);
  world.expect().served_within = Milliseconds(20);
  world.expect().overlap = kCrossing;
  world.AddThief();
  FoundAt(world, kFounded);
  const Duration when = Seconds(4) + world.random().Between(Duration{}, Seconds(1));
  world.Quietly(Milliseconds(200), [&world, joins] { world.node(joins).Kill(world.now()); });
  world.Quietly(when, [&world] {
    world.monitor().ForbidTakeovers(true);
    world.thief().FloodCandidates(world.now(), 90, Milliseconds(70));
  });
  const Duration floods = when + Seconds(7);
  world.Quietly(floods, [&world] { world.thief().FloodCandidates(world.now(), 20'000, Microseconds(500)); });
  const Duration asks = floods + Seconds(7);
  world.At(asks - Seconds(1), [&world, joins] {
    const std::string code = admission::CodeOf(
        admission::FingerprintOf(admission::SigningKeyOf(world.node(joins).disk().identity()).public_key));
    for (size_t i = 0; i < joins; ++i) world.node(i).Command(world.now(), AdmitNode{.code = code});
  });
  world.At(asks, [&world, joins] { world.node(joins).Boot(world.now()); });
  world.At(asks + Milliseconds(2500), [&world, joins] {
    if (!world.node(joins).disk().state().keyring.keys.empty()) return;
    world.monitor().Violate(world.now(), Invariant::kWanted, "a node that was named waits behind others");
  });
  world.settle = Seconds(1);
}

// The recovery code is used in two partitions, against different nodes. Whom either expels is out.
void RostersMeet(World& world) {
  ExpectRevocation(world);
  world.config.network.gateway_required = false;
  world.expect().claims_need_gateway = false;
  FoundAt(world, kFounded);
  world.revoked = {3, 4};
  world.At(Seconds(4), [&world] { world.Cut({0, 1, 4}, world.random().Chance(0.5)); });
  RevokeBy(world, Seconds(7), 4, {0, 1});
  RevokeBy(world, Seconds(7), 3, {2});
  const Duration heals = Seconds(8) + world.random().Between(Duration{}, Seconds(3));
  world.At(heals, [&world] { world.Mend(); });
  SomeFaults(world, heals, 1);
  world.settle = Seconds(6);
}

constexpr Scenario kTable[] = {
    {"recorder", "all that was sent is played again after keys and members have changed", Recorded, 4},
    {"stolen_key", "a thief has the keys of a node, which is revoked", StolenKey, 4},
    {"stolen_disk", "a thief has the disk of a node, which is revoked", StolenDisk, 4},
    {"thief_meets_absent", "a thief is with a node that has not heard that he is revoked", MeetsAbsent, 4},
    {"thief_takes_in", "a thief takes in a node without a key", TakesIn, 5},
    {"rosters_meet", "nodes are revoked in two partitions", RostersMeet, 5},
    {"other_offers", "another cluster offers membership to a node that wants this one", OtherOffers, 4},
    {"looks_alike", "a node has a code that looks like the one that was named", LooksAlike, 4},
    {"token_copied", "what a token has signed is used again", TokenCopied, 4},
    {"candidate_flood", "a node is named while very many ask to be taken in", CandidateFlood, 4},
};

}  // namespace

std::span<const Scenario> ThiefScenarios() {
  return kTable;
}

}  // namespace qure::sim
