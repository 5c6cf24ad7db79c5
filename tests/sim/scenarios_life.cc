// Deaths, boots, eras, merges, handovers.
#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kCalm = Seconds(4);

Duration Soon(World& world) {
  return kCalm + world.random().Between(Duration{}, Seconds(1));
}

void BootAll(World& world) {
  for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
}

void KillMaster(World& world) {
  world.expect().served_within = Milliseconds(120);
  Duration when = Soon(world);
  for (int i = 0; i < 3; ++i) {
    world.At(when, [&world] { world.node(world.Master()).Kill(world.now()); });
    world.At(when + Seconds(1), [&world] { BootAll(world); });
    when = when + Seconds(4);
  }
}

void KillDeputy(World& world) {
  world.expect().served_within = Milliseconds(150);
  const Duration when = Soon(world);
  world.At(when, [&world] { world.node(world.Deputy()).Kill(world.now()); });
  world.At(when + Seconds(1), [&world] { BootAll(world); });
}

void DoubleDeath(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    const size_t master = world.Master();
    const size_t deputy = world.Deputy();
    world.node(master).Kill(world.now());
    world.node(deputy).Kill(world.now());
  });
}

void AllDie(World& world) {
  world.expect().served_within = Milliseconds(2500);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Kill(world.now());
  });
  world.At(when + Seconds(1), [&world] { BootAll(world); });
  world.settle = Seconds(4);
}

void BootTogether(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.boots_itself = false;
  const bool at_once = world.random().Chance(0.5);
  for (size_t i = 0; i < world.size(); ++i) {
    const Duration when = at_once ? Duration{} : world.random().Between(Duration{}, Seconds(2));
    world.At(when, [&world, i] { world.node(i).Boot(world.now()); });
  }
  world.settle = Seconds(4);
}

// Two halves boot apart and meet. With fresh disks both begin era 1 and claim term epoch 1.
void MergeEqualTerms(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.boots_itself = false;
  world.At(Duration{}, [&world] {
    world.Cut({world.size() - 1}, false);
    BootAll(world);
  });
  world.At(Soon(world), [&world] { world.Mend(); });
  world.settle = Seconds(4);
}

// A node that lived alone for many eras and masterships comes back.
void InflatedTerm(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.boots_itself = false;
  const size_t lonely = world.random().Below(world.size());
  world.At(Duration{}, [&world, lonely] {
    world.Cut({lonely}, true);
    BootAll(world);
  });
  const int64_t boots = world.random().Between(2, 5);
  for (int64_t i = 0; i < boots; ++i) {
    world.At(Seconds(3 * (i + 1)), [&world, lonely] { world.node(lonely).Kill(world.now()); });
    world.At(Seconds(3 * (i + 1)) + Milliseconds(100), [&world, lonely] { world.node(lonely).Boot(world.now()); });
  }
  world.At(Seconds(3 * (boots + 1)), [&world] { world.Mend(); });
  world.settle = Seconds(4);
}

void Handovers(World& world) {
  world.expect().served_within = Milliseconds(100);
  Duration when = Soon(world);
  for (int i = 0; i < 4; ++i) {
    world.At(when, [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
    when = when + Seconds(2);
  }
}

void Maintenance(World& world) {
  world.expect().served_within = Milliseconds(120);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    const size_t master = world.Master();
    world.node(master).Command(world.now(), SetMaintenance{.on = true});
    world.Quietly(Duration{world.now().ns} + Seconds(2),
                  [&world, master] { world.node(master).Command(world.now(), SetMaintenance{.on = false}); });
  });
  world.At(when + Seconds(4), [&world] { world.node(world.Master()).Kill(world.now()); });
}

void GoodbyeLost(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    const size_t master = world.Master();
    world.lan().up(world.node(master).port()).loss = 0.1 * static_cast<double>(world.random().Between(2, 10));
    world.node(master).Command(world.now(), Stop{});
  });
  world.At(when + Seconds(3), [&world] { world.Mend(); });
}

void Goodbye(World& world) {
  world.expect().served_within = Milliseconds(120);
  const Duration when = Soon(world);
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), Stop{}); });
  world.At(when + Seconds(3), [&world] { BootAll(world); });
}

// A GOODBYE is recorded and sent again for its author, who has come back.
void GoodbyeForged(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration when = Soon(world);
  const bool damaged = world.random().Chance(0.3);
  world.At(when, [&world] {
    world.recorder().Record(true);
    world.node(world.Master()).Command(world.now(), Stop{});
  });
  world.At(when + Seconds(2), [&world] {
    world.recorder().Record(false);
    BootAll(world);
  });
  world.At(when + Seconds(5), [&world, damaged] {
    world.monitor().ForbidTakeovers(true);
    world.recorder().Play(world.now(), world.recorder().recorded(), Microseconds(500), damaged);
  });
  world.settle = Seconds(4);
}

void WallClock(World& world) {
  world.expect().served_within = Milliseconds(100);
  for (size_t i = 0; i < world.size(); ++i) world.setups[i].rate_ppm = world.random().Between(-200, 200);
  Duration when = Soon(world);
  world.Quietly(when, [&world] { world.monitor().ForbidTakeovers(true); });
  for (int i = 0; i < 6; ++i) {
    world.Quietly(when, [&world] {
      world.node(world.Anyone()).JumpWall(world.random().Between(Seconds(-86400), Seconds(86400)));
    });
    when = when + Milliseconds(700);
  }
  world.settle = Seconds(3);
}

// The configuration changes on one node after the other, and the first one dies in the middle of it.
void ConfigChange(World& world) {
  world.expect().served_within = Milliseconds(1500);
  ClusterConfig next = world.config;
  next.addresses[0].candidates.push_back({Ipv4Address{{198, 51, 100, 60}}, 24});
  next.probe_interval = Milliseconds(120);
  const Duration when = Soon(world);
  const bool master_first = world.random().Chance(0.5);
  world.At(when, [&world, next, master_first] {
    const size_t first = master_first ? world.Master() : world.Deputy();
    world.node(first).Reconfigure(world.now(), next);
    world.At(Duration{world.now().ns} + Milliseconds(30), [&world, first] { world.node(first).Kill(world.now()); });
  });
  world.At(when + Seconds(1), [&world, next] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Reconfigure(world.now(), next);
  });
}

constexpr Scenario kTable[] = {
    {"kill_master", "the master is killed, three times", KillMaster, 3},
    {"kill_deputy", "the deputy is killed", KillDeputy, 3},
    {"double_death", "master and deputy die together", DoubleDeath, 3},
    {"all_die", "all are killed and started again", AllDie, 3},
    {"boot_together", "all boot at once, or within two seconds", BootTogether, 4},
    {"merge_equal_terms", "two halves that lived apart under equal terms meet", MergeEqualTerms, 3},
    {"inflated_term", "an isolated node comes back with a greater era", InflatedTerm, 3},
    {"handovers", "the mastership is handed over, four times", Handovers, 3},
    {"maintenance", "the master goes into maintenance and comes back", Maintenance, 3},
    {"goodbye", "the master is asked to stop", Goodbye, 3},
    {"goodbye_lost", "the master is asked to stop, and not heard", GoodbyeLost, 3},
    {"goodbye_forged", "a goodbye is played again", GoodbyeForged, 3},
    {"clocks", "clocks drift, and are set by up to a day", WallClock, 3},
    {"config_change", "the first node with a new configuration dies before the others have it", ConfigChange, 3},
};

}  // namespace

std::span<const Scenario> LifeScenarios() {
  return kTable;
}

}  // namespace qure::sim
