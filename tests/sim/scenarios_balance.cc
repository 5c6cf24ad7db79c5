// Balanced connections: drains, weights, deaths and changes of master, and none is reset whose node is active.
#include <memory>

#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kCalm = Seconds(4);
constexpr size_t kConnections = 24;
constexpr uint32_t kFewEntries = 257;  // quick to make; the more so, what is wrong shows

void Balance(World& world) {
  ServiceConfig web;
  web.name = "web";
  web.first_port = web.last_port = Clients::kPort;
  const bool takes_group = world.gateway().temperament() != Temperament::kBinds;  // answers come from another MAC
  if (takes_group && world.random().Chance(0.5)) web.delivery = ServiceDelivery::kMulticast;
  world.config.services = {web};
  world.config.table_size = kFewEntries;
  world.expect().served_within = Milliseconds(1500);
  world.clients().Open(kConnections);
}

Duration Some(World& world, int64_t low_ms, int64_t high_ms) {
  return world.random().Between(Milliseconds(low_ms), Milliseconds(high_ms));
}

void Drain(World& world, Duration when, bool on) {
  world.Quietly(when, [&world, on] {
    const NodeId whose = world.node(world.Anyone()).id();
    world.node(world.Anyone()).Command(world.now(), SetDraining{.node = whose, .on = on});
  });
}

// Until its flows have ended, or not for so long.
void DrainUntil(World& world, Duration when, Duration deadline) {
  world.Quietly(when, [&world, deadline] {
    const NodeId whose = world.node(world.Anyone()).id();
    world.node(world.Anyone()).Command(world.now(), SetDraining{.node = whose, .on = true, .deadline = deadline});
  });
}

void Weigh(World& world, Duration when) {
  world.Quietly(when, [&world] {
    const auto weight = static_cast<uint32_t>(world.random().Between(0, 5));
    const NodeId whose = world.node(world.Anyone()).id();
    world.node(world.Anyone()).Command(world.now(), SetWeight{.node = whose, .service = "web", .weight = weight});
  });
}

void HandOverSoon(World& world, Duration when) {
  world.At(when, [&world] { world.node(world.Master()).Command(world.now(), HandOver{}); });
}

// Some at once, some after each other.
void Drains(World& world) {
  Balance(world);
  Duration when = kCalm;
  for (int64_t i = world.random().Between(6, 14); i > 0; --i) {
    if (world.random().Chance(0.7)) {
      Drain(world, when, world.random().Chance(0.5));
    } else {
      Weigh(world, when);
    }
    if (world.random().Chance(0.6)) when = when + Some(world, 1, 2500);
  }
}

// Who is given up is taken back now and then; everyone else's connections stay whole.
void Deadlines(World& world) {
  Balance(world);
  Duration when = kCalm;
  for (int64_t i = world.random().Between(4, 8); i > 0; --i) {
    if (world.random().Chance(0.6)) {
      DrainUntil(world, when, Seconds(world.random().Between(1, 3)));
    } else {
      Drain(world, when, false);
    }
    if (world.random().Chance(0.3)) {
      HandOverSoon(world, when + Some(world, 300, 800));
      when = when + Seconds(2);
    }
    when = when + Some(world, 300, 2500);
  }
}

// One after the other: what the master and the deputy know together is lost only with both.
void Deaths(World& world) {
  Balance(world);
  Duration when = kCalm;
  for (int64_t i = world.random().Between(2, 4); i > 0; --i) {
    const double which = static_cast<double>(world.random().Below(3));
    world.At(when, [&world, which] {
      const size_t master = world.Master();
      const size_t deputy = world.Deputy();
      world.node(which == 0 ? master : which == 1 ? deputy : world.Other(master, deputy)).Kill(world.now());
    });
    const Duration back = when + Some(world, 1000, 2500);  // no machine boots sooner
    world.At(back, [&world] {
      for (size_t n = 0; n < world.size(); ++n) world.node(n).Boot(world.now());
    });
    if (world.random().Chance(0.5)) Drain(world, when - Some(world, 0, 1000), true);
    if (world.random().Chance(0.5)) Drain(world, back + Some(world, 0, 1000), false);
    when = back + Some(world, 4000, 6000);
  }
}

void Changes(World& world) {
  Balance(world);
  Duration when = kCalm + Seconds(2);
  for (int64_t i = world.random().Between(3, 6); i > 0; --i) {
    // Several wishes at about the time of each handover.
    for (int64_t wishes = world.random().Between(0, 5); wishes > 0; --wishes) {
      const Duration about = when - Milliseconds(1500) + Some(world, 0, 1800);
      if (world.random().Chance(0.7)) {
        Drain(world, about, world.random().Chance(0.5));
      } else {
        Weigh(world, about);
      }
    }
    HandOverSoon(world, when);
    if (world.random().Chance(0.3)) HandOverSoon(world, when + Some(world, 100, 400));  // the deputy is hardly deputy
    when = when + Some(world, 1600, 4000);
  }
}

// The mastership goes to a node that was neither master nor deputy, and so knows of no pinned flows, soon after the
// weights have moved the table away from open connections more than once.
void Handed(World& world) {
  Balance(world);
  world.config.services.front().delivery = ServiceDelivery::kUnicast;  // else each node knows them
  Duration when = kCalm;
  for (int64_t i = world.random().Between(2, 4); i > 0; --i) {
    for (int64_t weights = 3; weights > 0; --weights) {
      Weigh(world, when);
      when = when + Some(world, 700, 1200);
    }
    world.At(when, [&world] {
      const size_t third = world.Other(world.Master(), world.Deputy());
      world.node(world.Master()).Command(world.now(), HandOver{.successor = world.node(third).id()});
    });
    when = when + Some(world, 1500, 2500);
  }
}

// A node hears of a new balance epoch later than the others, and serves by the old one meanwhile.
void Late(World& world) {
  Balance(world);
  world.gateway().SetInterval(Milliseconds(2));  // that much happens meanwhile
  Duration when = kCalm;
  for (int64_t i = world.random().Between(4, 8); i > 0; --i) {
    const Duration late = Some(world, 30, 120);  // not so late that it is missed
    world.At(when, [&world, late] {
      const size_t other = world.Other(world.Master(), world.Deputy());
      world.lan().down(world.node(other).port()).no_cluster = true;
      world.Quietly(world.now() - MonoTime{} + late,
                    [&world, other] { world.lan().down(world.node(other).port()).no_cluster = false; });
    });
    Weigh(world, when + Milliseconds(1));
    when = when + Some(world, 2500, 3500);
  }
}

// A node is heard and hears nobody, master or not: it soon has no share. Then it hears again.
void Deaf(World& world) {
  Balance(world);
  world.expect().served_within = Seconds(3);
  const Duration when = kCalm + Some(world, 0, 1000);
  const bool master = world.random().Chance(0.4);
  const auto deaf = std::make_shared<size_t>(0);
  world.At(when, [&world, master, deaf] {
    *deaf = master ? world.Master() : world.Other(world.Master(), world.Deputy());
    world.lan().down(world.node(*deaf).port()).loss = 1;
    world.clients().OnEnd(world.node(*deaf));  // its connections are of no use any more, and may be reset
  });
  world.Quietly(when + Seconds(4), [&world, deaf] {
    if (world.clients().stranded() > 0) {
      world.monitor().Violate(world.now(), Invariant::kServed, "connections still go to a node that hears nobody");
    }
    const ControllerStatus status = world.node(world.Master()).Status(world.now());
    for (const ServiceRow& service : status.services) {
      const auto share = service.current->find(world.node(*deaf).id());
      if (share == service.current->end() || share->second == 0) continue;
      world.monitor().Violate(world.now(), Invariant::kServed, "a node that hears nobody has a share");
    }
  });
  world.At(when + Seconds(5), [&world, deaf] { world.lan().down(world.node(*deaf).port()).loss = 0; });
  world.settle = Seconds(4);
}

constexpr Scenario kBalance[] = {
    {"flows_deaf", "connections while a node is heard and hears nobody, and after it", Deaf, 4},
    {"flows_drains", "connections under drains and changed weights", Drains, 4},
    {"flows_deadlines", "connections under drains with a deadline", Deadlines, 3},
    {"flows_deaths", "connections under deaths, reboots and drains", Deaths, 4},
    {"flows_handed", "connections under handovers to a node that was not deputy", Handed, 3},
    {"flows_late", "connections while a node hears of each new balance late", Late, 3},
    {"flows_changes", "connections under handovers, drains and weights", Changes, 3},
};

}  // namespace

std::span<const Scenario> BalanceScenarios() {
  return kBalance;
}

}  // namespace qure::sim
