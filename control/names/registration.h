// Keeps a cluster's public addresses registered at a main server: a pure state machine, time and answers in, questions
// and updates out. Only the master acts; whoever becomes master finds all as it should be, or repairs it.
//
//            ┌── input changed, or time to look again ──┐
//            ▼                                          │
//   reading: owner record, own name, shared set ── as wanted ──▶ registered (or removed)
//      ▲     │ not as wanted        │ another's
//      │     ▼                      ▼
//   verify ◀ updating ── refused ▶ waits, ever longer, and begins with reading again
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/config.h"
#include "proto/dns/response.h"
#include "proto/dns/update.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

inline constexpr Duration kFirstRetry = Seconds(1);  // doubled with each failure in a row
inline constexpr Duration kLastRetry = Seconds(300);

RegistrationNames NamesOf(const RegistrationConfig& config);

struct RegistrationPlan {
  RegistrationNames names;
  uint32_t ttl = 60;
  Duration refresh = Seconds(600);
  std::string cluster;  // who has the own name, for its owner record
  bool wanted = true;   // false: what is registered is to be taken away
  friend bool operator==(const RegistrationPlan&, const RegistrationPlan&) = default;
};

using RegistrationStep = std::variant<DnsQuestion, RegistrationUpdate>;

class Registration {
 public:
  enum class State : uint8_t {
    kOff,         // nothing is configured
    kStandby,     // another node is master
    kWaiting,     // for the public addresses
    kReading,     // asks what is registered
    kUpdating,    // has sent an UPDATE
    kVerifying,   // reads whether it had its effect
    kRegistered,  // all is as wanted
    kRemoved,     // nothing of ours is there, as wanted
    kTaken,       // the own name is another's
    kFailed,      // waits for the next attempt
  };

  // `random` outlives the registration.
  explicit Registration(absl::BitGenRef random) : random_(random) {}

  // What is wanted. A change ends the step that is under way, whose answer no longer counts: see under_way().
  void SetPlan(MonoTime now, std::optional<RegistrationPlan> plan);
  void SetMaster(MonoTime now, bool master);
  void SetAddresses(MonoTime now, std::vector<IpAddress> addresses);
  // Begins anew, at once: the way to the server has changed.
  void LookAgain(MonoTime now) { Restart(now); }
  // The cluster's last node goes: what is registered is to be taken away, if this node is master.
  void Leave(MonoTime now);

  // When Next has something; kNever while a step is under way.
  MonoTime deadline() const { return under_way_ ? kNever : next_; }
  std::optional<RegistrationStep> Next(MonoTime now);
  bool under_way() const { return under_way_; }

  // How the step that is under way went; exactly one of these.
  void OnRecords(MonoTime now, std::vector<DnsRecord> records);  // of the question, maybe none
  void OnUpdated(MonoTime now);
  void OnFailure(MonoTime now, std::string reason);

  State state() const { return state_; }
  // Nothing more is to be done for Leave.
  bool gone() const;
  const std::vector<IpAddress>& addresses() const { return addresses_; }    // wanted ones
  const std::vector<IpAddress>& registered() const { return registered_; }  // as last read or written
  const std::string& error() const { return error_; }                       // why it failed last; empty after a success
  uint32_t retries() const { return retries_; }                             // failures in a row
  uint64_t repairs() const { return repairs_; }  // times that a look at what was registered found it changed
  std::optional<MonoTime> succeeded() const { return succeeded_; }  // when all was last seen as wanted

 private:
  // What is at the server, by the questions in kQuestions' order.
  enum Question : size_t { kOwner, kOwnA, kOwnAaaa, kSharedA, kSharedAaaa, kQuestions };
  enum class Goal : uint8_t { kNone, kRegister, kRemove };

  Goal goal() const;
  void Restart(MonoTime now);
  DnsQuestion Ask(size_t question) const;
  void Decide(MonoTime now);
  void DecideRegister(MonoTime now, const std::optional<OwnerRecord>& owner);
  void Update(MonoTime now, RegistrationUpdate update);
  void Succeed(MonoTime now, State state);
  void Fail(MonoTime now, State state, std::string reason);
  std::vector<IpAddress> Seen(size_t a, size_t aaaa) const;
  bool AllAsWanted(const OwnerRecord& owner) const;

  absl::BitGenRef random_;
  std::optional<RegistrationPlan> plan_;
  bool master_ = false;
  bool leaving_ = false;
  std::vector<IpAddress> addresses_;

  State state_ = State::kOff;
  bool under_way_ = false;
  MonoTime next_ = kNever;
  size_t question_ = 0;  // the next one, while reading
  std::array<std::vector<DnsRecord>, kQuestions> seen_;
  std::optional<RegistrationUpdate> update_;  // the next one
  bool was_registered_ = false;               // when this look began

  std::vector<IpAddress> registered_;
  std::string error_;
  uint32_t retries_ = 0;
  uint64_t repairs_ = 0;
  std::optional<MonoTime> succeeded_;
};

std::string_view NameOf(Registration::State state);

}  // namespace qure
