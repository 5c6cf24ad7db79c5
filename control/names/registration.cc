#include "control/names/registration.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/random/distributions.h"
#include "control/base/text.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

std::vector<IpAddress> Sorted(std::vector<IpAddress> addresses) {
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

// Both sorted.
std::vector<IpAddress> Without(const std::vector<IpAddress>& all, const std::vector<IpAddress>& some) {
  std::vector<IpAddress> rest;
  std::ranges::set_difference(all, some, std::back_inserter(rest));
  return rest;
}

}  // namespace

RegistrationNames NamesOf(const RegistrationConfig& config) {
  return {.zone = config.zone,
          .own = config.name,
          .owner = std::string(kOwnerLabel) + config.name,
          .shared = config.shared};
}

void Registration::SetPlan(MonoTime now, std::optional<RegistrationPlan> plan) {
  if (plan == plan_) return;
  plan_ = std::move(plan);
  registered_.clear();
  Restart(now);
}

void Registration::SetMaster(MonoTime now, bool master) {
  if (master == master_) return;
  master_ = master;
  Restart(now);
}

void Registration::SetAddresses(MonoTime now, std::vector<IpAddress> addresses) {
  addresses = Sorted(std::move(addresses));
  if (addresses == addresses_) return;
  addresses_ = std::move(addresses);
  if (goal() != Goal::kRemove) Restart(now);
}

void Registration::Leave(MonoTime now) {
  if (leaving_) return;
  leaving_ = true;
  Restart(now);
}

bool Registration::gone() const {
  return goal() == Goal::kNone || state_ == State::kRemoved;
}

Registration::Goal Registration::goal() const {
  if (!plan_ || !master_) return Goal::kNone;
  if (leaving_ || !plan_->wanted) return Goal::kRemove;
  return addresses_.empty() ? Goal::kNone : Goal::kRegister;
}

void Registration::Restart(MonoTime now) {
  under_way_ = false;
  question_ = 0;
  update_.reset();
  error_.clear();
  retries_ = 0;
  was_registered_ = false;
  const bool acts = goal() != Goal::kNone;
  next_ = acts ? now : kNever;
  if (!plan_) {
    state_ = State::kOff;
  } else if (!master_) {
    state_ = State::kStandby;
  } else {
    state_ = acts ? State::kReading : State::kWaiting;
  }
}

DnsQuestion Registration::QuestionOf(size_t question) const {
  switch (question) {
    case kOwner:
      return {plan_->names.owner, kDnsTypeTxt};
    case kOwnA:
    case kOwnAaaa:
      return {plan_->names.own, question == kOwnA ? kDnsTypeA : kDnsTypeAaaa};
    default:
      return {plan_->names.shared, question == kSharedA ? kDnsTypeA : kDnsTypeAaaa};
  }
}

std::optional<RegistrationStep> Registration::Next(MonoTime now) {
  if (under_way_ || now < next_) return std::nullopt;
  under_way_ = true;
  if (update_) return RegistrationStep(*update_);
  if (question_ == 0) {
    was_registered_ = state_ == State::kRegistered;
    if (state_ != State::kVerifying) state_ = State::kReading;
    seen_ = {};
  }
  return RegistrationStep(QuestionOf(question_));
}

void Registration::OnRecords(MonoTime now, std::vector<DnsRecord> records) {
  under_way_ = false;
  seen_[question_++] = std::move(records);
  if (question_ < (plan_->names.shared.empty() ? kSharedA : kQuestions)) {
    next_ = now;
    return;
  }
  question_ = 0;
  Decide(now);
}

std::vector<IpAddress> Registration::Seen(size_t a, size_t aaaa) const {
  std::vector<IpAddress> addresses;
  for (const size_t question : {a, aaaa}) {
    for (const DnsRecord& record : seen_[question]) {
      if (const auto address = DnsAddressOf(record.rdata)) addresses.push_back(*address);
    }
  }
  return Sorted(std::move(addresses));
}

void Registration::Decide(MonoTime now) {
  const std::vector<DnsRecord>& found = seen_[kOwner];
  const auto owner = found.size() == 1 ? ParseOwnerRdata(found[0].rdata) : std::nullopt;
  const bool ours = owner && owner->cluster == plan_->cluster;
  if (goal() == Goal::kRegister) {
    if (!found.empty() && !ours) {
      const std::string who = owner ? Concat("cluster \"", owner->cluster, "\"") : "a record of other software";
      return Fail(now, State::kTaken,
                  Concat("name taken by ", who, " (", DnsNameToText(plan_->names.owner),
                         " TXT); choose another name, or delete that record and its addresses"));
    }
    return DecideRegister(now, owner);
  }
  if (!ours) {
    registered_.clear();
    return Succeed(now, State::kRemoved);
  }
  Update(now, {.before = found[0].rdata, .after = {}, .own = {}, .shared_remove = owner->addresses, .shared_add = {}});
}

bool Registration::AllAsWanted(const OwnerRecord& owner) const {
  const bool shared = plan_->names.shared.empty() || Without(addresses_, Seen(kSharedA, kSharedAaaa)).empty();
  const auto timely = [this](const DnsRecord& record) { return record.ttl == plan_->ttl; };
  return shared && owner.addresses == addresses_ && Seen(kOwnA, kOwnAaaa) == addresses_ &&
         std::ranges::all_of(seen_[kOwnA], timely) && std::ranges::all_of(seen_[kOwnAaaa], timely);
}

void Registration::DecideRegister(MonoTime now, const std::optional<OwnerRecord>& owner) {
  if (owner && AllAsWanted(*owner)) {
    registered_ = addresses_;
    return Succeed(now, State::kRegistered);
  }
  if (!owner && !Seen(kOwnA, kOwnAaaa).empty()) {
    return Fail(
        now, State::kTaken,
        Concat("name taken: ", DnsNameToText(plan_->names.own), " has addresses, but no ",
               DnsNameToText(plan_->names.owner), " TXT record of their owner; choose another name, or delete them"));
  }
  if (was_registered_) ++repairs_;
  RegistrationUpdate update{
      .after = OwnerRdata({plan_->cluster, addresses_}), .own = addresses_, .shared_add = addresses_};
  if (owner) {
    update.before = seen_[kOwner][0].rdata;
    update.shared_remove = Without(owner->addresses, addresses_);
  }
  Update(now, std::move(update));
}

void Registration::Update(MonoTime now, RegistrationUpdate update) {
  if (state_ == State::kVerifying) {
    return Fail(now, State::kFailed,
                "the server accepted the update, but does not show it; name the primary server of the zone");
  }
  state_ = State::kUpdating;
  update_ = std::move(update);
  next_ = now;
}

void Registration::OnUpdated(MonoTime now) {
  under_way_ = false;
  registered_ = update_->own;
  update_.reset();
  state_ = State::kVerifying;
  next_ = now;
}

void Registration::OnFailure(MonoTime now, std::string reason) {
  under_way_ = false;
  Fail(now, State::kFailed, std::move(reason));
}

void Registration::Succeed(MonoTime now, State state) {
  state_ = state;
  error_.clear();
  retries_ = 0;
  succeeded_ = now;
  next_ = state == State::kRegistered ? now + plan_->refresh : kNever;
}

void Registration::Fail(MonoTime now, State state, std::string reason) {
  state_ = state;
  error_ = std::move(reason);
  question_ = 0;
  update_.reset();
  Duration wait = kFirstRetry;
  for (uint32_t i = 0; i < retries_ && wait < kLastRetry; ++i) wait = wait * 2;
  wait = std::min(wait, kLastRetry);
  ++retries_;
  // Spreads the retries of clusters that failed together because their server was unreachable.
  next_ = now + wait + Duration{absl::Uniform<int64_t>(random_, 0, wait.ns / 4)};
}

std::string_view NameOf(Registration::State state) {
  constexpr std::array<std::string_view, 10> kNames = {"off",       "standby",    "waiting", "reading", "updating",
                                                       "verifying", "registered", "removed", "taken",   "failed"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace qure
