// The service addresses of the cluster on this node: a claim each, what the master holds, what goes to the host port,
// and the multicast groups that follow. The claims follow the mastership: a master takes all, any other releases all.
#pragma once

#include <optional>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/address/claim.h"
#include "control/core/address/gateway_watch.h"
#include "control/core/address/group_listener.h"
#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

class ServiceAddresses {
 public:
  // `random` outlives it.
  explicit ServiceAddresses(absl::BitGenRef random) : random_(random), groups_(random) {}
  // Claims refer to its GatewayWatch.
  ServiceAddresses(const ServiceAddresses&) = delete;
  ServiceAddresses& operator=(const ServiceAddresses&) = delete;

  // The addresses of `config`. Claims that can go on do (Claim::CanContinue), others start anew. `cluster_group`: where
  // the cluster's own messages go to; absent: there are none.
  void Configure(MonoTime now, const NodeFacts& facts, const ClusterConfig& config,
                 const std::optional<Ipv4Address>& cluster_group, Actions* out);

  // This node is master, or is not any more. True if that is a change. `warm`: there was a master until now; what it
  // held within kWarm is held at once.
  bool SetLeads(MonoTime now, bool leads, bool warm, Actions* out);
  // The workers no longer answer for addresses that were handed over. True if they did until now.
  bool EndHandover();
  // The addresses that the master reports as held. True if that is a change.
  bool FollowMaster(MonoTime now, std::vector<IpPrefix> held);

  // What is said as a gateway. True if it is believed: it answers a question of ours.
  bool OnGatewayAnswer(MonoTime now, const Event& event, Actions* out) { return gateways_.OnAnswer(now, event, out); }
  void OnGatewayHint(MonoTime now, const Event& event, Actions* out) { gateways_.OnHint(now, event, out); }
  // True if a claim has changed. kNeighbor: only those that are believed.
  bool OnEvent(MonoTime now, const Event& event, Actions* out);
  void OnGroupQuery(MonoTime now, const Event& event) { groups_.OnEvent(now, event); }
  bool TickClaims(MonoTime now, Actions* out);
  // Announcements that are due again, and reports of groups.
  void TickReports(MonoTime now, Actions* out);
  MonoTime deadline() const;

  // Another node may have sent from a service MAC: a master announces again, at most every kAnnounceAgain.
  void AnnounceSoon(MonoTime now);
  // As master: a frame from a service MAC came from the LAN. True if it is our own, which the switch has returned (a
  // virtual switch with a promiscuous port): then it is no reason to announce, as the announcement would come back,
  // too.
  bool IsEcho(MonoTime now, Actions* out);
  // A message of this node came back from the LAN.
  void OnOwnReturned(MonoTime now) { own_returned_ = now; }
  // Asks the LAN who has the addresses, and whether the gateway is there.
  void Ask(MonoTime now, Actions* out);
  // Only the latter, as the node itself.
  void AskGateways(MonoTime now, Actions* out) { gateways_.Ask(now, out); }
  bool GatewaysAnswer() const { return gateways_.AllAnswer(); }
  // SetHostAddresses, if what the host port has to carry has changed.
  void UpdateHostAddresses(Actions* out);

  const std::vector<Claim>& claims() const { return claims_; }
  bool leads() const { return leads_; }
  bool handing_over() const { return !handing_over_.empty(); }
  bool AnyHeld() const;
  std::vector<IpPrefix> Held() const;
  const std::vector<IpPrefix>& held_by_master() const { return held_by_master_; }  // as it last reported
  // Whether the workers answer for the claim's address.
  bool Serves(const Claim& claim) const;
  // Whether `mac` is one that nodes of the cluster use for this service address.
  bool IsServiceMac(const IpAddress& address, const MacAddress& mac) const;

 private:
  void NoteHeld(MonoTime now, const std::vector<IpPrefix>& held);
  bool WasHeld(MonoTime now, const Claim& claim) const;

  absl::BitGenRef random_;
  GatewayWatch gateways_;
  std::vector<Claim> claims_;
  GroupListener groups_;
  bool leads_ = false;
  std::vector<IpPrefix> held_by_master_;  // as it last reported
  std::vector<IpPrefix> last_held_;       // by the last master, this node or another …
  MonoTime last_held_at_ = kLongAgo;      // … as known then
  std::vector<IpAddress> handing_over_;   // answered from the node MAC until the successor has taken over
  std::vector<IpPrefix> host_addresses_;
  MonoTime announce_again_at_ = kNever;
  MonoTime announced_again_ = kLongAgo;
  MonoTime own_returned_ = kLongAgo;
  MonoTime echo_repaired_ = kLongAgo;
  bool echo_logged_ = false;
};

}  // namespace qure
