#include "control/core/address/claim.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/address/frames.h"
#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure {
namespace {

MacAddress MacFor(const ClaimContext& context, const IpAddress& address) {
  return context.service_mac == ServiceMac::kInterface ? context.lan_mac : ServiceMacFor(context.cluster, address);
}

Macs MacsOf(const ClaimStatus& status) {
  return {.source = status.mac, .link = status.to_all ? GroupMac(status.mac) : status.mac};
}

}  // namespace

std::string_view NameOf(ClaimState state) {
  switch (state) {
    case ClaimState::kStandby:
      return "standby";
    case ClaimState::kProbing:
      return "probing";
    case ClaimState::kHeld:
      return "held";
    case ClaimState::kTaken:
      return "taken";
  }
  return "";
}

Claim::Claim(const AddressConfig& config, const ClaimContext& context, absl::BitGenRef random)
    : config_(config), context_(context), random_(random), holders_(config.candidates.size()) {
  Aim(0);
}

void Claim::Take(MonoTime now, bool warm, Actions* out) {
  if (status_.state != ClaimState::kStandby) return;
  if (warm) return Hold(now, out);
  StartProbing(now, candidate_);
}

void Claim::Release() {
  status_.state = ClaimState::kStandby;
  status_.holder.reset();
  status_.rival.reset();
  ForgetVerification();
}

bool Claim::Follow(const IpPrefix& held) {
  if (status_.state != ClaimState::kStandby || held == status_.address) return false;
  const auto candidate = std::ranges::find(config_.candidates, held);
  if (candidate == config_.candidates.end()) return false;
  Aim(static_cast<size_t>(candidate - config_.candidates.begin()));
  return true;
}

void Claim::AnnounceAgain(MonoTime now, Actions* out) {
  if (status_.state != ClaimState::kHeld) return;
  held_since_ = now;
  announced_ = 0;
  Announce(now, out);
}

void Claim::Ask(Actions* out) const {
  // To the service MAC alone, so that no other host looks at it; but where this node was the last to send from there,
  // the switch takes it to be at our own port, and brings the question to nobody.
  const bool elsewhere = context_.service_mac == ServiceMac::kDerived && status_.state != ClaimState::kHeld;
  out->push_back(AskWhere(context_.sender, address(), elsewhere ? std::optional(status_.mac) : std::nullopt));
}

bool Claim::CanContinue(const AddressConfig& config, const ClaimContext& context) const {
  if (context.node_mac != context_.node_mac || MacFor(context, address()) != status_.mac) return false;
  if (config == config_) return true;
  return status_.state == ClaimState::kHeld &&
         std::ranges::find(config.candidates, status_.address) != config.candidates.end();
}

void Claim::Continue(MonoTime now, const AddressConfig& config, const ClaimContext& context, Actions* out) {
  if (config != config_) {
    config_ = config;
    holders_.assign(config.candidates.size(), std::nullopt);
    const auto current = std::ranges::find(config.candidates, status_.address);
    candidate_ = static_cast<size_t>(current - config.candidates.begin());
  }
  const bool new_gateway = context.gateway != context_.gateway;
  context_ = context;
  if (std::exchange(status_.to_all, context.to_all) != context.to_all) AnnounceAgain(now, out);
  if (!new_gateway) return;
  ForgetVerification();
  if (status_.state == ClaimState::kHeld) Verify(now, out);
}

MonoTime Claim::deadline() const {
  if (status_.state == ClaimState::kStandby) return kNever;
  if (status_.state != ClaimState::kHeld) return next_step_;
  return std::min({next_announce_, next_verify_, status_.rival ? contested_until_ : kNever});
}

bool Claim::Tick(MonoTime now, Actions* out) {
  if (now < deadline()) return false;
  switch (status_.state) {
    case ClaimState::kStandby:
      return false;
    case ClaimState::kProbing:
      return TickProbing(now, out);
    case ClaimState::kHeld:
      TickHeld(now, out);
      return false;
    case ClaimState::kTaken:
      taken_in_a_row_ = 0;
      StartProbing(now, 0);
      return true;
  }
  return false;
}

bool Claim::OnEvent(MonoTime now, const Event& event, Actions* out) {
  if (event.kind == EventKind::kNeighbor) {
    if (event.ip == context_.gateway) OnGateway(event, out);
    return false;
  }
  if (event.kind != EventKind::kAddressUsed && event.kind != EventKind::kAddressProbed) return false;
  if (event.ip != address()) return false;
  if (event.mac == context_.node_mac || event.mac == context_.lan_mac) return false;  // an echo of our own frames
  switch (status_.state) {
    case ClaimState::kStandby:
    case ClaimState::kTaken:
      return false;
    case ClaimState::kProbing:
      return Lose(now, event, out);  // RFC 5227 §2.1.1: used or probed by another, both are a conflict
    case ClaimState::kHeld:
      if (event.kind != EventKind::kAddressUsed || IsOwnMac(event.mac)) return false;
      OnConflict(now, event, out);
      return Mutated(Mutation::kYieldToConflict) && Lose(now, event, out);
  }
  return false;
}

void Claim::Aim(size_t candidate) {
  candidate_ = candidate;
  status_.address = config_.candidates[candidate];
  status_.mac = MacFor(context_, address());
  status_.to_all = context_.to_all;
}

void Claim::StartProbing(MonoTime now, size_t candidate) {
  Aim(candidate);
  status_.state = ClaimState::kProbing;
  status_.holder.reset();
  probes_sent_ = 0;
  next_step_ = now + Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, 0, kProbeWaitMax.ns)};
}

bool Claim::TickProbing(MonoTime now, Actions* out) {
  if (probes_sent_ < kProbeCount) {
    out->push_back(AskWhoHas(context_.node_mac, address()));
    ++probes_sent_;
    next_step_ = probes_sent_ < kProbeCount ? Jittered(now, context_.probe_interval)
                                            : now + context_.probe_interval * kAnnounceWaitIntervals;
    return false;
  }
  // Silence counts only for a node that was awake to hear it.
  if (now - next_step_ > context_.probe_interval) {
    StartProbing(now, candidate_);
    return false;
  }
  Hold(now, out);
  return true;
}

void Claim::Hold(MonoTime now, Actions* out) {
  status_.state = ClaimState::kHeld;
  taken_in_a_row_ = 0;
  holders_.assign(holders_.size(), std::nullopt);
  last_defense_ = last_repair_ = kLongAgo;
  held_since_ = now;
  announced_ = 0;
  out->push_back(
      MakeLog(LogLevel::kInfo, ToString(address()), " is free; held now, at ", ToString(MacsOf(status_).link)));
  Announce(now, out);
  Verify(now, out);
}

bool Claim::Lose(MonoTime now, const Event& event, Actions* out) {
  const std::string who = absl::StrCat(
      ToString(address()), event.kind == EventKind::kAddressUsed ? " is held by " : " is being claimed by ",
      ToString(event.mac), IsOwnMac(event.mac) ? " (another node of the cluster)" : "");
  const bool known = std::exchange(holders_[candidate_], event.mac) == event.mac;
  const LogLevel level = known ? LogLevel::kDebug : LogLevel::kWarning;

  ForgetVerification();
  if (++taken_in_a_row_ < config_.candidates.size()) {
    StartProbing(now, (candidate_ + 1) % config_.candidates.size());
    out->push_back(MakeLog(level, who, "; trying ", ToString(address())));
    return true;
  }
  status_.state = ClaimState::kTaken;
  status_.holder = event.mac;
  next_step_ = Jittered(now, kRetryTaken);
  out->push_back(MakeLog(level, who, "; trying again in ", kRetryTaken.ns / Seconds(1).ns, " s"));
  return true;
}

// RFC 5227 §2.4 (c): an address that must not be given up is defended for ever, by one announcement in kDefendInterval:
// more of them would make the two sides shout at each other.
void Claim::OnConflict(MonoTime now, const Event& event, Actions* out) {
  ++status_.conflicts;
  contested_until_ = now + kContested;
  if (std::exchange(status_.rival, event.mac) != event.mac) {
    out->push_back(MakeLog(LogLevel::kWarning, ToString(address()), " is ours, but used by ", ToString(event.mac),
                           " too; defended"));
  }
  if (now - last_defense_ > kDefendInterval) {
    last_defense_ = last_announced_ = now;
    ++status_.defenses;
    out->push_back(Announcement(MacsOf(status_), address(), /*answer=*/true));
  }
  if (now - last_repair_ >= kConflictRepair) Repair(now, out);
}

// The rival may have led the gateway astray. Frames to the gateway alone set its cache right and disturb no one: a
// question, and an answer for caches that learn from those only.
void Claim::Repair(MonoTime now, Actions* out) {
  if (!context_.gateway || status_.state != ClaimState::kHeld) return;
  last_repair_ = now;
  if (const auto at = context_.gateways->MacOf(*context_.gateway)) {
    out->push_back(AnswerTo(MacsOf(status_), address(), *at, *context_.gateway));
  }
  const MonoTime pending = next_verify_;
  Verify(now, out);
  if (pending != kNever) next_verify_ = pending;  // as long as it is not answered
}

void Claim::EndContest(Actions* out) {
  out->push_back(
      MakeLog(LogLevel::kInfo, ToString(address()), " is not used by ", ToString(*status_.rival), " any more"));
  status_.rival.reset();
}

void Claim::TickHeld(MonoTime now, Actions* out) {
  if (status_.rival && now >= contested_until_) EndContest(out);
  if (now >= next_announce_) {
    const bool refresh = announced_ == kAnnounceAt.size();
    Announce(now, out);
    if (refresh && next_verify_ == kNever) Verify(now, out);
  }
  if (now >= next_verify_) {
    CountUnanswered(out);
    Verify(now, out);
  }
}

void Claim::Announce(MonoTime now, Actions* out) {
  last_announced_ = now;
  out->push_back(Announcement(MacsOf(status_), address(), /*answer=*/true));
  if (address().is_v4()) out->push_back(GratuitousReply(MacsOf(status_), address().v4()));

  while (announced_ < kAnnounceAt.size() && held_since_ + kAnnounceAt[announced_] <= now) ++announced_;
  next_announce_ = announced_ < kAnnounceAt.size() ? held_since_ + kAnnounceAt[announced_] : now + kAnnounceRefresh;
}

void Claim::Verify(MonoTime now, Actions* out) {
  if (!context_.gateway) return;
  const std::optional<MacAddress> at = context_.gateways->Asks(now, *context_.gateway, status_.mac);
  out->push_back(AskWhere(MacsOf(status_), address(), *context_.gateway, at, /*answer=*/true));
  next_verify_ = now + kVerifyRetry;
}

void Claim::CountUnanswered(Actions* out) {
  ++status_.verify_failures;
  if (++unanswered_in_a_row_ < kVerifyAlarm || status_.alarm) return;
  status_.alarm = true;
  status_.verified = false;
  out->push_back(MakeLog(LogLevel::kWarning, "gateway ", ToString(*context_.gateway), " does not answer to ",
                         ToString(address()), " at ", ToString(MacsOf(status_).link),
                         ": it is away, or it or a switch refuses this MAC"));
}

void Claim::OnGateway(const Event& event, Actions* out) {
  if (status_.state != ClaimState::kHeld || next_verify_ == kNever || !IsOwnMac(event.to)) return;
  if (status_.alarm) {
    out->push_back(MakeLog(LogLevel::kInfo, "gateway ", ToString(event.ip), " answers to ", ToString(address())));
  }
  ForgetVerification();
  status_.verified = true;
}

void Claim::ForgetVerification() {
  status_.verified = false;
  status_.alarm = false;
  unanswered_in_a_row_ = 0;
  next_verify_ = kNever;
}

MonoTime Claim::Jittered(MonoTime now, Duration span) {
  return now + Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, span.ns * 4 / 5, span.ns * 6 / 5)};
}

}  // namespace qure
