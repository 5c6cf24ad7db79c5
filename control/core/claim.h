// The claim to one service address: probe, announce, verify, defend, yield (RFC 5227; RFC 4862 §5.4 for IPv6). A pure
// state machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/config.h"
#include "control/core/identity.h"
#include "proto/address.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

enum class ClaimState : uint8_t {
  kProbing,  // asking whether anyone has the candidate
  kHeld,     // ours: answered for, announced, verified, defended
  kTaken,    // someone else has every candidate; waiting to try again
};
std::string_view NameOf(ClaimState state);

struct ClaimStatus {
  IpPrefix address;  // the current candidate
  MacAddress mac;    // its service MAC
  ClaimState state = ClaimState::kProbing;
  std::optional<MacAddress> holder;  // who has it, when taken
  bool verified = false;             // the gateway answered to the service MAC
  bool alarm = false;                // it did not, kVerifyAlarm times in a row
  uint64_t conflicts = 0;
  uint64_t defenses = 0;
  uint64_t verify_failures = 0;  // unanswered verifications since the start
};

// What a claim needs to know of its node and cluster.
struct ClaimContext {
  MacAddress node_mac;  // source of probes
  MacAddress lan_mac;
  ClusterId cluster{};
  ServiceMac service_mac = ServiceMac::kDerived;
  std::optional<IpAddress> gateway;  // of the address's family
  Duration probe_interval;
};

class Claim {
 public:
  // Starts probing at once. `random` outlives the claim; `config` has at least one candidate.
  Claim(const AddressConfig& config, const ClaimContext& context, absl::BitGenRef random, MonoTime now);

  // Whether this claim can go on under a changed configuration without asking anew: its MACs stay, and its candidates
  // too; a held address may also gain or lose alternatives.
  bool CanContinue(const AddressConfig& config, const ClaimContext& context) const;
  // Goes on under a configuration for which CanContinue is true. A new gateway is asked at once.
  void Continue(MonoTime now, const AddressConfig& config, const ClaimContext& context, Actions* out);

  // Each returns through `out` what to do; true if state, address or mac changed, so that a snapshot is due.
  bool Tick(MonoTime now, Actions* out);
  bool OnEvent(MonoTime now, const Event& event, Actions* out);

  MonoTime deadline() const;  // when Tick has something to do next
  const ClaimStatus& status() const { return status_; }

 private:
  void StartProbing(MonoTime now, size_t candidate);
  bool TickProbing(MonoTime now, Actions* out);
  void TickHeld(MonoTime now, Actions* out);
  void Hold(MonoTime now, Actions* out);
  bool Lose(MonoTime now, const Event& event, Actions* out);
  bool OnConflict(MonoTime now, const Event& event, Actions* out);
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
  std::optional<MacAddress> gateway_mac_;  // unknown until heard, and again when it stops answering
  std::optional<MonoTime> last_conflict_;
};

}  // namespace qure
