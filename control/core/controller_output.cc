// The Controller's other half: from the state that a step has come to, to what is published, said and shown.
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/random/distributions.h"
#include "control/core/controller.h"
#include "control/core/naming.h"
#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {
namespace {

bool IsHeld(const Claim& claim) {
  return claim.status().state == ClaimState::kHeld;
}

}  // namespace

// Order matters to the LAN: a gate that shuts does so first, or, in a handover, as soon as the workers answer from the
// node MAC; a claim is said before the gate opens; what the claims and others want sent comes last.
Actions Controller::Conclude(MonoTime now, Actions said) {
  Actions out;
  Actions later;
  if (!life_) return said;
  ApplyRole(now, &later);
  std::vector<Saying> sayings = election_.TakeSayings();
  if (const auto epochs = election_.TakeReservation()) Store({.epochs = *epochs}, &out);
  if (auto plan = MakeHeartbeatPlan();
      (plan == nullptr) != (plan_ == nullptr) || (plan != nullptr && *plan != *plan_)) {
    plan_ = std::move(plan);
    dirty_ = true;
  }
  const bool opens = election_.gate_open() && (transport_.enabled() || std::ranges::any_of(claims_, IsHeld));
  const bool shuts = gate_open_ && !opens;
  if (shuts && draining_.empty()) out.push_back(ShutGate{});
  if (transport_.enabled()) dirty_ |= balancing_.Step(View(now), &later);
  flow_querier_.Tick(now, members_, &transport_, &later);
  if (std::exchange(dirty_, false)) {
    Publish(now, &out);
    PublishHostAddresses(&out);
  }
  if (shuts && !draining_.empty()) out.push_back(ShutGate{.after_workers = true});
  for (const Saying& saying : sayings) {
    if (saying.what == Saying::What::kClaim) Speak(now, saying, &out);
  }
  if (opens && (!gate_open_ || opening_ != election_.opening())) {
    opening_ = election_.opening();
    out.push_back(OpenGate{.stalls_known = election_.stalls_known(), .opening = opening_});
  }
  gate_open_ = opens;
  std::ranges::move(said, std::back_inserter(out));
  std::ranges::move(later, std::back_inserter(out));
  for (const Saying& saying : sayings) {
    if (saying.what != Saying::What::kClaim) Speak(now, saying, &out);
  }
  if (finished_) out.push_back(Finished{});
  return out;
}

// The claims follow the mastership.
void Controller::ApplyRole(MonoTime now, Actions* out) {
  const bool leads = election_.role() == Role::kMaster;
  if (leads != leads_) {
    leads_ = dirty_ = true;
    leads_ = leads;
    if (!leads) {
      draining_.clear();
      for (const Claim& claim : claims_) {
        if (IsHeld(claim)) draining_.push_back(claim.status().address.address);
      }
    }
    for (Claim& claim : claims_) {
      if (leads) claim.Take(now, election_.warm(), out);
      if (!leads) claim.Release();
    }
    HelloBy(now + HelloSpan());
  }
  if (!draining_.empty() && !election_.draining()) {
    draining_.clear();
    dirty_ = true;
  }
  const auto& last = election_.last_takeover();
  if (leads && last && last->term != noted_term_) {
    noted_term_ = last->term;
    Note(now, HistoryKind::kMaster, out, {}, std::string(NameOf(last->cause)));
  }
}

void Controller::Speak(MonoTime now, const Saying& saying, Actions* out) {
  using What = Saying::What;
  if (!transport_.enabled()) return;
  if (saying.what == What::kAskLan) return AskLan(out);
  if (saying.what == What::kSuspect) return members_.Suspect(now, *saying.node);
  if (saying.what == What::kHello && !saying.node) return SayHello(now, out);

  wire::Message message;
  switch (saying.what) {
    case What::kHello:
      *message.mutable_hello() = MakeHello(now);
      break;
    case What::kQuery:
      message.mutable_query()->set_nonce(absl::Uniform<uint64_t>(random_));
      break;
    case What::kClaim:
      WriteTerm(saying.term, message.mutable_claim()->mutable_term());
      *message.mutable_claim()->mutable_hello() = MakeHello(now);
      break;
    case What::kYield:
      WriteTerm(saying.term, message.mutable_yield()->mutable_term());
      if (saying.node) message.mutable_yield()->set_successor(WriteId(*saying.node));
      break;
    case What::kPrepare:
      WriteTerm(saying.term, message.mutable_prepare()->mutable_term());
      break;
    case What::kPrepared:
      WriteTerm(saying.term, message.mutable_prepared()->mutable_term());
      break;
    case What::kAskLan:
    case What::kSuspect:
      return;
  }
  if (saying.what == What::kClaim || saying.what == What::kYield || !saying.node) {
    transport_.UseWay(Transport::Way::kBoth);  // rare, and must arrive
    return transport_.SendToAll(message, out);
  }
  if (const Member* member = members_.Find(*saying.node)) transport_.SendTo(member->at, message, out);
}

void Controller::SayHello(MonoTime now, Actions* out) {
  if (!transport_.enabled() || finished_) return;
  wire::Message message;
  *message.mutable_hello() = MakeHello(now);
  transport_.UseWay(life_->booting() ? Transport::Way::kBoth : members_.NextWay(now));
  transport_.SendToAll(message, out);
  const Duration span = HelloSpan();
  next_hello_ = now + Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, span.ns * 9 / 10, span.ns)};
}

void Controller::HelloBy(MonoTime at) {
  if (transport_.enabled()) next_hello_ = std::min(next_hello_, at);
}

Duration Controller::HelloSpan() const {
  if (life_->booting()) return kBootHelloInterval;
  return members_.HelloInterval(election_.role() == Role::kMaster);
}

wire::Hello Controller::MakeHello(MonoTime now) const {
  wire::Hello hello;
  hello.set_name(facts_.name);
  hello.set_age(stored_.age);
  hello.set_revision(facts_.revision);
  hello.set_age_at_revision(stored_.age_at_revision);
  hello.set_era(life_->booting() ? std::max(life_->era(), history_.highest_era()) : life_->era());
  hello.set_lineage(life_->lineage());
  hello.set_uptime_ms(life_->UptimeMs(now));
  hello.set_booting(life_->booting());
  hello.set_node_uptime_ms(static_cast<uint64_t>((now - booted_).ns / Milliseconds(1).ns));
  WriteTerm(election_.highest(), hello.mutable_highest_term());
  // Hearsay is not passed on, or a dead master would live by rumour.
  const std::optional<NodeId> master = election_.master();
  const Member* member = master ? members_.Find(*master) : nullptr;
  if (master && (master == facts_.node_id || (member != nullptr && member->state == MemberState::kAlive))) {
    hello.set_master(WriteId(*master));
    WriteTerm(election_.term(), hello.mutable_master_term());
  }
  if (election_.role() == Role::kMaster) {
    if (const auto deputy = election_.deputy()) hello.set_deputy(WriteId(*deputy));
    for (const Claim& claim : claims_) {
      if (IsHeld(claim)) WriteHeld(claim.status().address, hello.add_held());
    }
  }
  const ElectionInput input = Input();
  hello.set_priority(facts_.priority);
  hello.set_weight(facts_.weight);
  hello.set_maintenance(stored_.maintenance);
  hello.set_ready(input.living && !claims_.empty());
  hello.set_ineligible(!input.eligible && !stored_.maintenance);
  hello.set_history_digest(history_.digest());
  hello.set_multicast_missing(members_.MissesMulticast(now));
  balancing_.FillHello(now, config_, &hello);
  return hello;
}

// Who has the service addresses, and is the gateway there?
void Controller::AskLan(Actions* out) {
  for (const Claim& claim : claims_) claim.Ask(out);
  for (const IpAddress& gateway : config_.gateways) out->push_back(AskWhoHas(OwnMac(0), gateway));
}

ElectionInput Controller::Input() const {
  const bool clone = clone_;
  return {.rank = {.priority = facts_.priority, .weight = facts_.weight, .node = facts_.node_id},
          .era = life_->era(),
          .living = !life_->booting(),
          .eligible = !config_.addresses.empty() && !stored_.maintenance && !clone && stop_by_ == kNever,
          .alone = !transport_.enabled(),
          .needs_gateway = transport_.enabled() && !config_.gateways.empty(),
          .preempt = config_.network.preempt,
          .informed = balancing_.informed()};
}

std::shared_ptr<const HeartbeatPlan> Controller::MakeHeartbeatPlan() const {
  const std::optional<NodeId> peer = election_.heartbeat_peer();
  const Member* const member = peer ? members_.Find(*peer) : nullptr;
  if (member == nullptr || !transport_.enabled()) return nullptr;
  auto plan = std::make_shared<HeartbeatPlan>();
  plan->role = election_.heartbeat_role();
  plan->term = election_.term();
  plan->ready = Input().living;
  plan->opening = plan->role == HeartbeatRole::kLead ? election_.opening() : 0;
  plan->self = facts_.node_id;
  plan->boot = facts_.boot_id;
  plan->send_key = transport_.SendKey();
  plan->mac = OwnMac(0);
  plan->address = OwnAddress();
  plan->port = config_.network.port;
  plan->peer = {.node = member->node,
                .boot = member->boot,
                .mac = member->at.mac,
                .address = member->at.address,
                .keys = transport_.KeysOf(member->node, member->boot)};
  return plan;
}

// The key in use makes cookies, and those made with the others are good: so they outlive a takeover and a change of
// keys.
void Controller::MakeDns() {
  std::vector<DnsCookieSecret> secrets;
  for (const StoredKey& key : stored_.keyring.keys) {
    const auto at = key.id == stored_.keyring.use ? secrets.begin() : secrets.end();
    secrets.insert(at, DnsCookieSecretOf(key.key));
  }
  if (secrets.empty()) {
    if (cookie_secret_ == DnsCookieSecret{}) {
      for (uint8_t& byte : cookie_secret_) byte = absl::Uniform<uint8_t>(random_);
    }
    secrets.push_back(cookie_secret_);
  }
  dns_ = BuildDnsAuthority(config_.zones, names_.get(), facts_.name, std::move(secrets));
}

bool Controller::Serves(const Claim& claim) const {
  return IsHeld(claim) || std::ranges::find(draining_, claim.status().address.address) != draining_.end();
}

void Controller::Publish(MonoTime now, Actions* out) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = ++revision_;
  snapshot->lan_mac = facts_.lan_mac;
  snapshot->node_mac = OwnMac(0);
  snapshot->node_mac_hop1 = OwnMac(1);
  snapshot->vlan = facts_.vlan;
  snapshot->dedicated = facts_.lan_mode == LanMode::kDedicated;
  for (const Claim& claim : claims_) {
    const ClaimStatus& status = claim.status();
    const IpAddress& address = status.address.address;
    auto& addresses = address.is_v4() ? snapshot->addresses_v4 : snapshot->addresses_v6;
    addresses.push_back({.address = address,
                         .mac = status.mac,
                         .serving = Serves(claim),
                         .id = IdOf(address),
                         .to_all = status.to_all});
  }
  snapshot->handing_over = !draining_.empty();
  snapshot->gateways = config_.gateways;
  if (transport_.enabled()) {
    snapshot->cluster_port = config_.network.port;
    snapshot->cluster_group = transport_.config().group;
    snapshot->node_address = OwnAddress();
    snapshot->heartbeater = plan_;
  }
  snapshot->services = services_;
  if (transport_.enabled()) snapshot->balance = balancing_.Compile(View(now), OwnMac(0), OwnMac(1));
  for (const IpAddress& gateway : config_.gateways) {
    const auto mac = gateway_macs_.find(gateway);
    if (mac == gateway_macs_.end()) continue;
    (gateway.is_v6() ? snapshot->gateway_mac_v6 : snapshot->gateway_mac_v4) = mac->second;
  }
  snapshot->unix_at_zero = unix_at_zero_;
  snapshot->dns = dns_;
  snapshot->dns_limit = config_.dns.limit;
  snapshot->dns_log_every = config_.dns.log_every;
  snapshot->networks = Networks(config_, facts_.addresses);
  out->emplace_back(PublishSnapshot{.snapshot = std::move(snapshot)});
}

// Members carry the addresses that the cluster holds, so that a takeover has nothing to set up in the kernel; the
// dataplane lets nothing through to them. An address that a foreign host has is on no host port: this node, too, must
// be able to reach its holder.
void Controller::PublishHostAddresses(Actions* out) {
  std::vector<IpPrefix> addresses;
  for (const Claim& claim : claims_) {
    const IpPrefix& address = claim.status().address;
    const bool held_by_us = Serves(claim);
    const bool held_by_master = !leads_ && std::ranges::find(held_by_master_, address) != held_by_master_.end();
    if (held_by_us || held_by_master) addresses.push_back(address);
  }
  if (addresses == host_addresses_) return;
  host_addresses_ = addresses;
  out->emplace_back(SetHostAddresses{.addresses = std::move(addresses)});
}

ClaimContext Controller::ContextFor(const AddressConfig& address) const {
  ClaimContext context{.node_mac = OwnMac(0),
                       .lan_mac = facts_.lan_mac,
                       .cluster = ClusterIdFromName(config_.name),
                       .service_mac = config_.service_mac,
                       .to_all = ReachesAll(config_, address),
                       .gateway = {},
                       .probe_interval = config_.probe_interval};
  for (const IpAddress& gateway : config_.gateways) {
    if (gateway.is_v6() == address.candidates.front().address.is_v6()) context.gateway = gateway;
  }
  return context;
}

// A link that refuses the service MAC refuses every other MAC but the port's own, too.
MacAddress Controller::OwnMac(int hop) const {
  if (config_.service_mac == ServiceMac::kInterface) return facts_.lan_mac;
  return NodeMac(facts_.node_id, hop);
}

Ipv4Address Controller::OwnAddress() const {
  return facts_.address.is_zero() ? LinkLocalFor(facts_.node_id) : facts_.address;
}

// ------------------------------------------------------------------------------------------------------------ status

ControllerStatus Controller::status(MonoTime now) const {
  ControllerStatus status;
  const bool holds = std::ranges::any_of(claims_, IsHeld);
  status.clustered = transport_.enabled();
  status.node_id = facts_.node_id;
  status.node_mac = OwnMac(0);
  status.snapshot_revision = revision_;
  for (const Claim& claim : claims_) status.claims.push_back(claim.status());
  status.role = status.clustered ? OwnRow(now).role : holds ? "master" : "standby";
  status.age = stored_.age;
  if (!life_) return status;
  if (election_.role() == Role::kMaster && status.clustered) status.phase = NameOf(election_.phase());
  status.open = config_.network.security == Security::kOpen;
  status.maintenance = stored_.maintenance;
  status.ineligible = clone_;
  status.era = life_->era();
  status.lineage = life_->lineage();
  status.cluster_uptime_ms = life_->UptimeMs(now);
  status.term = election_.term();
  status.master = election_.master();
  status.deputy = election_.deputy();
  status.nodes.push_back(OwnRow(now));
  for (const auto& [node, member] : members_.all()) status.nodes.push_back(RowOf(now, member));
  for (const StoredKey& key : stored_.keyring.keys) status.key_ids.push_back(key.id);
  status.key_in_use = stored_.keyring.use;
  status.multicast_works = !members_.MissesMulticast(now);
  status.takeovers = election_.takeovers();
  status.last_takeover = election_.last_takeover();
  status.rejected = transport_.rejected();
  status.persist_failures = persist_failures_;
  for (const auto& [boot, events] : history_.boots()) status.history_events += events.size();
  status.balance_epoch = balancing_.balancer().current().number;
  status.services = ServiceRows();
  for (const RemoteAddress& heavy_hitter : balancing_.balancer().current().heavy_hitters)
    status.heavy_hitters.push_back(AddressOf(heavy_hitter));
  status.balance_settled = balancing_.settled();
  return status;
}

NodeRow Controller::OwnRow(MonoTime now) const {
  NodeRow row{.node = facts_.node_id, .name = facts_.name, .role = {}, .state = "self", .age = stored_.age};
  const bool deputy = election_.role() == Role::kMember && election_.deputy() == facts_.node_id;
  row.role = deputy ? "deputy" : NameOf(election_.role());
  row.era = life_ ? life_->era() : 0;
  row.revision = facts_.revision;
  row.address = OwnAddress();
  row.priority = facts_.priority;
  row.weight = facts_.weight;
  row.maintenance = stored_.maintenance;
  row.draining = balancing_.drain().on();
  row.drain_left = balancing_.drain().Left(now);
  row.slot = kSelfSlot;
  row.uptime = now - booted_;
  return row;
}

NodeRow Controller::RowOf(MonoTime now, const Member& member) const {
  const wire::Hello& hello = member.hello;
  NodeRow row{.node = member.node, .name = hello.name(), .role = "", .state = std::string(NameOf(member.state))};
  if (member.present()) {
    row.role = hello.booting()                         ? "booting"
               : ReadId(hello.master()) == member.node ? "master"
               : election_.deputy() == member.node     ? "deputy"
                                                       : "member";
  }
  row.age = hello.age();
  row.era = hello.era();
  row.revision = hello.revision();
  row.address = member.at.address;
  row.priority = hello.priority();
  row.weight = hello.weight();
  row.maintenance = hello.maintenance();
  row.draining = hello.draining();
  if (hello.has_drain_left_ms()) row.drain_left = Milliseconds(hello.drain_left_ms());
  row.slot = balancing_.balancer().KnownSlot(member.node);
  row.heard_ago = now - member.last_heard;
  row.uptime = Milliseconds(static_cast<int64_t>(hello.node_uptime_ms()));
  return row;
}

}  // namespace qure
