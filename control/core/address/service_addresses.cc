#include "control/core/address/service_addresses.h"

#include <algorithm>
#include <utility>

#include "control/core/naming.h"
#include "control/core/timers.h"
#include "proto/check.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

bool IsHeld(const Claim& claim) {
  return claim.status().state == ClaimState::kHeld;
}

ClaimContext ContextFor(const NodeFacts& facts, const ClusterConfig& config, const AddressConfig& address,
                        GatewayWatch* gateways) {
  ClaimContext context{.node_mac = OwnMac(facts, config.service_mac, 0),
                       .sender = SenderOf(facts, config.service_mac),
                       .lan_mac = facts.lan_mac,
                       .cluster = config.id(),
                       .service_mac = config.service_mac,
                       .to_all = ReachesAll(config, address),
                       .gateway = {},
                       .gateways = gateways,
                       .probe_interval = config.probe_interval};
  for (const IpAddress& gateway : config.gateways) {
    if (gateway.is_v6() == address.candidates.front().address.is_v6()) context.gateway = gateway;
  }
  return context;
}

}  // namespace

void ServiceAddresses::Configure(MonoTime now, const NodeFacts& facts, const ClusterConfig& config,
                                 const std::optional<Ipv4Address>& cluster_group, Actions* out) {
  gateways_.Configure(facts, config);
  std::vector<Claim> previous = std::exchange(claims_, {});
  for (const AddressConfig& address : config.addresses) {
    const ClaimContext context = ContextFor(facts, config, address, &gateways_);
    const auto heir = std::ranges::find_if(previous, [&](const Claim& c) { return c.CanContinue(address, context); });
    if (heir == previous.end()) {
      claims_.emplace_back(address, context, random_);
      if (leads_) claims_.back().Take(now, /*warm=*/false, out);
      continue;
    }
    claims_.push_back(std::move(*heir));
    previous.erase(heir);
    claims_.back().Continue(now, address, context, out);
  }
  std::vector<IpAddress> groups;
  if (cluster_group) groups.emplace_back(*cluster_group);
  for (const Claim& claim : claims_) {
    const IpAddress& address = claim.status().address.address;
    if (address.is_v6()) groups.emplace_back(SolicitedNode(address.v6()));
  }
  groups_.SetGroups(now, OwnMac(facts, config.service_mac, 0), OwnAddress(facts), std::move(groups), out);
}

bool ServiceAddresses::SetLeads(MonoTime now, bool leads, bool warm, Actions* out) {
  QURE_CHECK(leads_ || !AnyHeld());
  if (leads == leads_) return false;
  leads_ = leads;
  if (!leads) {
    NoteHeld(now, Held());
    handing_over_.clear();
    for (const IpPrefix& held : Held()) handing_over_.push_back(held.address);
  }
  for (Claim& claim : claims_) {
    if (leads) claim.Take(now, warm && WasHeld(now, claim), out);
    if (!leads) claim.Release();
  }
  return true;
}

bool ServiceAddresses::EndHandover() {
  return !std::exchange(handing_over_, {}).empty();
}

// What the cluster held until now is not probed for again: it is ours, and another host that uses it is in the wrong.
void ServiceAddresses::NoteHeld(MonoTime now, const std::vector<IpPrefix>& held) {
  last_held_ = held;
  last_held_at_ = now;
}

bool ServiceAddresses::WasHeld(MonoTime now, const Claim& claim) const {
  return now - last_held_at_ <= kWarm && std::ranges::find(last_held_, claim.status().address) != last_held_.end();
}

bool ServiceAddresses::FollowMaster(MonoTime now, std::vector<IpPrefix> held) {
  NoteHeld(now, held);
  if (held == held_by_master_) return false;
  held_by_master_ = std::move(held);
  for (Claim& claim : claims_) {
    for (const IpPrefix& prefix : held_by_master_) claim.Follow(prefix);
  }
  return true;
}

bool ServiceAddresses::OnEvent(MonoTime now, const Event& event, Actions* out) {
  bool changed = false;
  for (Claim& claim : claims_) changed |= claim.OnEvent(now, event, out);
  return changed;
}

bool ServiceAddresses::TickClaims(MonoTime now, Actions* out) {
  bool changed = false;
  for (Claim& claim : claims_) changed |= claim.Tick(now, out);
  return changed;
}

void ServiceAddresses::TickReports(MonoTime now, Actions* out) {
  if (now >= announce_again_at_) {
    announce_again_at_ = kNever;
    announced_again_ = now;
    for (Claim& claim : claims_) claim.AnnounceAgain(now, out);
  }
  gateways_.Tick(now, out);
  groups_.Tick(now, out);
}

MonoTime ServiceAddresses::deadline() const {
  MonoTime next = std::min({announce_again_at_, groups_.deadline(), gateways_.deadline()});
  for (const Claim& claim : claims_) next = std::min(next, claim.deadline());
  return next;
}

void ServiceAddresses::AnnounceSoon(MonoTime now) {
  announce_again_at_ = std::min(announce_again_at_, std::max(now, announced_again_ + kAnnounceAgain));
}

bool ServiceAddresses::IsEcho(MonoTime now, Actions* out) {
  MonoTime announced = kLongAgo;
  for (const Claim& claim : claims_) announced = std::max(announced, claim.last_announced());
  if (now - announced > kEchoWithin && now - own_returned_ > kEchoKnown) return false;
  if (!std::exchange(echo_logged_, true)) {
    out->push_back(MakeLog(LogLevel::kWarning,
                           "the switch returns our own frames (a virtual switch with a promiscuous port, or a loop): "
                           "ignored"));
  }
  // Should it be somebody else's after all, a frame that goes to the gateway alone leads the switch back.
  if (now - echo_repaired_ < kEchoRepair) return true;
  echo_repaired_ = now;
  for (Claim& claim : claims_) claim.Repair(now, out);
  return true;
}

void ServiceAddresses::Ask(MonoTime now, Actions* out) {
  for (const Claim& claim : claims_) claim.Ask(out);
  gateways_.Ask(now, out);
}

// Members carry the addresses that the cluster holds, so that a takeover has nothing to set up in the kernel; the
// dataplane lets nothing through to them. An address that a foreign host has is on no host port: this node, too, must
// be able to reach its holder.
void ServiceAddresses::UpdateHostAddresses(Actions* out) {
  std::vector<IpPrefix> addresses;
  for (const Claim& claim : claims_) {
    const IpPrefix& address = claim.status().address;
    const bool held_by_master = !leads_ && std::ranges::find(held_by_master_, address) != held_by_master_.end();
    if (Serves(claim) || held_by_master) addresses.push_back(address);
  }
  if (addresses == host_addresses_) return;
  host_addresses_ = addresses;
  out->emplace_back(SetHostAddresses{.addresses = std::move(addresses)});
}

bool ServiceAddresses::AnyHeld() const {
  return std::ranges::any_of(claims_, IsHeld);
}

std::vector<IpPrefix> ServiceAddresses::Held() const {
  std::vector<IpPrefix> held;
  for (const Claim& claim : claims_) {
    if (IsHeld(claim)) held.push_back(claim.status().address);
  }
  return held;
}

bool ServiceAddresses::Serves(const Claim& claim) const {
  return IsHeld(claim) || std::ranges::find(handing_over_, claim.status().address.address) != handing_over_.end();
}

bool ServiceAddresses::IsServiceMac(const IpAddress& address, const MacAddress& mac) const {
  return std::ranges::any_of(
      claims_, [&](const Claim& claim) { return claim.status().address.address == address && claim.IsOwnMac(mac); });
}

}  // namespace qure
