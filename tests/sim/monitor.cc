#include "tests/sim/monitor.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/core/cluster/identity.h"

namespace qure::sim {
namespace {

constexpr Duration kHealOverlap = Milliseconds(50);  // I1
constexpr Duration kListen = Milliseconds(49);       // I3: 50 ms by a clock that may be 200 ppm fast
constexpr Duration kStartsIn = Milliseconds(1800);   // a booted node may take so long until it could serve
constexpr Duration kLeastLease = Milliseconds(9);    // I5: 10 ms, less what is on its way
constexpr Duration kHungControl = Seconds(1);
constexpr Duration kGoesBackWithin = Milliseconds(300);  // I15: a node that a thread of was held
constexpr Duration kGatewayAway = Milliseconds(300);     // a node that claims may have seen it so long ago

std::string Text(const Term& term) {
  return absl::StrCat(term.era, ".", term.epoch, "/", absl::Hex(term.holder >> 48, absl::kZeroPad4));
}

double Ms(Duration d) {
  return static_cast<double>(d.ns) / 1e6;
}

}  // namespace

std::string_view NameOf(Invariant invariant) {
  constexpr std::array<std::string_view, 18> kNames = {"I1",  "I2",  "I3",  "I4",  "I5",    "I6",
                                                       "I7",  "I8",  "I9",  "I10", "I11",   "I12",
                                                       "I14", "I15", "I17", "I18", "check", "liveness"};
  return kNames[static_cast<size_t>(invariant)];
}

void Monitor::Watch(const std::vector<std::unique_ptr<Node>>* nodes, size_t gateway_port) {
  nodes_ = nodes;
  gateway_port_ = gateway_port;
  node_of_port_.assign(Lan::kMaxPorts, SIZE_MAX);
  for (const auto& node : *nodes) node_of_port_[node->port()] = node->index();
  views_.resize(nodes->size());
  trust_.resize(nodes->size());
  adoption_frames_.resize(nodes->size());
  gateway_away_.assign(nodes->size(), kNever);
  apart_.assign(nodes->size(), std::vector<Apart>(nodes->size()));
}

void Monitor::SetServiceAddresses(const std::vector<IpPrefix>& addresses, const ClusterId& cluster,
                                  bool interface_mac) {
  interface_mac_ = interface_mac;
  for (const IpPrefix& prefix : addresses) {
    service_macs_.push_back(ServiceMacFor(cluster, prefix.address));
    if (prefix.address.is_v4()) service_ips_.push_back(prefix.address.v4());
  }
}

size_t Monitor::NodeOf(const NodeId& id) const {
  const auto found =
      std::ranges::find_if(*nodes_, [&](const auto& node) { return node->running() && node->id() == id; });
  return static_cast<size_t>(found - nodes_->begin());
}

std::string Monitor::Name(size_t node) const {
  return (*nodes_)[node]->setup().name;
}

void Monitor::Violate(MonoTime now, Invariant invariant, std::string text) {
  if (trace) Trace(now, absl::StrCat("VIOLATION ", std::string(NameOf(invariant)), ": ", text));
  if (violations_.size() < 20) violations_.push_back({.at = now, .invariant = invariant, .text = std::move(text)});
}

void Monitor::Trace(MonoTime now, const std::string& text) const {
  if (trace) std::fprintf(stderr, "%12.6f  %s\n", static_cast<double>(now.ns) / 1e9, text.c_str());
}

// ------------------------------------------------------------------------------------------------------- life of nodes

void Monitor::OnBoot(MonoTime now, const Node& node, const NodeFacts& facts) {
  NodeView& view = views_[node.index()];
  view = {};
  trust_[node.index()] = {};
  Trace(now, absl::StrCat(Name(node.index()), ": boots as ", ToHex(facts.node_id).substr(0, 8)));
}

void Monitor::OnEnd(MonoTime now, const Node& node) {
  for (const auto& [version, until] : views_[node.index()].open_until) open_before_[node.index()].insert(version);
  views_[node.index()] = {};
  Trace(now, absl::StrCat(Name(node.index()), ": ends"));
}

void Monitor::OnNewIdentity(MonoTime now, const Node& node) {
  Trace(now, absl::StrCat(Name(node.index()), ": takes a new identity"));
}

// Its gate is as it was, and its counters go on from there. It was apart from all others meanwhile.
void Monitor::OnRestored(MonoTime now, const Node& node) {
  for (size_t other = 0; other < views_.size(); ++other) {
    apart_[node.index()][other].until = apart_[other][node.index()].until = now;
  }
  NodeView& view = views_[node.index()];
  view = {.tenure = {.term = node.Status(now).term}, .open = node.gate().mode() != GateMode::kShut, .opened = now};
  Trace(now, absl::StrCat(Name(node.index()), ": restored, gate ", view.open ? "open" : "shut"));
}

void Monitor::OnLog(MonoTime now, const Node& node, const Log& log) {
  if (trace) Trace(now, absl::StrCat(Name(node.index()), ": ", log.text));
}

void Monitor::OnRefused(MonoTime now, const Node& node, const std::string& text) {
  Trace(now, absl::StrCat(Name(node.index()), ": refuses: ", text));
}

void Monitor::OnTrapped(MonoTime now, const Node& node) {
  views_[node.index()].trapped = true;
  Trace(now, absl::StrCat(Name(node.index()), ": held at the gate"));
}

void Monitor::OnPublish(MonoTime now, const Node& node) {
  const auto& heartbeater = node.snapshot()->heartbeater;
  NodeView& view = views_[node.index()];
  if (!std::exchange(view.draining, node.snapshot()->handing_over) && view.draining && !view.open) {
    Violate(now, Invariant::kServed, absl::StrCat(Name(node.index()), " drains only after its gate has shut"));
  }
  if (heartbeater != nullptr && heartbeater->role == HeartbeatRole::kFollow) view.follows = heartbeater->peer.node;
  const auto& balance = node.snapshot()->balance;
  if (balance != nullptr && std::exchange(view.balance_epoch, balance->epoch) != balance->epoch) {
    Trace(now, absl::StrCat(Name(node.index()), ": balance epoch ", balance->epoch));
  }
}

// A gate opens: no other may be open but behind a cut, and the term is new.
void Monitor::OnOpen(MonoTime now, const Node& node) {
  const size_t index = node.index();
  NodeView& view = views_[index];
  const ControllerStatus status = node.Status(now);
  ++openings_;
  Trace(now, absl::StrCat(Name(index), ": gate open, term ", Text(status.term), ", ",
                          status.last_takeover ? std::string(NameOf(status.last_takeover->cause)) : ""));
  const bool same = view.tenure.term == status.term;
  view.open = true;
  view.opened = now;
  if (view.stalled && now - view.stall_seen >= kListen) view.stalled = false;
  if (!same) view.tenure = {.term = status.term};
  if (no_takeovers_ && !same) Violate(now, Invariant::kNoTakeover, absl::StrCat(Name(index), " took over"));
  if (!status.clustered) return;

  const bool handed_over = status.last_takeover && status.last_takeover->cause == Cause::kHandover;
  if (expect.claims_need_gateway && !same && !handed_over && gateway_away_[index] != kNever &&
      now - gateway_away_[index] > kGatewayAway) {
    Violate(now, Invariant::kServed, absl::StrCat(Name(index), " claims without having seen the gateway"));
  }

  const auto [used, fresh] = terms_.try_emplace(status.term, index, node.boots());
  if (!fresh && used->second != std::pair{index, node.boots()} && expect.can_learn) {
    Violate(now, Invariant::kTerms,
            absl::StrCat(Name(index), " uses term ", Text(status.term), " of ", Name(used->second.first), " again"));
  }
  Term& last = last_term_[node.id()];
  if (status.term < last && expect.can_learn) {
    Violate(now, Invariant::kTerms, absl::StrCat(Name(index), " claims ", Text(status.term), " after ", Text(last)));
  }
  last = std::max(last, status.term);
  for (const auto& other : *nodes_) {
    const size_t o = other->index();
    if (o == index || !views_[o].open || !other->MayAnswer(now)) continue;
    const Apart& apart = apart_[index][o];
    if (apart.now || now - views_[o].opened <= expect.overlap) continue;
    if (now <= apart.until + kHealOverlap + (expect.overlap - kCrossing)) continue;
    Violate(now, Invariant::kOneHolder,
            absl::StrCat(Name(index), " opens its gate for ", Text(status.term), " while ", Name(o), "'s is open for ",
                         Text(views_[o].tenure.term)));
  }
}

void Monitor::OnShut(MonoTime now, const Node& node) {
  views_[node.index()].open = false;
  Trace(now, absl::StrCat(Name(node.index()), ": gate shut"));
}

// --------------------------------------------------------------------------------------------------------- I3 and I5

void Monitor::OnRound(MonoTime now, const Node& node, Duration gap) {
  if (gap <= Milliseconds(3)) return;
  NodeView& view = views_[node.index()];
  const GateMode mode = node.gate().mode();
  if (mode == GateMode::kShut) {
    const Duration lease = node.heartbeater().status().lease;
    if (lease == Duration{} || gap <= lease / 3 + Microseconds(500)) return;
    view.own_stall = now;
    view.own_lease = lease;
    return;
  }
  const Duration limit =
      mode == GateMode::kLeased ? node.heartbeater().status().lease / 2 + Milliseconds(2) : Milliseconds(101);
  if (gap <= limit) return;
  // What no clock of the node shows cannot be noticed at once. It matters if another node leads since.
  const auto leads_since = [&](const NodeView& other) { return other.open && other.opened > now - gap; };
  if (node.PausedUnseen() && std::ranges::none_of(views_, leads_since)) return;
  view.stalled = true;
  view.stall_seen = now;
  view.heartbeat_after_stall = kNever;
  Trace(now, absl::StrCat(Name(node.index()), ": stood still for ", Ms(gap), " ms"));
}

// As after a pause: nobody heard it, and it heard nobody.
void Monitor::OnLinkBack(MonoTime now, const Node& node) {
  if (!node.running() || node.gate().mode() == GateMode::kShut) return;
  NodeView& view = views_[node.index()];
  view.stalled = true;
  view.stall_seen = now;
  view.heartbeat_after_stall = kNever;
  Trace(now, absl::StrCat(Name(node.index()), ": its link is back"));
}

void Monitor::OnHeartbeatSent(MonoTime now, const Node& node) {
  NodeView& view = views_[node.index()];
  if (view.stalled && view.heartbeat_after_stall == kNever) view.heartbeat_after_stall = now;
}

void Monitor::OnMasterSilent(MonoTime now, const Node& node) {
  NodeView& view = views_[node.index()];
  Trace(now, absl::StrCat(Name(node.index()), ": the master is silent"));
  if (!view.follows || !expect.check_silent) return;
  const Duration lease =
      std::min(view.own_lease, node.heartbeater().status().lease);  // what waited may have shortened it
  if (now - view.own_stall < lease - Milliseconds(1)) {
    Violate(now, Invariant::kNoTakeover,
            absl::StrCat(Name(node.index()), " acts on silence ", Ms(now - view.own_stall),
                         " ms after it stood still itself"));
  }
  const size_t master = NodeOf(*view.follows);
  if (master >= nodes_->size()) return;
  const auto heard = view.heard.find((*nodes_)[master]->port());
  if (heard == view.heard.end() || now - heard->second >= kLeastLease) return;
  if (now - (*nodes_)[master]->control_ran() > kHungControl) return;
  Violate(now, Invariant::kNoTakeover,
          absl::StrCat(Name(node.index()), " finds ", Name(master), " silent, whose heartbeat came ",
                       Ms(now - heard->second), " ms ago"));
}

// ------------------------------------------------------------------------------------------------------------ checks

void Monitor::OnAnswer(MonoTime now, size_t) {
  if (served_once_) longest_outage_ = std::max(longest_outage_, now - last_answer_);
  served_once_ = true;
  last_answer_ = now;
  outage_told_ = false;
}

void Monitor::Disturbed(MonoTime now) {
  disturbed_ = std::max(disturbed_, now);
  for (const auto& node : *nodes_) {
    const bool reaches =
        lan_->ReachesEver(node->port(), gateway_port_) && lan_->ReachesEver(gateway_port_, node->port());
    MonoTime& since = gateway_away_[node->index()];
    since = reaches ? kNever : std::min(since, now);
  }
  for (const auto& a : *nodes_) {
    for (const auto& b : *nodes_) {
      if (a == b) continue;
      Apart& apart = apart_[a->index()][b->index()];
      const bool is = !lan_->Reaches(a->port(), b->port()) || !lan_->Reaches(b->port(), a->port());
      if (apart.now && !is) apart.until = now;
      apart.now = is;
    }
  }
}

void Monitor::DemandHolder(MonoTime now) {
  if (std::ranges::any_of(*nodes_, [now](const auto& node) { return node->MayAnswer(now); })) return;
  Violate(now, Invariant::kServed, "no node answers the hosts of the LAN");
}

void Monitor::Check(MonoTime now, bool gateway_up) {
  CheckServed(now, gateway_up);
  for (size_t i = 0; i < views_.size(); ++i) {
    CheckConfig(now, i);
    CheckWanted(now, i);
  }
  if (!revoked_.empty() || thief_ != nullptr) CheckRevoked(now);
  if (now.ns / Milliseconds(500).ns != (now.ns - Milliseconds(10).ns) / Milliseconds(500).ns) {
    for (size_t i = 0; i < views_.size(); ++i) CheckUptime(now, i);
  }
}

void Monitor::CheckServed(MonoTime now, bool gateway_up) {
  const bool able = gateway_up && std::ranges::any_of(*nodes_, [&](const auto& node) {
                      return node->Healthy(now) && now - node->booted() >= kStartsIn &&
                             lan_->Reaches(node->port(), gateway_port_) && lan_->Reaches(gateway_port_, node->port());
                    });
  if (!able) {
    serviceable_since_ = kNever;
    return;
  }
  if (serviceable_since_ == kNever) serviceable_since_ = now;
  if (!expect.check_served || outage_told_) return;
  const MonoTime since = std::max({disturbed_, last_answer_, serviceable_since_});
  if (now - since <= expect.served_within) return;
  outage_told_ = true;
  Violate(now, Invariant::kServed,
          absl::StrFormat("no answer for %.1f ms, though a healthy node reaches the gateway", Ms(now - since)));
}

// What nobody has confirmed runs neither after its deadline nor in another boot. On trial it is not meant.
void Monitor::CheckConfig(MonoTime now, size_t index) {
  const Node& node = *(*nodes_)[index];
  if (!node.Healthy(now) || now - node.control_ran() > kHungControl) return;
  const clusterconfig::Holder* const holder = node.controller()->shared_config().holder();
  if (holder == nullptr || holder->on_trial()) return;
  const clusterconfig::Version& running = holder->running();
  const clusterconfig::Stage stage = holder->stages().Of(running);
  if (running == clusterconfig::Version{} || stage == clusterconfig::Stage::kConfirmed) return;
  const MonoTime local = node.clocks().Monotonic(now);
  const admission::ConfigEntry* const entry = holder->ledger().Entry(running);
  if (entry == nullptr) return;
  const auto [until, first] =
      views_[index].open_until.try_emplace(running, local + clusterconfig::TimeoutOf(*entry) + kGoesBackWithin);
  if (first) Trace(now, absl::StrCat(Name(index), ": runs ", clusterconfig::ToText(running), " to be confirmed"));
  if (open_before_[index].contains(running)) {
    Violate(now, Invariant::kInTime,
            absl::StrCat(Name(index), " runs ", clusterconfig::ToText(running), " unconfirmed after a restart"));
  } else if (local > until->second) {
    Violate(now, Invariant::kInTime,
            absl::StrCat(Name(index), " runs ", clusterconfig::ToText(running), " unconfirmed after its deadline"));
  }
}

void Monitor::CheckUptime(MonoTime now, size_t index) {
  const Node& node = *(*nodes_)[index];
  if (!node.Healthy(now)) return;
  const ControllerStatus status = node.Status(now);
  NodeView& view = views_[index];
  if (view.lineage == status.lineage && status.lineage != 0 && status.cluster_uptime_ms < view.uptime_ms) {
    Violate(now, Invariant::kUptime,
            absl::StrCat(Name(index), ": cluster uptime goes back from ", view.uptime_ms, " to ",
                         status.cluster_uptime_ms, " ms"));
  }
  view.lineage = status.lineage;
  view.uptime_ms = status.cluster_uptime_ms;
}

}  // namespace qure::sim
