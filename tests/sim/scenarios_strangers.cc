// Others on the LAN, and messages that are not what they seem.
#include <memory>
#include <string>

#include "control/core/cluster/identity.h"
#include "control/core/timers.h"
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kCalm = Seconds(4);
constexpr Ipv4Address kFirst{{198, 51, 100, 50}};
constexpr Ipv4Address kSecond{{198, 51, 100, 60}};

Duration Soon(World& world) {
  return kCalm + world.random().Between(Duration{}, Seconds(1));
}

// A node's boot is recorded, the node starts again, and what its earlier boot sent is played.
void ReplayedBoot(World& world) {
  world.expect().served_within = Milliseconds(400);
  world.Quietly(Duration{}, [&world] { world.recorder().Record(true); });
  const Duration when = Soon(world);
  const size_t who = world.random().Below(world.size());
  world.At(when, [&world, who] {
    world.recorder().Record(false);
    world.node(who).Kill(world.now());
  });
  world.At(when + Seconds(1), [&world, who] { world.node(who).Boot(world.now()); });
  world.At(when + Seconds(3), [&world, who] {
    if (world.Master() != who)
      world.node(world.Master()).Command(world.now(), HandOver{.successor = world.node(who).id()});
  });
  world.At(when + Seconds(5), [&world] {
    world.monitor().ForbidTakeovers(true);
    world.recorder().Play(world.now(), 1500, Microseconds(800), false);
  });
  world.settle = Seconds(4);
}

// What 64 earlier boots of the nodes have said: sealed as they would have.
void RecordEarlierBoots(World& world) {
  constexpr int kBoots = 64;
  constexpr int kWords = 8;
  for (int i = 0; i < kBoots; ++i) {
    const NodeId id = world.node(static_cast<size_t>(i) % world.size()).id();
    const Node& other = world.node((static_cast<size_t>(i) + 1) % world.size());
    const BootId asked = other.running() ? other.boot() : BootId{world.random().Id()};  // it has run since then
    Transport earlier(id, world.random().Id(), world.random());
    TransportConfig config = world.TransportOf(world.config);
    config.address = Ipv4Address{{198, 51, 100, 101}};
    config.mac = NodeMac(id, 0);
    earlier.Configure(config);
    Actions said;
    for (int word = 0; word < kWords; ++word) {
      wire::Message message;
      if (word % 2 == 0) {
        message.mutable_hello()->set_age(1);
      } else {
        message.mutable_challenge()->set_nonce(std::string(16, 'x'));
        message.mutable_challenge()->set_boot(std::string(asked.begin(), asked.end()));
      }
      earlier.SendToAll(message, &said);
    }
    for (const Action& action : said) world.recorder().Keep(std::get<SendFrame>(action).bytes);
  }
}

// Longer than a node that starts may be held by it.
void PlayForLong(World& world) {
  world.recorder().Play(world.now(), 18'000, Microseconds(300), false);
}

// As soon as a node that starts at `when` has listened for as long as it may.
void ExpectJoined(World& world, Duration when, size_t who, const std::shared_ptr<uint32_t>& era) {
  world.At(when + kListen + kListenJitter + kListenLonger + Milliseconds(500), [&world, who, era] {
    if (world.node(who).Status(world.now()).era == *era) return;
    world.monitor().Violate(world.now(), Invariant::kHistory, "a node that started did not join the living cluster");
  });
}

// A node starts while recordings of many earlier boots are played: it joins the cluster that lives.
void RecordedBoots(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration when = Soon(world);
  const size_t who = world.random().Below(world.size());
  auto era = std::make_shared<uint32_t>(0);
  world.At(when, [&world, who, era] {
    RecordEarlierBoots(world);
    *era = world.node(world.Master()).Status(world.now()).era;
    world.node(who).Kill(world.now());
  });
  world.At(when + Milliseconds(1500), [&world] { PlayForLong(world); });
  world.At(when + Seconds(2), [&world, who] { world.node(who).Boot(world.now()); });
  ExpectJoined(world, when + Seconds(2), who, era);
}

// A node starts, and its switch port carries nothing from it at first: it hears the cluster, which cannot prove to it
// that it lives.
void MuteStart(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration when = Soon(world);
  const size_t who = world.random().Below(world.size());
  auto era = std::make_shared<uint32_t>(0);
  world.At(when, [&world, who, era] {
    *era = world.node(world.Master()).Status(world.now()).era;
    world.node(who).Kill(world.now());
  });
  world.At(when + Seconds(1), [&world, who] {
    world.lan().up(world.node(who).port()).loss = 1;
    world.node(who).Boot(world.now());
  });
  const Duration mute = world.random().Between(kListen + kListenJitter * 2, kListenLonger);
  world.At(when + Seconds(1) + mute, [&world, who] { world.lan().up(world.node(who).port()).loss = 0; });
  ExpectJoined(world, when + Seconds(1), who, era);
}

// All nodes start at about the same time while recordings of many earlier boots are played: these hold nobody for ever.
void RecordedStart(World& world) {
  world.boots_itself = false;
  world.expect().served_within = world.expect().served_within + kListenLonger;
  world.Make();
  world.Quietly(Duration{}, [&world] {
    RecordEarlierBoots(world);
    PlayForLong(world);
  });
  for (size_t i = 0; i < world.size(); ++i) {
    world.At(Soon(world) - kCalm, [&world, i] { world.node(i).Boot(world.now()); });
  }
  world.settle = Seconds(6);
}

// What two nodes said when one was told by the other to drain, and that it need not, is in the recording.
void Replayed(World& world, bool damage) {
  world.expect().served_within = Milliseconds(200);
  const size_t drained = world.random().Below(world.size());
  const size_t tells = (drained + 1) % world.size();
  world.Quietly(Duration{}, [&world] { world.recorder().Record(true); });
  for (const bool on : {true, false}) {
    world.Quietly(Seconds(on ? 2 : 3), [&world, drained, tells, on] {
      world.node(tells).Command(world.now(), SetDraining{.node = world.node(drained).id(), .on = on});
    });
  }
  const Duration when = Soon(world);
  world.At(when, [&world, damage] {
    world.monitor().ForbidTakeovers(true);
    world.recorder().Play(world.now(), 2500, Microseconds(800), damage);
  });
  world.Quietly(when + Seconds(3), [&world, drained] {
    if (!world.node(drained).Status(world.now()).nodes.at(0).draining) return;
    world.monitor().Violate(world.now(), Invariant::kEnvelope, "a command that was played again is carried out");
  });
  world.settle = Seconds(4);
}

void ReplayedNow(World& world) {
  Replayed(world, false);
}
void BitFlips(World& world) {
  Replayed(world, true);
}

// Who misses a message of the cluster gets it from a host without the key, while a node starts and the master changes.
void Relabelled(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.expect().overlap = Milliseconds(500);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.lan().down(world.node(i).port()).loss = 0.05;
    world.recorder().Repeat(true);
  });
  world.At(when + Seconds(1), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.At(when + Seconds(2), [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
  });
  world.At(when + Seconds(4), [&world] {
    world.recorder().Repeat(false);
    world.Mend();
  });
  world.settle = Seconds(4);
}

// Far more on the cluster's port than a control thread can look at.
void ClusterFlood(World& world) {
  world.expect().served_within = Milliseconds(200);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    world.monitor().ForbidTakeovers(true);
    world.recorder().FloodCluster(world.now(), 200'000, Microseconds(10));
  });
  world.settle = Seconds(3);
}

void OtherCluster(World& world) {
  world.expect().served_within = Milliseconds(200);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    world.monitor().ForbidTakeovers(true);
    ClusterConfig other = world.config;
    other.name = "another";
    TransportConfig transport = world.TransportOf(other);
    world.speaker().Start(world.now(), Speaker::Kind::kOtherCluster, transport);
  });
  world.At(when + Seconds(3), [&world] { world.speaker().Stop(); });
}

void Versions(World& world) {
  world.expect().served_within = Milliseconds(400);
  world.setups[0].revision = "2.0";
  world.Quietly(Milliseconds(world.random().Between(0, 3000)), [&world] {
    world.speaker().Start(world.now(), Speaker::Kind::kFuture, world.TransportOf(world.config));
  });
  const Duration when = Soon(world);
  world.At(when, [&world] { world.node(world.Master()).Kill(world.now()); });
  world.At(when + Seconds(1), [&world] {
    for (size_t i = 0; i < world.size(); ++i) {
      if (!world.node(i).running()) world.node(i).SetRevision("2.0");
      world.node(i).Boot(world.now());
    }
  });
  world.At(when + Seconds(4), [&world] { world.speaker().Stop(); });
}

void ForeignBefore(World& world) {
  world.config.addresses = {{.candidates = {{kFirst, 24}, {kSecond, 24}}}};
  world.gateway().Aim(kSecond);
  world.gateway().SetTemperament(Temperament::kIgnores);
  world.expect().served_within = Seconds(5);
  world.Quietly(Duration{}, [&world] {
    world.foreign().Appear(world.now(), kFirst);
    world.monitor().BeginForeign(kFirst);
  });
  world.At(Soon(world) + Seconds(2), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(5);
}

// A host uses the address that the cluster holds, three times a second and for good; masters die meanwhile.
void ForeignTakes(World& world) {
  world.config.addresses = {{.candidates = {{kFirst, 24}, {kSecond, 24}}}};
  world.expect().served_within = Milliseconds(800);
  const Duration when = Soon(world);
  world.At(when, [&world] { world.foreign().Appear(world.now(), kFirst, {.announces = Milliseconds(333)}); });
  world.At(when + Seconds(6), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(6);
}

// Someone probes for the address 20,000 times a second while the master dies: the answers that its deputy waits for
// reach it all the same.
void ProbeFlood(World& world) {
  world.expect().served_within = Milliseconds(200);
  const Duration when = Soon(world);
  world.At(when, [&world] { world.recorder().Flood(world.now(), 16'000, Microseconds(50), kFirst); });
  world.At(when + world.random().Between(Milliseconds(200), Milliseconds(500)),
           [&world] { world.node(world.Master()).Kill(world.now()); });
}

// A host says that the address is at the service MAC, from its own MAC or from that one, and the master dies.
void FalseHolder(World& world) {
  const Duration when = Soon(world);
  const bool steals = world.random().Chance(0.5);
  // Then one is elected; but frames from the service MAC lead the switch to that host for as long as it sends them.
  world.expect().served_within = steals ? Seconds(10) : kVetoLife + Milliseconds(1500);
  world.At(when, [&world, steals] {
    world.foreign().Appear(world.now(), kFirst,
                           {.announces = Milliseconds(200),
                            .as = ServiceMacFor(ClusterIdFromName(world.config.name), kFirst),
                            .steals = steals});
  });
  const Duration dies = when + world.random().Between(Milliseconds(300), Seconds(1));
  world.At(dies, [&world] { world.node(world.Master()).Kill(world.now()); });
  world.At(dies + kVetoLife + Milliseconds(1500), [&world] {
    for (size_t i = 0; i < world.size(); ++i) {
      if (world.node(i).running() && world.node(i).Status(world.now()).role == NodeRole::kMaster) return;
    }
    world.monitor().Violate(world.now(), Invariant::kServed,
                            "a host that answers for the address keeps all from leading");
  });
  world.At(dies + Seconds(8), [&world] { world.foreign().Vanish(); });
}

// One node is cut off, together with a host that says again and again that it is the gateway, each time at another MAC,
// but answers no question.
void FalseGateway(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  const size_t one = world.random().Below(world.size());
  world.At(when, [&world, one] {
    world.Cut({one}, false);
    world.lan().SetGroup(world.foreign().port(), 1);
    world.foreign().Appear(world.now(), Gateway::kAddress,
                           {.announces = Milliseconds(7), .answers = false, .roams = true});
  });
  world.At(when + world.random().Between(Milliseconds(500), Seconds(5)), [&world] {
    world.foreign().Vanish();
    world.Mend();
  });
}

// Half of the nodes have a new key when the master dies.
void HalfRotated(World& world) {
  world.expect().served_within = Milliseconds(400);
  world.expect().check_silent = false;
  const ClusterKey fresh{9, 9, 9};
  const Duration when = Soon(world);
  Duration step = when;
  for (size_t i = 0; i < world.size(); ++i) {
    world.At(step, [&world, i, fresh] { world.node(i).Command(world.now(), AddKey{.id = 2, .key = fresh}); });
    step = step + Milliseconds(300);
  }
  for (size_t i = 0; i < world.size(); ++i) {
    world.At(step, [&world, i] { world.node(i).Command(world.now(), UseKey{.id = 2}); });
    step = step + Milliseconds(300);
    if (i == 0) world.At(step, [&world] { world.node(world.Master()).Kill(world.now()); });
  }
  world.At(step, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
  });
  step = step + Seconds(3);
  for (size_t i = 0; i < world.size(); ++i) {
    world.At(step, [&world, i] { world.node(i).Command(world.now(), UseKey{.id = 2}); });
    world.At(step + Seconds(1), [&world, i] { world.node(i).Command(world.now(), RemoveKey{.id = 1}); });
  }
}

// `twin`: a cloned VM, with the MAC of its original.
void CloneOne(World& world, bool twin) {
  world.expect().served_within = Seconds(3);
  world.expect().check_silent = false;  // the original's heartbeats may be for its copy
  world.boots_itself = false;
  const size_t original = world.random().Below(world.size() - 1);
  const size_t copy = world.size() - 1;
  if (twin) world.setups[copy].lan_mac = world.setups[original].lan_mac;
  for (size_t i = 0; i + 1 < world.size(); ++i) {
    world.At(Milliseconds(static_cast<int64_t>(10 * i)), [&world, i] { world.node(i).Boot(world.now()); });
  }
  const Duration when = Soon(world);
  world.At(when, [&world, original, copy] {
    world.node(copy).disk().CopyFrom(world.node(original).disk());
    world.node(copy).Boot(world.now());
  });
  world.At(when + Seconds(5), [&world, original, copy] {
    if (world.node(copy).id() != world.node(original).id()) return;
    world.monitor().Violate(world.now(), Invariant::kServed, "two machines keep one identity");
  });
  world.settle = Seconds(6);
}
void Clone(World& world) {
  CloneOne(world, false);
}
void CloneTwin(World& world) {
  CloneOne(world, true);
}

// The nodes have records of who belongs to the cluster: the copy has its keys from them no more, and asks for them.
void CloneOfMember(World& world) {
  world.config.auto_admit = admission::AutoAdmit::kCopies;
  CloneOne(world, world.random().Chance(0.5));
  world.expect().overlap = Milliseconds(400);
  FoundAt(world, Seconds(3));
  world.settle = Seconds(9);
}

constexpr Scenario kTable[] = {
    {"replayed_boot", "what an earlier boot said is played again", ReplayedBoot, 3},
    {"recorded_boots", "a node starts while what many earlier boots said is played", RecordedBoots, 3},
    {"mute_start", "a node starts that hears the cluster and is not heard at first", MuteStart, 3},
    {"recorded_start", "all nodes start while recordings of many earlier boots are played", RecordedStart, 3},
    {"replayed_now", "what was said just now is played again", ReplayedNow, 3},
    {"relabelled", "messages that were missed come from another host", Relabelled, 3},
    {"cluster_flood", "junk on the cluster's port", ClusterFlood, 3},
    {"bit_flips", "frames are played with a bit changed", BitFlips, 3},
    {"other_cluster", "another cluster with the same key speaks on the LAN", OtherCluster, 3},
    {"mixed_versions", "a member of a later version says what we do not know", Versions, 3},
    {"foreign_before", "a foreign host has the address before the cluster starts", ForeignBefore, 3},
    {"foreign_takes", "a foreign host uses the address that is held", ForeignTakes, 3},
    {"probe_flood", "someone probes for the address without end; the master dies", ProbeFlood, 3},
    {"false_holder", "a host answers for the address as the cluster would; the master dies", FalseHolder, 3},
    {"false_gateway", "a node that is cut off hears a host that says it is the gateway", FalseGateway, 3},
    {"half_rotated_keys", "the master dies while half of the nodes seal with a new key", HalfRotated, 3},
    {"clone", "a copy of a node is started beside its original", Clone, 4},
    {"clone_twin", "the same, and both have one MAC", CloneTwin, 4},
    {"clone_of_member", "the same in a cluster that takes in the copies of its members", CloneOfMember, 4},
};

}  // namespace

std::span<const Scenario> StrangerScenarios() {
  return kTable;
}

}  // namespace qure::sim
