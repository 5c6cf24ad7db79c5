// Keeps a cluster's public addresses registered at a main server: a pure state machine, time and answers in, queries
// and updates out. Only the master acts. A new master finds the registration in order, or repairs it.
//
//            ┌─── input changed, or refresh is due ─────┐
//            ▼                                          │
//   reading: owner record, own name, shared set ── as wanted ──▶ registered (or removed)
//      ▲     │ not as wanted        │ another cluster's
//      │     ▼                      ▼
//   verify ◀ updating ── refused ▶ waits, longer each time, then reads again
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
  std::string cluster;  // the name in the owner record
  bool wanted = true;   // false: remove the registration
  friend bool operator==(const RegistrationPlan&, const RegistrationPlan&) = default;
};

using RegistrationStep = std::variant<DnsQuestion, RegistrationUpdate>;

class Registration {
 public:
  enum class State : uint8_t {
    kOff,         // nothing is configured
    kStandby,     // another node is master
    kWaiting,     // for the public addresses
    kReading,     // queries what is registered
    kUpdating,    // has sent an UPDATE
    kVerifying,   // reads whether the UPDATE had its effect
    kRegistered,  // all is as wanted
    kRemoved,     // no record of this cluster is left, as wanted
    kTaken,       // another owner has the own name
    kFailed,      // waits for the next attempt
  };

  // `random` outlives the registration.
  explicit Registration(absl::BitGenRef random) : random_(random) {}

  // The wanted registration. A change ends the step that is under way, and its answer is then ignored: see under_way().
  void SetPlan(MonoTime now, std::optional<RegistrationPlan> plan);
  void SetMaster(MonoTime now, bool master);
  void SetAddresses(MonoTime now, std::vector<IpAddress> addresses);
  // Reads again at once: the server or its key has changed.
  void LookAgain(MonoTime now) { Restart(now); }
  // The cluster's last node stops: removes the registration, if this node is master.
  void Leave(MonoTime now);

  // When Next returns a step; kNever while a step is under way.
  MonoTime deadline() const { return under_way_ ? kNever : next_; }
  std::optional<RegistrationStep> Next(MonoTime now);
  bool under_way() const { return under_way_; }

  // The result of the step that is under way: exactly one of these.
  void OnRecords(MonoTime now, std::vector<DnsRecord> records);  // of the query, possibly none
  void OnUpdated(MonoTime now);
  void OnFailure(MonoTime now, std::string reason);

  State state() const { return state_; }
  // Leave is complete.
  bool gone() const;
  const std::vector<IpAddress>& addresses() const { return addresses_; }    // the wanted ones
  const std::vector<IpAddress>& registered() const { return registered_; }  // as last read or written
  const std::string& error() const { return error_; }               // of the last failure; empty after a success
  uint32_t retries() const { return retries_; }                     // failures in a row
  uint64_t repairs() const { return repairs_; }                     // times that a registered record was found changed
  std::optional<MonoTime> succeeded() const { return succeeded_; }  // when all was last found as wanted

 private:
  // The queries for the records at the server, in their order.
  enum Question : size_t { kOwner, kOwnA, kOwnAaaa, kSharedA, kSharedAaaa, kQuestions };
  enum class Goal : uint8_t { kNone, kRegister, kRemove };

  Goal goal() const;
  void Restart(MonoTime now);
  DnsQuestion QuestionOf(size_t question) const;
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
  bool was_registered_ = false;               // before this reading began

  std::vector<IpAddress> registered_;
  std::string error_;
  uint32_t retries_ = 0;
  uint64_t repairs_ = 0;
  std::optional<MonoTime> succeeded_;
};

std::string_view NameOf(Registration::State state);

}  // namespace qure
