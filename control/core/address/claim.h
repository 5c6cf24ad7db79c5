// The claim to one service address: probe, announce, verify, defend (RFC 5227; RFC 4862 §5.4 for IPv6). What is held
// is defended for ever: everyone reaches the services there. A pure state machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/address/gateway_watch.h"
#include "control/core/cluster/identity.h"
#include "control/core/config.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

enum class ClaimState : uint8_t {
  kStandby,  // not ours to claim: another node is master, or none is yet
  kProbing,  // asking whether anyone has the candidate
  kHeld,     // ours: answered for, announced, verified, defended
  kTaken,    // someone else has every candidate; waiting to try again
};
std::string_view NameOf(ClaimState state);

struct ClaimStatus {
  IpPrefix address;     // the current candidate
  MacAddress mac;       // its service MAC
  bool to_all = false;  // ClaimContext::to_all
  ClaimState state = ClaimState::kStandby;
  std::optional<MacAddress> holder;  // who has it, when taken
  std::optional<MacAddress> rival;   // held, but this one has used it, too, within kContested
  bool verified = false;             // the gateway answered to the service MAC
  bool alarm = false;                // it did not, kVerifyAlarm times in a row
  uint64_t conflicts = 0;
  uint64_t defenses = 0;
  uint64_t verify_failures = 0;  // unanswered verifications since the start
};

// What a claim needs to know of its node and cluster.
struct ClaimContext {
  MacAddress node_mac;    // source of probes
  QuestionSender sender;  // of other questions
  MacAddress lan_mac;
  ClusterId cluster{};
  ServiceMac service_mac = ServiceMac::kDerived;
  bool to_all = false;  // the address is at GroupMac of its service MAC, which stays the source of all frames
  std::optional<IpAddress> gateway;  // of the address's family
  GatewayWatch* gateways = nullptr;  // knows where it is; outlives the claim
  Duration probe_interval;
};

class Claim {
 public:
  // Stands by. `random` outlives the claim; `config` has at least one candidate.
  Claim(const AddressConfig& config, const ClaimContext& context, absl::BitGenRef random);

  // The MACs under which nodes of the cluster speak as the address.
  bool IsOwnMac(const MacAddress& mac) const { return mac == status_.mac || mac == GroupMac(status_.mac); }

  // Whether this claim can go on under a changed configuration without asking anew: its MACs stay, and its candidates
  // too; a held address may also gain or lose alternatives.
  bool CanContinue(const AddressConfig& config, const ClaimContext& context) const;
  // Goes on under a configuration for which CanContinue is true. A new gateway is asked at once.
  void Continue(MonoTime now, const AddressConfig& config, const ClaimContext& context, Actions* out);

  // This node has become master: holds the address. `warm`: the cluster held it until now, and holds and defends it
  // without a gap, even if another host has used it meanwhile. Otherwise it is probed for first.
  void Take(MonoTime now, bool warm, Actions* out);
  // This node is master no more.
  void Release();
  // Standing by: the master holds this candidate, so it would be ours as well. True if that is a change.
  bool Follow(const IpPrefix& held);
  // Held: announces as after a claim. Another may have sent from the service MAC meanwhile, and led a switch astray.
  void AnnounceAgain(MonoTime now, Actions* out);
  // Held: leads switch and gateway back here by frames to the gateway alone, if it is known where that is.
  void Repair(MonoTime now, Actions* out);
  MonoTime last_announced() const { return last_announced_; }  // to all
  // "Does anyone have it?", asked of its holder. The switch leads the question to who sends from the service MAC, and
  // an answer is asked for with our own address: it is no probe, which would make a host that boots give the address
  // up.
  void Ask(Actions* out) const;

  // Each returns through `out` what to do; true if state, address or mac changed, so that a snapshot is due. Of what is
  // said as the gateway, only what GatewayWatch believes.
  bool Tick(MonoTime now, Actions* out);
  bool OnEvent(MonoTime now, const Event& event, Actions* out);

  MonoTime deadline() const;  // when Tick has something to do next
  const ClaimStatus& status() const { return status_; }

 private:
  void Aim(size_t candidate);
  void StartProbing(MonoTime now, size_t candidate);
  bool TickProbing(MonoTime now, Actions* out);
  void TickHeld(MonoTime now, Actions* out);
  void Hold(MonoTime now, Actions* out);
  bool Lose(MonoTime now, const Event& event, Actions* out);
  void OnConflict(MonoTime now, const Event& event, Actions* out);
  void EndContest(Actions* out);
  void OnGateway(const Event& event, Actions* out);
  void Announce(MonoTime now, Actions* out);
  void Verify(MonoTime now, Actions* out);
  void CountUnanswered(Actions* out);
  void ForgetVerification();
  MonoTime Jittered(MonoTime now, Duration span);

  const IpAddress& address() const { return status_.address.address; }

  AddressConfig config_;
  ClaimContext context_;
  absl::BitGenRef random_;
  ClaimStatus status_;

  size_t candidate_ = 0;                            // index of status_.address in config_.candidates
  size_t taken_in_a_row_ = 0;                       // candidates found taken in this round
  std::vector<std::optional<MacAddress>> holders_;  // of each candidate as last logged
  int probes_sent_ = 0;
  MonoTime next_step_;  // probe, end of probing, retry

  // Valid while held.
  MonoTime held_since_;
  size_t announced_ = 0;  // entries of kAnnounceAt that are done
  MonoTime next_announce_ = kNever;
  MonoTime next_verify_ = kNever;  // when the verification under way counts as unanswered; kNever: none under way
  int unanswered_in_a_row_ = 0;
  MonoTime last_announced_ = kLongAgo;
  MonoTime last_defense_ = kLongAgo;
  MonoTime last_repair_ = kLongAgo;    // the gateway's cache was set right after a conflict
  MonoTime contested_until_ = kNever;  // while there is a rival
};

}  // namespace qure
