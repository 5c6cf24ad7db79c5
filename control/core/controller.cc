#include "control/core/controller.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/core/naming.h"
#include "proto/ip.h"

namespace qure {
namespace {

std::shared_ptr<const ServicePorts> BuildServicePorts(const ClusterConfig& config) {
  auto ports = std::make_shared<ServicePorts>();
  ports->drop_others = config.default_policy == DefaultPolicy::kDrop;
  for (const ServiceConfig& service : config.services) {
    auto& bits = service.protocol == kProtocolTcp ? ports->tcp : ports->udp;
    for (size_t port = service.first_port; port <= service.last_port; ++port) bits.set(port);
  }
  return ports;
}

bool IsHeld(const Claim& claim) {
  return claim.status().state == ClaimState::kHeld;
}

}  // namespace

Controller::Controller(const NodeFacts& facts, absl::BitGenRef random) : facts_(facts), random_(random) {}

Actions Controller::OnConfig(MonoTime now, const ClusterConfig& config) {
  if (config.zones != config_.zones) dns_ = BuildDnsTable(config.zones);
  ports_ = BuildServicePorts(config);
  config_ = config;

  Actions from_claims;
  std::vector<Claim> previous = std::exchange(claims_, {});
  for (const AddressConfig& address : config_.addresses) {
    const ClaimContext context = ContextFor(address);
    const auto heir = std::ranges::find_if(previous, [&](const Claim& c) { return c.CanContinue(address, context); });
    if (heir == previous.end()) {
      claims_.emplace_back(address, context, random_, now);
      continue;
    }
    claims_.push_back(std::move(*heir));
    previous.erase(heir);
    claims_.back().Continue(now, address, context, &from_claims);
  }
  return Conclude(true, std::move(from_claims));
}

Actions Controller::OnEvent(MonoTime now, const Event& event) {
  Actions from_claims;
  bool changed = false;
  for (Claim& claim : claims_) changed |= claim.OnEvent(now, event, &from_claims);
  return Conclude(changed, std::move(from_claims));
}

Actions Controller::Tick(MonoTime now) {
  Actions from_claims;
  bool changed = false;
  for (Claim& claim : claims_) changed |= claim.Tick(now, &from_claims);
  return Conclude(changed, std::move(from_claims));
}

MonoTime Controller::NextDeadline() const {
  MonoTime next = kNever;
  for (const Claim& claim : claims_) next = std::min(next, claim.deadline());
  return next;
}

ControllerStatus Controller::status() const {
  ControllerStatus status{.role = std::ranges::any_of(claims_, IsHeld) ? "master" : "standby",
                          .node_mac = OwnMac(0),
                          .snapshot_revision = revision_,
                          .claims = {}};
  for (const Claim& claim : claims_) status.claims.push_back(claim.status());
  return status;
}

Actions Controller::Conclude(bool changed, Actions from_claims) {
  const bool held = std::ranges::any_of(claims_, IsHeld);
  Actions out;
  if (gate_open_ && !held) out.emplace_back(ShutGate{});
  if (changed) {
    Publish(&out);
    PublishHostAddresses(&out);
  }
  if (!gate_open_ && held) out.emplace_back(OpenGate{});
  gate_open_ = held;
  std::ranges::move(from_claims, std::back_inserter(out));
  return out;
}

void Controller::Publish(Actions* out) {
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
    addresses.push_back({.address = address, .mac = status.mac, .serving = IsHeld(claim)});
  }
  snapshot->gateways = config_.gateways;
  snapshot->ports = ports_;
  snapshot->dns = dns_;
  out->emplace_back(PublishSnapshot{.snapshot = std::move(snapshot)});
}

// An address that someone else has is not on the host port: this node, too, must be able to reach its holder.
void Controller::PublishHostAddresses(Actions* out) {
  std::vector<IpPrefix> addresses;
  for (const Claim& claim : claims_) {
    if (IsHeld(claim)) addresses.push_back(claim.status().address);
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
                       .gateway = {},
                       .probe_interval = config_.probe_interval};
  for (const IpAddress& gateway : config_.gateways) {
    if (gateway.is_v6() == address.candidates.front().address.is_v6()) context.gateway = gateway;
  }
  return context;
}

// A link that refuses the service MAC refuses every other MAC but the port's own, too.
MacAddress Controller::OwnMac(int hop) const {
  return config_.service_mac == ServiceMac::kInterface ? facts_.lan_mac : NodeMac(facts_.node_id, hop);
}

}  // namespace qure
