// Links, the switch and the gateway.
#include <algorithm>
#include <memory>

#include "tests/sim/scenario.h"

namespace qure::sim {
namespace {

constexpr Duration kCalm = Seconds(4);
constexpr Duration kLongestJitter = Milliseconds(8);
constexpr Duration kReordered = Milliseconds(10);

Duration Soon(World& world) {
  return kCalm + world.random().Between(Duration{}, Seconds(1));
}

void OneWay(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  const bool master = world.random().Chance(0.6);
  const bool up = world.random().Chance(0.5);
  world.At(when, [&world, master, up] {
    const size_t port = world.node(master ? world.Master() : world.Deputy()).port();
    (up ? world.lan().up(port) : world.lan().down(port)).loss = 1;
  });
  world.At(when + world.random().Between(Milliseconds(30), Seconds(3)), [&world] { world.Mend(); });
}

// Only between two nodes, in one direction: everyone else hears both.
void OneWayBetween(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  const bool towards_master = world.random().Chance(0.5);
  world.At(when, [&world, towards_master] {
    const size_t master = world.node(world.Master()).port();
    const size_t deputy = world.node(world.Deputy()).port();
    world.lan().Block(towards_master ? deputy : master, towards_master ? master : deputy, true);
  });
  world.At(when + world.random().Between(Milliseconds(30), Seconds(3)), [&world] { world.Mend(); });
}

void NoMulticast(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const bool from_start = world.random().Chance(0.5);
  const Duration when = from_start ? Duration{} : Soon(world);
  world.At(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.lan().down(world.node(i).port()).no_multicast = true;
  });
  world.At(Seconds(8), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(5);
}

void NoBroadcast(World& world) {
  world.expect().served_within = Milliseconds(1500);
  world.expect().check_rate = false;
  const Duration when = Soon(world);
  world.gateway().SetTemperament(Temperament::kBinds);  // others must ask by broadcast now and then
  world.At(when, [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.lan().down(world.node(i).port()).no_broadcast = true;
  });
  world.At(when + Seconds(1), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(4);
}

void BothSeeTheGateway(World& world) {
  world.expect().served_within = Milliseconds(800);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    for (size_t a = 0; a < world.size(); ++a) {
      for (size_t b = 0; b < world.size(); ++b) {
        if (a != b) world.lan().Block(world.node(a).port(), world.node(b).port(), true);
      }
    }
  });
  world.At(when + world.random().Between(Milliseconds(30), Seconds(4)), [&world] { world.Mend(); });
}

void CutAndHealed(World& world) {
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  const size_t one = world.random().Below(world.size());
  const bool gateway_too = world.random().Chance(0.5);
  world.At(when, [&world, one, gateway_too] { world.Cut({one}, gateway_too); });
  world.At(when + world.random().Between(Milliseconds(10), Seconds(6)), [&world] { world.Mend(); });
}

void GatewayReboot(World& world) {
  world.expect().served_within = Milliseconds(700);
  const Duration when = Soon(world);
  const Duration span = world.random().Between(Milliseconds(300), Seconds(5));
  world.At(when, [&world, span] { world.gateway().Reboot(world.now(), span); });
  world.At(when + span, [] {});
  // The master dies while the gateway is away: who claims it must wait for the gateway.
  if (world.random().Chance(0.5)) {
    world.At(when + span / 2, [&world] { world.node(world.Master()).Kill(world.now()); });
  }
}

// The gateway is away for long when the master dies, and it is not required: hosts of the LAN are served. A node that
// is cut off meanwhile hears nobody, and comes back without a term above the others'.
void GatewayGone(World& world) {
  world.config.network.gateway_required = false;
  world.expect().claims_need_gateway = false;
  world.expect().served_within = Milliseconds(1500);
  const Duration when = Soon(world);
  world.At(when, [&world] {
    world.gateway().Reboot(world.now(), Seconds(8));
    world.foreign().Appear(world.now(), Ipv4Address{{198, 51, 100, 78}},
                           {.announces = Milliseconds(250), .answers = false});
  });
  world.At(when + Seconds(1), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.Quietly(when + Seconds(4), [&world] { world.monitor().DemandHolder(world.now()); });
  world.At(when + Seconds(4), [&world] { world.Cut({world.Other(world.Master(), world.Master())}, false); });
  world.At(when + Milliseconds(7500), [&world] { world.Mend(); });
  world.Quietly(when + Milliseconds(7600), [&world] { world.monitor().ForbidTakeovers(true); });
  world.At(when + Seconds(9), [&world] {
    world.monitor().ForbidTakeovers(false);
    world.foreign().Vanish();
  });
}

// The gateway takes longer to answer than a deputy asks before its limit.
void SlowGateway(World& world) {
  world.expect().served_within = Milliseconds(250);
  world.gateway().SetAnswerTime(Milliseconds(3), Milliseconds(10));
  Duration when = Soon(world);
  for (int i = 0; i < 3; ++i) {
    world.At(when, [&world] { world.node(world.Master()).Kill(world.now()); });
    world.At(when + Seconds(1), [&world] {
      for (size_t n = 0; n < world.size(); ++n) world.node(n).Boot(world.now());
    });
    when = when + Seconds(4);
  }
}

void Loss(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.expect().overlap = Milliseconds(500);
  const double loss = 0.01 * static_cast<double>(world.random().Between(1, 12));
  world.At(Soon(world), [&world, loss] {
    for (size_t port = 0; port < world.lan().port_count(); ++port) {
      world.lan().up(port).loss = world.lan().down(port).loss = loss;
    }
  });
  world.At(Seconds(9), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(4);
}

// WiFi: late, in bursts, out of order, some twice.
void Jitter(World& world) {
  world.expect().served_within = Milliseconds(1500);
  // Each of the two links between two nodes may add so much, and so much later do their claims cross.
  world.expect().overlap = kCrossing + (kLongestJitter + kReordered) * 2;
  world.At(Soon(world), [&world] {
    for (size_t port = 0; port < world.lan().port_count(); ++port) {
      for (LinkFaults* link : {&world.lan().up(port), &world.lan().down(port)}) {
        link->jitter = world.random().Between(Milliseconds(1), kLongestJitter);
        link->reorder = 0.1;
        link->reorder_by = kReordered;
        link->duplicate = 0.05;
      }
    }
  });
  world.At(Seconds(9), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(3);
}

void Looped(World& world) {
  world.expect().served_within = Milliseconds(500);
  const Duration when = Soon(world);
  const double chance = 0.1 * static_cast<double>(world.random().Between(1, 10));
  world.At(when, [&world, chance] { world.lan().Loop(chance); });
  world.Quietly(when + Milliseconds(1), [&world] { world.monitor().ForbidTakeovers(true); });
  world.At(when + Seconds(3), [&world] { world.lan().Loop(0); });
}

void MacRefused(World& world) {
  world.expect().served_within = Milliseconds(700);
  world.config.service_mac = ServiceMac::kInterface;
  world.gateway().SetTemperament(Temperament::kAccepts);  // others cannot follow a change of MAC
  world.At(Duration{}, [&world] { world.lan().SecurePorts(true); });
  world.At(Soon(world), [&world] { world.node(world.Master()).Kill(world.now()); });
  world.settle = Seconds(3);
}

void Sweep(World& world) {
  world.expect().served_within = Milliseconds(150);
  world.gateway().SetTemperament(Temperament::kSweeps);
  world.Quietly(kCalm, [&world] { world.monitor().ForbidTakeovers(true); });
  world.settle = Seconds(8);
}

void Ignored(World& world) {
  world.expect().served_within = Milliseconds(250);
  world.gateway().SetTemperament(world.random().Chance(0.5) ? Temperament::kIgnores : Temperament::kBinds);
  const Duration when = Soon(world);
  world.At(when, [&world] { world.node(world.Master()).Kill(world.now()); });
  world.At(when + Seconds(3), [&world] {
    for (size_t i = 0; i < world.size(); ++i) world.node(i).Boot(world.now());
  });
  world.At(when + Seconds(6), [&world] { world.node(world.Master()).Kill(world.now()); });
}

// Frames of one node are late in one direction, by more than a lease; later by much more.
void Late(World& world) {
  world.expect().served_within = Milliseconds(2500);
  Duration when = Soon(world);
  for (int i = 0; i < 4; ++i) {
    const bool master = world.random().Chance(0.7);
    const Duration first = world.random().Between(Milliseconds(2), Milliseconds(12));
    const Duration then = world.random().Between(Milliseconds(60), Milliseconds(120));
    const Duration span = world.random().Between(Milliseconds(100), Milliseconds(800));
    world.At(when, [&world, master, first] {
      const size_t port = world.node(master ? world.Master() : world.Deputy()).port();
      world.lan().down(port).delay = first;
    });
    world.At(when + span, [&world, master, then] {
      world.lan().up(world.node(master ? world.Master() : world.Deputy()).port()).delay = then;
    });
    world.At(when + span + span, [&world] { world.Mend(); });
    when = when + span + span + Milliseconds(1000);
  }
}

// The lease has grown with the jitter and shrinks when that is over. Just then heartbeats come late.
void LeaseShrinks(World& world) {
  world.expect().served_within = Milliseconds(2500);
  world.gateway().SetInterval(Milliseconds(2));
  // Each gap a little longer than the one before, so that the lease follows and none is lost: what has cost a lease
  // would be remembered for minutes.
  Duration grows = kCalm;
  for (const int64_t gap : {6, 8, 11, 14, 17, 21, 25}) {
    world.At(grows, [&world, gap] { world.lan().up(world.node(world.Master()).port()).delay = Milliseconds(gap); });
    world.At(grows + Milliseconds(50), [&world] { world.Mend(); });
    grows = grows + Milliseconds(100);
  }
  const Duration after = world.random().Between(Milliseconds(3), Milliseconds(7));
  auto longest = std::make_shared<Duration>();
  auto sprung = std::make_shared<bool>(false);
  for (Duration at = kCalm + Milliseconds(500); at < kCalm + Seconds(40); at = at + Milliseconds(2)) {
    world.Quietly(at, [&world, longest, sprung, after] {
      const size_t master = world.Master();
      if (*sprung || !world.node(master).running()) return;
      const Duration lease = world.node(master).heartbeater().status().lease;
      *longest = std::max(*longest, lease);
      if (lease * 2 > *longest || lease == Duration{}) return;
      *sprung = true;
      world.At(Duration{world.now().ns} + after,
               [&world, master] { world.lan().up(world.node(master).port()).delay = Milliseconds(100); });
      world.At(Duration{world.now().ns} + Milliseconds(600), [&world] { world.Mend(); });
    });
  }
  world.settle = Seconds(1);
}

// One member hears ARP and the like, but nothing of the cluster.
void DeafMember(World& world) {
  world.expect().served_within = Milliseconds(600);
  const Duration when = Soon(world);
  const bool deputy = world.random().Chance(0.3);
  world.At(when, [&world, deputy] {
    const size_t who = deputy ? world.Deputy() : world.Other(world.Master(), world.Deputy());
    world.lan().down(world.node(who).port()).no_cluster = true;
  });
  world.At(when + world.random().Between(Milliseconds(300), Seconds(3)), [&world] { world.Mend(); });
}

// More frames than the deputy's worker can take: heartbeats wait behind them.
void FloodedDeputy(World& world) {
  world.expect().served_within = Milliseconds(600);
  Duration when = Soon(world);
  for (int i = 0; i < 4; ++i) {
    world.At(when, [&world] {
      world.node(world.Deputy()).SetRound(Milliseconds(3));
      world.recorder().Flood(world.now(), 10'000, Microseconds(40));
    });
    world.At(when + Milliseconds(600), [&world] {
      for (size_t n = 0; n < world.size(); ++n) world.node(n).SetRound(Microseconds(20));
    });
    when = when + Seconds(1);
  }
}

// The claims of a node that was alone with the gateway are known to no node, not even to its next boot, but for its
// disk.
void IsolatedClaims(World& world) {
  world.expect().served_within = Milliseconds(2500);
  const Duration when = Soon(world);
  auto lonely = std::make_shared<size_t>(0);
  world.At(when, [&world, lonely] {
    *lonely = world.Deputy();
    world.Cut({*lonely}, true);
  });
  for (int64_t i = 1; i <= 3; ++i) {
    world.At(when + Milliseconds(500 * i), [&world, lonely] { world.Hold(*lonely, Milliseconds(150)); });
  }
  world.At(when + Seconds(3), [&world, lonely] { world.node(*lonely).Kill(world.now()); });
  world.At(when + Milliseconds(3100), [&world, lonely] {
    world.Mend();
    world.node(*lonely).Boot(world.now());
  });
  world.At(when + Seconds(6), [&world, lonely] {
    const size_t master = world.Master();
    if (master != *lonely) world.node(master).Kill(world.now());
  });
}

constexpr Scenario kTable[] = {
    {"late_frames", "a node's frames come later than a lease lasts", Late, 3},
    {"lease_shrinks", "heartbeats come late just when the lease has become shorter", LeaseShrinks, 3},
    {"deaf_member", "a member hears nothing of the cluster, but all else", DeafMember, 3},
    {"flooded_deputy", "the deputy gets more frames than it can take", FloodedDeputy, 3},
    {"isolated_claims", "a node claims where no other hears it, and starts again", IsolatedClaims, 2},
    {"one_way", "a node is heard but hears nothing, or the reverse", OneWay, 3},
    {"one_way_between", "of master and deputy one does not hear the other", OneWayBetween, 3},
    {"no_multicast", "multicast does not pass; the master dies", NoMulticast, 3},
    {"no_broadcast", "broadcast does not reach the nodes; the master dies", NoBroadcast, 3},
    {"gateway_between", "all see the gateway but not each other", BothSeeTheGateway, 3},
    {"cut_and_healed", "one node is cut off, with or without the gateway, and comes back", CutAndHealed, 3},
    {"gateway_gone", "the gateway is away for long, and not required; the master dies", GatewayGone, 3},
    {"slow_gateway", "the gateway answers after 3 to 10 ms; masters die", SlowGateway, 3},
    {"gateway_reboot", "the gateway is away for a while", GatewayReboot, 3},
    {"loss", "some frames are lost everywhere; the master dies", Loss, 3},
    {"jitter", "frames come late, twice and out of order; the master dies", Jitter, 3},
    {"looped_frames", "what is sent comes back", Looped, 3},
    {"mac_refused", "the switch lets nothing pass but interfaces' own MACs; the master dies", MacRefused, 3},
    {"subnet_sweep", "the gateway asks for every address", Sweep, 3},
    {"gratuitous_ignored", "the gateway learns nothing from announcements; masters die", Ignored, 3},
};

}  // namespace

std::span<const Scenario> NetworkScenarios() {
  return kTable;
}

}  // namespace qure::sim
