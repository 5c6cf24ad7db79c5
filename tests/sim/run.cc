#include "tests/sim/run.h"

#include <algorithm>
#include <string>

#include "proto/check.h"

namespace qure::sim {
namespace {

constexpr Duration kAtPeace = Seconds(1);  // after all is well, nothing may happen any more

// Faults by chance with quiet hours between them, each time healed.
void GoOn(World& world, MonoTime until) {
  world.expect().served_within = std::max(world.expect().served_within, Seconds(4));
  world.expect().overlap = std::max(world.expect().overlap, Milliseconds(400));
  world.monitor().ForbidTakeovers(false);
  while (world.now() < until) {
    world.gateway().SetInterval(Milliseconds(50));  // the clients rest, too
    world.RunUntil(world.now() + world.random().Between(Seconds(20), Seconds(900)));
    world.gateway().SetInterval(Milliseconds(5));
    const Duration end = AddRandomFault(world, Duration{world.now().ns} + Milliseconds(1));
    world.RunUntil(MonoTime{} + end + Milliseconds(500));
    world.Heal();
    if (!world.Converge()) return;
  }
}

// A failed check, on its way out of the run.
struct FailedCheck {
  std::string text;
};

[[noreturn]] void ThrowCheck(const CheckFailure& failure) {
  throw FailedCheck{ToString(failure)};
}

void Go(World& world, const Scenario& scenario, double hours) {
  scenario.setup(world);
  world.RunScript();
  world.Heal();
  if (!world.Converge()) return;
  world.RunUntil(world.now() + kAtPeace);
  GoOn(world, MonoTime{} + Duration{static_cast<int64_t>(hours * 3600e9)});
}

}  // namespace

RunResult Run(const RunOptions& options) {
  [[maybe_unused]] static const bool kInstalled = [] {
    SetCheckHandler(ThrowCheck);
    return true;
  }();
  const Scenario& scenario = *options.scenario;
  World world(options.seed, options.nodes != 0 ? options.nodes : scenario.nodes, options.trace);
  try {
    Go(world, scenario, options.hours);
  } catch (const FailedCheck& failed) {
    world.monitor().Violate(world.now(), Invariant::kCheck, failed.text);
  }
  const Monitor& monitor = world.monitor();
  return {.seed = options.seed,
          .scenario = scenario.name,
          .violations = monitor.violations(),
          .hash = monitor.hash(),
          .frames = monitor.frames(),
          .takeovers = monitor.openings(),
          .sent = world.gateway().sent(),
          .answered = world.gateway().answered(),
          .longest_outage = monitor.longest_outage(),
          .group_rate = monitor.group_rate(),
          .node_seconds = static_cast<double>(world.now().ns) / 1e9 * static_cast<double>(world.size())};
}

}  // namespace qure::sim
