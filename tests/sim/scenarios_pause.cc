// Threads and machines that stand still.
#include <memory>

#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kCalm = Seconds(4);  // by then a master leads and its deputy follows

Duration Soon(World& world) {
  return kCalm + world.random().Between(Duration{}, Seconds(1));
}

void PausedMaster(World& world) {
  world.expect().served_within = Milliseconds(450);  // a short pause makes the lease long for the next one
  Duration when = Soon(world);
  for (int i = 0; i < 3; ++i) {
    const Duration span = world.random().Between(Milliseconds(15), Milliseconds(1200));
    world.At(when, [&world, span] { world.Hold(world.Master(), span); });
    world.At(when + span, [] {});
    when = when + span + Milliseconds(1500);
  }
}

void PauseAtGate(World& world) {
  world.expect().served_within = Milliseconds(700);
  Duration when = Soon(world);
  for (int i = 0; i < 3; ++i) {
    const auto where = world.random().Chance(0.5) ? Node::Where::kBeforeGate : Node::Where::kBehindGate;
    const Duration span = world.random().Between(Milliseconds(8), Milliseconds(400));
    world.At(when, [&world, where, span] { world.node(world.Master()).HoldAtGate(where, span); });
    world.At(when + span + Milliseconds(20), [] {});
    when = when + span + Milliseconds(1500);
  }
}

void SoloPaused(World& world) {
  world.expect().served_within = Milliseconds(600);
  Duration when = Soon(world);
  for (int i = 0; i < 3; ++i) {
    const Duration span = world.random().Between(Milliseconds(50), Milliseconds(1500));
    world.At(when, [&world, span] { world.Hold(world.Master(), span); });
    world.At(when + span, [] {});
    when = when + span + Milliseconds(1500);
  }
}

// The copy of a virtual machine goes on long after its original has been replaced: its own clock has not moved.
void Suspended(World& world) {
  world.expect().served_within = Milliseconds(400);
  const bool an_hour = world.random().Chance(0.004);
  const Duration span = an_hour ? Seconds(3600) : world.random().Between(Seconds(2), Seconds(20));
  const Duration when = Soon(world);
  world.At(when, [&world, span] { world.node(world.Master()).HoldHidden(world.now(), world.now() + span); });
  world.At(when + span, [] {});
}

void SnapshotRestored(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration when = Soon(world);
  world.Quietly(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).disk().Keep();
  });
  world.At(when + Seconds(2), [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
  world.At(when + Seconds(4), [&world] {
    const size_t who = world.Anyone();
    world.node(who).Kill(world.now());
    world.node(who).disk().RollBack();
  });
  world.At(when + Seconds(5), [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
  });
}

void StealFrom(World& world, bool master, bool deputy) {
  world.expect().served_within = Milliseconds(400);
  Duration when = Soon(world);
  for (int i = 0; i < 40; ++i) {
    const Duration span = world.random().Between(Milliseconds(5), Milliseconds(80));
    world.At(when, [&world, span, master, deputy] {
      const size_t first = world.Master();
      const size_t second = world.Deputy();
      if (master) world.Steal(first, span);
      if (deputy) world.Steal(second, span);
    });
    world.At(when + span, [] {});
    when = when + world.random().Between(Milliseconds(20), Milliseconds(300));
  }
}
void StealMaster(World& world) {
  StealFrom(world, true, false);
}
void StealDeputy(World& world) {
  StealFrom(world, false, true);
}
void StealBoth(World& world) {
  StealFrom(world, true, true);
}

void ControlHung(World& world) {
  world.expect().served_within = Milliseconds(2200);  // a second of silence, then who sees it
  const Duration when = Soon(world);
  const Duration span = world.random().Between(Milliseconds(500), Seconds(5));
  world.At(when, [&world, span] { world.node(world.Master()).HoldControl(world.now(), world.now() + span); });
  world.At(when + span, [] {});
}

void WorkerHung(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration when = Soon(world);
  const Duration span = world.random().Between(Milliseconds(20), Seconds(4));
  const bool master = world.random().Chance(0.7);
  world.At(when, [&world, span, master] {
    world.node(master ? world.Master() : world.Deputy()).HoldWorker(world.now(), world.now() + span);
  });
  world.At(when + span, [] {});
}

// A machine is suspended, and what comes for it meanwhile is lost.
void DeafPause(World& world) {
  world.expect().served_within = Milliseconds(600);
  Duration when = Soon(world);
  for (int i = 0; i < 8; ++i) {
    const Duration span = world.random().Between(Milliseconds(8), Milliseconds(600));
    const bool master = world.random().Chance(0.2);
    world.At(when, [&world, span, master] {
      const size_t who = master ? world.Master() : world.Deputy();
      world.node(who).KeepRing(false);
      world.Hold(who, span);
    });
    world.At(when + span, [&world] {
      for (size_t n = 0; n < world.size(); ++n) world.node(n).KeepRing(true);
    });
    when = when + span + Milliseconds(700);
  }
}

// A hypervisor stops the machine and lets it go on: none of its clocks has moved, and what came meanwhile waits in its
// ring, ARP requests among it.
void UnseenPause(World& world) {
  world.expect().served_within = Milliseconds(450);
  Duration when = Soon(world);
  for (int i = 0; i < 4; ++i) {
    const Duration span = world.random().Between(Milliseconds(12), Milliseconds(1200));
    const bool master = world.random().Chance(0.8);
    world.At(when, [&world, span, master] {
      world.node(master ? world.Master() : world.Deputy()).HoldUnseen(world.now(), world.now() + span);
    });
    const int64_t requests = world.random().Between(0, 60);
    for (int64_t n = 0; n < requests; ++n) {
      world.Quietly(when + span * (n + 1) / (requests + 1), [&world] { world.gateway().AskForTarget(world.now()); });
    }
    world.At(when + span, [] {});
    when = when + span + Milliseconds(1500);
  }
}

// The link of a port is down for a while: a cable, or a hypervisor that moves the port.
void LinkFlaps(World& world) {
  Duration when = Soon(world);
  for (int i = 0; i < 5; ++i) {
    const Duration span = world.random().Between(Milliseconds(2), Milliseconds(world.random().Chance(0.5) ? 20 : 1500));
    const bool master = world.random().Chance(0.8);
    const auto whose = std::make_shared<size_t>(0);
    world.At(when, [&world, master, whose] {
      *whose = master ? world.Master() : world.Deputy();
      world.node(*whose).SetLink(world.now(), false);
    });
    world.At(when + span, [&world, whose] { world.node(*whose).SetLink(world.now(), true); });
    when = when + span + Milliseconds(1500);
  }
}

// Kernels that have calibrated their clocks wrongly, and heartbeats that come late: no lease between two clocks that
// differ so much, and none that a fast deputy ends while a slow master still holds it.
void ClockRates(World& world) {
  world.expect().served_within = Seconds(4);
  world.expect().check_rate = false;    // of fast clocks
  world.expect().check_silent = false;  // which take less than the least lease for as long
  for (NodeSetup& setup : world.setups) setup.rate_ppm = world.random().Chance(0.5) ? -400'000 : 400'000;
  Duration when = Soon(world) + kCalm;
  for (int i = 0; i < 4; ++i) {
    const Duration late = world.random().Between(Milliseconds(30), Milliseconds(120));
    world.At(when, [&world, late] { world.lan().up(world.node(world.Master()).port()).delay = late; });
    world.At(when + Milliseconds(400), [&world] { world.Mend(); });
    when = when + Seconds(3);
  }
}

// The same thing every ten seconds: after the first time the lease is long enough for it.
void Disturbances(World& world) {
  world.expect().served_within = Milliseconds(400);
  const Duration longest = world.random().Between(Milliseconds(40), Milliseconds(110));
  Duration when = Soon(world);
  world.At(when, [&world, longest] { world.Hold(world.Master(), longest); });
  world.At(when + longest, [] {});
  world.Quietly(when + Seconds(5), [&world] { world.monitor().ForbidTakeovers(true); });
  for (int i = 0; i < 4; ++i) {
    when = when + Seconds(10);
    const Duration span = world.random().Between(Milliseconds(30), longest);
    const bool master = world.random().Chance(0.5);
    world.At(when, [&world, span, master] { world.Hold(master ? world.Master() : world.Deputy(), span); });
    world.At(when + span, [] {});
  }
}

constexpr Scenario kTable[] = {
    {"disturbances", "a machine is held for a moment every ten seconds", Disturbances, 3},
    {"clock_rates", "the clocks of the machines run at very different rates", ClockRates, 3},
    {"unseen_pause", "a machine is stopped, and none of its clocks sees it", UnseenPause, 3},
    {"link_flaps", "the link of a node's port goes down and up", LinkFlaps, 3},
    {"deaf_pause", "a machine is suspended and its frames are lost", DeafPause, 3},
    {"paused_master", "the master is stopped and goes on with ARP requests waiting in its ring", PausedMaster, 3},
    {"pause_at_gate", "the master is stopped just before or just after the gate was asked", PauseAtGate, 3},
    {"paused_solo", "a master without a deputy is stopped", SoloPaused, 1},
    {"suspended", "the master's machine is suspended; its own clock does not see it", Suspended, 3},
    {"snapshot_restored", "a disk as it was some masterships ago", SnapshotRestored, 3},
    {"steal_master", "the master's processor is stolen for 5 to 80 ms, again and again", StealMaster, 3},
    {"steal_deputy", "the deputy's processor likewise", StealDeputy, 3},
    {"steal_both", "both at once", StealBoth, 3},
    {"control_hung", "the master's control thread hangs, its worker goes on", ControlHung, 3},
    {"worker_hung", "a worker hangs, the control thread goes on", WorkerHung, 3},
};

}  // namespace

std::span<const Scenario> PauseScenarios() {
  return kTable;
}

}  // namespace qure::sim
