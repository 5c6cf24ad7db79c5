#include "tests/sim/scenario.h"

#include <algorithm>
#include <vector>

namespace qure::sim {
namespace {

void Quiet(World& world) {
  world.expect().served_within = Milliseconds(100);
  world.settle = Seconds(20);
  world.Quietly(Seconds(4), [&world] { world.monitor().ForbidTakeovers(true); });
}

// Many nodes: what is sent to all stays within the bound.
void ManyNodes(World& world) {
  world.expect().served_within = Milliseconds(100);
  world.settle = Seconds(28);
  world.Quietly(Seconds(4), [&world] { world.monitor().ForbidTakeovers(true); });
}

void Random_(World& world) {
  world.expect().served_within = Milliseconds(4000);
  world.expect().overlap = Milliseconds(400);
  Duration when = Seconds(4);
  const int64_t faults = world.random().Between(2, 5);
  for (int64_t i = 0; i < faults; ++i) {
    when = AddRandomFault(world, when) + world.random().Between(Milliseconds(10), Seconds(3));
  }
}

constexpr Scenario kGeneral[] = {
    {"quiet", "nothing happens", Quiet, 3},
    {"many_nodes", "nothing happens to many nodes", ManyNodes, 24},
    {"random", "a mix of faults", Random_, 3},
};

}  // namespace

std::span<const Scenario> Scenarios() {
  static const std::vector<Scenario> kAll = [] {
    std::vector<Scenario> all(std::begin(kGeneral), std::end(kGeneral));
    for (const auto& part :
         {PauseScenarios(), NetworkScenarios(), StoreScenarios(), StrangerScenarios(), AdmissionScenarios(),
          LifeScenarios(), BalanceScenarios(), RestoreScenarios(), ConfigScenarios(), ThiefScenarios()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return kAll;
}

const Scenario* FindScenario(std::string_view name) {
  const auto all = Scenarios();
  const auto found = std::ranges::find(all, name, &Scenario::name);
  return found == all.end() ? nullptr : &*found;
}

namespace {

Duration Some(World& world, int64_t low_ms, int64_t high_ms) {
  return world.random().Between(Milliseconds(low_ms), Milliseconds(high_ms));
}

Duration KillOne(World& world, Duration when) {
  const Duration back = when + Some(world, 200, 6000);
  const size_t who = world.random().Below(world.size());
  world.At(when, [&world, who] { world.node(who).Kill(world.now()); });
  world.At(back, [&world, who] { world.node(who).Boot(world.now()); });
  return back;
}

Duration HoldOne(World& world, Duration when) {
  const Duration span = Some(world, 5, 1500);
  world.At(when, [&world, span] { world.Hold(world.random().Chance(0.6) ? world.Master() : world.Anyone(), span); });
  world.At(when + span, [] {});
  return when + span;
}

Duration HoldHidden(World& world, Duration when) {
  const Duration span = Some(world, 5, 3000);
  world.At(when, [&world, span] { world.node(world.Anyone()).HoldHidden(world.now(), world.now() + span); });
  world.At(when + span, [] {});
  return when + span;
}

Duration StealSome(World& world, Duration when) {
  Duration last = when;
  for (int64_t i = world.random().Between(1, 20); i > 0; --i) {
    last = last + Some(world, 1, 200);
    const Duration span = Some(world, 5, 80);
    world.At(last, [&world, span] { world.Steal(world.Anyone(), span); });
  }
  world.At(last + Milliseconds(80), [] {});
  return last + Milliseconds(80);
}

Duration CutOne(World& world, Duration when) {
  const Duration span = Some(world, 5, 3000);
  const bool gateway_too = world.random().Chance(0.3);
  const size_t who = world.random().Below(world.size());
  world.At(when, [&world, who, gateway_too] { world.Cut({who}, gateway_too); });
  world.At(when + span, [&world] { world.Mend(); });
  return when + span;
}

Duration Lossy(World& world, Duration when) {
  const Duration span = Some(world, 200, 3000);
  world.At(when, [&world] {
    for (size_t port = 0; port < world.lan().port_count(); ++port) {
      for (LinkFaults* link : {&world.lan().up(port), &world.lan().down(port)}) {
        link->loss = static_cast<double>(world.random().Below(5)) * 0.01;
        link->duplicate = 0.02;
        link->reorder = 0.05;
        link->jitter = Some(world, 0, 2) + Microseconds(5);
      }
    }
  });
  world.At(when + span, [&world] { world.Mend(); });
  return when + span;
}

Duration HangControl(World& world, Duration when) {
  const Duration span = Some(world, 50, 4000);
  world.At(when, [&world, span] { world.node(world.Anyone()).HoldControl(world.now(), world.now() + span); });
  world.At(when + span, [] {});
  return when + span;
}

Duration RebootGateway(World& world, Duration when) {
  const Duration span = Some(world, 200, 3000);
  world.At(when, [&world, span] { world.gateway().Reboot(world.now(), span); });
  world.At(when + span, [] {});
  return when + span;
}

Duration HandItOver(World& world, Duration when) {
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
  return when;
}

Duration SlowDisk(World& world, Duration when) {
  const size_t who = world.random().Below(world.size());
  world.At(when, [&world, who] { world.node(who).disk().SetDelay(Seconds(2)); });
  return when;
}

}  // namespace

Duration AddRandomFault(World& world, Duration when) {
  using Fault = Duration (*)(World&, Duration);
  constexpr Fault kFaults[] = {KillOne, HoldOne,     HoldHidden,    StealSome,  CutOne,
                               Lossy,   HangControl, RebootGateway, HandItOver, SlowDisk};
  return kFaults[world.random().Below(std::size(kFaults))](world, when);
}

Duration SomeFaults(World& world, Duration from, int64_t most) {
  Duration step = from;
  for (int64_t faults = world.random().Between(0, most); faults > 0; --faults) {
    step = AddRandomFault(world, step + world.random().Between(Milliseconds(1), Seconds(1)));
  }
  return step;
}

}  // namespace qure::sim
