#include "control/core/snapshot_builder.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/random/distributions.h"
#include "proto/check.h"

namespace qure {
namespace {

// The tables were made from weights that name only nodes with a slot: an entry beyond would send flows nowhere.
void CheckSlots(const Balance& balance) {
  QURE_CHECK(balance.slots >= 1 && balance.slots <= balance.nodes.size(), balance.slots);
  QURE_CHECK(balance.master < balance.slots, balance.master, balance.slots);
  for (const EpochTables* epoch : {&balance.current, &balance.previous}) {
    for (const auto& table : epoch->services) QURE_CHECK(table == nullptr || !table->empty(), balance.epoch);
  }
  for (size_t slot = balance.slots; slot < balance.nodes.size(); ++slot) {
    QURE_CHECK(!balance.nodes[slot].present, slot, balance.slots);
  }
}

}  // namespace

void SnapshotBuilder::SetServices(const ClusterConfig& config) {
  services_ = BuildServices(config, [this](const IpAddress& address) { return ids_.IdOf(address); });
  Touch();
}

void SnapshotBuilder::SetDns(const NodeFacts& facts, const ClusterConfig& config, const Keyring& keyring) {
  std::vector<DnsCookieSecret> secrets;
  for (const StoredKey& key : keyring.keys) {
    const auto at = key.id == keyring.use ? secrets.begin() : secrets.end();
    secrets.insert(at, DnsCookieSecretOf(key.key));
  }
  if (secrets.empty()) {
    if (cookie_secret_ == DnsCookieSecret{}) {
      for (uint8_t& byte : cookie_secret_) byte = absl::Uniform<uint8_t>(random_);
    }
    secrets.push_back(cookie_secret_);
  }
  dns_ = BuildDnsAuthority(config, facts, names_.get(), std::move(secrets));
  Touch();
}

void SnapshotBuilder::SetHeartbeatPlan(std::shared_ptr<const HeartbeatPlan> plan) {
  if ((plan == nullptr) == (plan_ == nullptr) && (plan == nullptr || *plan == *plan_)) return;
  plan_ = std::move(plan);
  Touch();
}

void SnapshotBuilder::SetClusterPeers(ClusterPeers peers) {
  peers_ = std::make_shared<const ClusterPeers>(std::move(peers));
  Touch();
}

void SnapshotBuilder::SetUnixAtZero(int64_t seconds) {
  if (std::abs(seconds - unix_at_zero_) <= 1) return;
  unix_at_zero_ = seconds;
  Touch();
}

void SnapshotBuilder::OnGateway(const IpAddress& gateway, const MacAddress& mac) {
  MacAddress& known = gateway_macs_[gateway];
  TouchIf(known != mac);
  known = mac;
}

std::shared_ptr<const Snapshot> SnapshotBuilder::Make(const SnapshotView& view) {
  const NodeFacts& facts = *view.facts;
  const ClusterConfig& config = *view.config;
  due_ = false;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = ++revision_;
  snapshot->lan_mac = facts.lan_mac;
  snapshot->node_mac = OwnMac(facts, config.service_mac, 0);
  snapshot->node_mac_hop1 = OwnMac(facts, config.service_mac, 1);
  snapshot->dedicated = facts.lan_mode == LanMode::kDedicated;
  if (snapshot->dedicated) {
    for (const IpPrefix& own : facts.addresses) {
      if (own.address.is_v4()) snapshot->own_addresses.push_back(own.address.v4());
    }
  }
  const QuestionSender sender = SenderOf(facts, config.service_mac);
  snapshot->question_mac = sender.mac_v4;
  snapshot->question_address = sender.v4;
  snapshot->vlan = facts.vlan;
  for (const Claim& claim : view.addresses->claims()) {
    const ClaimStatus& status = claim.status();
    const IpAddress& address = status.address.address;
    auto& addresses = address.is_v4() ? snapshot->addresses_v4 : snapshot->addresses_v6;
    addresses.push_back({.address = address,
                         .mac = status.mac,
                         .serving = view.addresses->Serves(claim),
                         .id = ids_.IdOf(address),
                         .to_all = status.to_all});
  }
  snapshot->handing_over = view.addresses->handing_over();
  snapshot->reports_lan = reports_lan_;
  snapshot->gateways = config.gateways;
  // A node without a key listens too, to be able to say that it has none.
  snapshot->cluster_port = config.network.port;
  snapshot->cluster_group = view.cluster_group;
  if (view.clustered) {
    snapshot->node_address = OwnAddress(facts);
    snapshot->heartbeater = plan_;
    snapshot->cluster_peers = peers_;
    if (view.balance != nullptr) CheckSlots(*view.balance);
    snapshot->balance = view.balance;
  }
  snapshot->services = services_;
  for (const IpAddress& gateway : config.gateways) {
    const auto mac = gateway_macs_.find(gateway);
    if (mac == gateway_macs_.end()) continue;
    (gateway.is_v6() ? snapshot->gateway_mac_v6 : snapshot->gateway_mac_v4) = mac->second;
  }
  snapshot->unix_at_zero = unix_at_zero_;
  snapshot->dns = dns_;
  snapshot->dns_limit = config.dns.limit;
  snapshot->dns_log_every = config.dns.log_every;
  snapshot->IndexMacs();
  return snapshot;
}

}  // namespace qure
