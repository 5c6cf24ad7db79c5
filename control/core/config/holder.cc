#include "control/core/config/holder.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::clusterconfig {
namespace {

// The rest of a map: all but these.
uint64_t RestOf(const StageMap& map, const std::vector<MapMessage::Entry>& without) {
  StageMap rest = map;
  for (const MapMessage::Entry& each : without) rest.Remove(each.version);
  return rest.Digest();
}

uint32_t LeftMs(MonoTime now, MonoTime deadline) {
  return deadline <= now ? 0 : static_cast<uint32_t>((deadline - now).ns / Milliseconds(1).ns);
}

}  // namespace

void SendParts(const NodeId& to, const PullBodyMessage& message, std::string_view body, Actions* out) {
  for (uint32_t index = message.first; index - message.first < kPartsAtOnce; ++index) {
    const std::string_view part = PartOf(body, index);
    if (part.empty()) return;
    out->push_back(
        SendTo{.to = to, .message = PartMessage{.body = message.body, .index = index, .part = std::string(part)}});
  }
}

Holder::Holder(const Self& self, const StoredConfig& stored) : self_(self), ledger_(stored, self.recovery) {}

void Holder::Start(MonoTime now, Actions* out) {
  started_ = true;
  for (const auto& [version, stage] : stages().stages()) {
    if (stage != Stage::kOpen) continue;  // a restart has ended all others
    ledger_.SetDeadline(version, now + TimeoutOf(*ledger_.Entry(version)));
  }
  Settle(now, out);
}

void Holder::FollowView(MonoTime now, const admission::View& view, Actions* out) {
  signers_ = Signers(view);
  const bool known = asked_ && ledger_.Entry(*asked_) != nullptr;
  ledger_.Filter(signers_);
  if (known && ledger_.Entry(*asked_) == nullptr) orphan_ = asked_;
  if (trial_ && ledger_.Entry(trial_->version()) == nullptr) trial_.reset();
  Settle(now, out);
}

void Holder::FollowMaster(MonoTime now, const std::optional<Mastership>& master, Actions* out) {
  if (master && master_ != master) {
    if (preparing_ && EntryOf(preparing_->entry).version.term != master->term) preparing_.reset();
  }
  master_ = master;
  ExpireOldTerms(out);
  Settle(now, out);
}

// Nothing comes of what was prepared under a term before this one.
void Holder::ExpireOldTerms(Actions* out) {
  if (!master_) return;
  const std::map<Version, Stage> before = stages().stages();
  for (const auto& [version, stage] : before) {
    if (stage == Stage::kPrepared && version.term < master_->term) Expire(version, "its master is gone", out);
  }
}

std::optional<Finding> Holder::Busy(MonoTime now, const std::optional<Version>& except) const {
  const std::optional<Version> pending = stages().Pending(except);
  if (!pending || Mutated(Mutation::kConfigSecondWhileOpen)) return std::nullopt;
  const uint32_t left = LeftMs(now, ledger_.DeadlineOf(*pending));
  const std::string holder = signers_.NameOf(ledger_.Entry(*pending)->signer);
  if (stages().Of(*pending) == Stage::kOpen) {
    return Finding{.reason = absl::StrCat("change ", ToText(*pending), " of ", holder, " waits to be confirmed"),
                   .remedy = absl::StrCat("confirm it, or wait ", left / 1000, " s until it is rolled back")};
  }
  return Finding{.reason = absl::StrCat("change ", ToText(*pending), " of ", holder, " is being prepared"),
                 .remedy = "wait until it has ended"};
}

void Holder::OnPrepare(MonoTime now, const NodeId& from, const PrepareMessage& message, Body body, Actions* out) {
  if (!IsMaster(from)) return;
  std::optional<admission::Record> entry = ReadEntry(message.entry, self_.recovery);
  if (!entry || !signers_.MayNumber(*entry) || EntryOf(*entry).version.term != master_->term) return;
  const Version version = EntryOf(*entry).version;
  if (preparing_ && EntryOf(preparing_->entry).version == version) {
    if (preparing_->vote && ledger_.all_durable()) out->push_back(SendTo{.to = from, .message = *preparing_->vote});
    return;
  }
  if (!body) body = BodyOf(EntryOf(*entry).body);
  checked_.reset();
  preparing_ = Preparing{
      .entry = *std::move(entry), .dry_run = message.dry_run, .body = std::move(body), .until = now + kConfigPrepared};
  std::optional<Finding> objection = Busy(now, version);
  if (!objection && version < InEffect()) {
    objection = Finding{.reason = absl::StrCat("this node has the later ", ToText(*InEffect())),
                        .remedy = "try again in a moment: the master has yet to hear of it"};
  }
  if (objection) {
    Vote(std::move(objection), out);
  } else if (preparing_->body) {
    out->push_back(Validate{.version = version, .body = preparing_->body});
  }
  Settle(now, out);
}

void Holder::OnValidated(MonoTime now, const Version& version, std::optional<Finding> finding, Actions* out) {
  if (!preparing_ || preparing_->vote || EntryOf(preparing_->entry).version != version) return;
  // Another change may have come by a map since it was asked.
  if (!finding) finding = Busy(now, version);
  if (!finding && !preparing_->dry_run) {
    ledger_.Learn(preparing_->entry);
    if (ledger_.Raise(version, Stage::kPrepared)) ledger_.SetDeadline(version, now + kConfigPrepared);
    ledger_.AddBody(EntryOf(preparing_->entry).body, preparing_->body);
    if (stages().Of(version) != Stage::kPrepared) {
      finding = Finding{.reason = "it was given up meanwhile", .remedy = "try again"};
    }
  }
  Vote(std::move(finding), out);
  Settle(now, out);
}

void Holder::Vote(std::optional<Finding> objection, Actions* out) {
  preparing_->vote = VoteMessage{.version = EntryOf(preparing_->entry).version, .objection = std::move(objection)};
  if (!master_) return;
  if (ledger_.all_durable()) {
    out->push_back(SendTo{.to = master_->node, .message = *preparing_->vote});
  } else {
    AfterSave(*preparing_->vote);
  }
}

void Holder::OnTrial(MonoTime now, const NodeId& from, const TrialMessage& message, Actions* out) {
  if (!IsMaster(from) || stages().Of(message.version) != Stage::kPrepared) return;
  if (checked_ && checked_->version == message.version) {
    out->push_back(SendTo{.to = from, .message = *checked_});
    return;
  }
  if (trial_ && trial_->version() == message.version) return;
  if (ledger_.BodyOf(ledger_.Entry(message.version)->body) == nullptr) return;
  trial_.emplace(message.version, now, health_);
  if (Mutated(Mutation::kConfigTrialSent)) out->push_back(SendToAll{.message = MapOf(now)});
  Settle(now, out);
}

void Holder::OnHealth(MonoTime now, const Health& health, Actions* out) {
  health_ = health;
  if (trial_) trial_->OnHealth(now, health);
  Judge(now, out);
  Settle(now, out);
}

void Holder::Judge(MonoTime now, Actions* out) {
  if (!trial_) return;
  if (trial_->TakeVerdict(now)) {
    checked_ = CheckedMessage{.version = trial_->version(), .objection = trial_->objection()};
    if (master_) out->push_back(SendTo{.to = master_->node, .message = *checked_});
  }
  if (trial_->objection() || trial_->over(now)) trial_.reset();
}

void Holder::OnOpen(MonoTime now, const NodeId& from, const OpenMessage& message, Actions* out) {
  if (!IsMaster(from) || stages().Of(message.version) != Stage::kPrepared) return;
  const Duration timeout = TimeoutOf(*ledger_.Entry(message.version));
  ledger_.Raise(message.version, Stage::kOpen);
  ledger_.SetDeadline(message.version, now + std::min(timeout, Milliseconds(message.left_ms)));
  Note({message.version}, out);
  Settle(now, out);
}

void Holder::OnConfirmed(MonoTime now, const ConfirmedMessage& message, Actions* out) {
  const std::optional<admission::Record> confirm = ReadConfirm(message.confirm, self_.recovery);
  if (!confirm || !signers_.Counts(*confirm)) return;
  const Version& version = confirm->As<admission::ConfigConfirm>()->version;
  // Of a version that is not known yet the map says more.
  if (stages().Of(version) == Stage::kNone || stages().Of(version) == Stage::kConfirmed) return;
  ledger_.LearnConfirmation(*confirm);
  const bool late = stages().Of(version) == Stage::kExpired;
  if (!ledger_.Raise(version, Stage::kConfirmed)) return;
  if (late) LogLateConfirmation(version, out);
  Note({version}, out);
  Settle(now, out);
}

void Holder::LogLateConfirmation(const Version& version, Actions* out) const {
  const admission::Record* const confirm = ledger_.Confirmation(version);
  out->push_back(MakeLog(LogLevel::kWarning, "configuration ", ToText(version),
                         " is in effect after all: confirmed in time on ",
                         confirm == nullptr ? "another node" : signers_.NameOf(confirm->signer())));
}

void Holder::OnAbort(MonoTime now, const NodeId& from, const AbortMessage& message, Actions* out) {
  if (!IsMaster(from)) return;
  if (preparing_ && EntryOf(preparing_->entry).version == message.version) preparing_.reset();
  if (stages().Of(message.version) == Stage::kPrepared) Expire(message.version, "its master gave it up", out);
  Settle(now, out);
}

void Holder::Decide(MonoTime now, const Version& version, const admission::RecordHead& head, Actions* out) {
  if (stages().Of(version) != Stage::kPrepared) return;
  const admission::ConfigEntry& entry = *ledger_.Entry(version);
  if (entry.confirm) {
    ledger_.Raise(version, Stage::kOpen);
    ledger_.SetDeadline(version, now + TimeoutOf(entry));
    AfterSave(OpenMessage{.version = version, .left_ms = entry.timeout_ms});
  } else {
    const admission::Record confirm = ConfirmationOf(version, head, self_.key);
    ledger_.LearnConfirmation(confirm);
    ledger_.Raise(version, Stage::kConfirmed);
    AfterSave(ConfirmedMessage{.confirm = confirm.Bytes()});
  }
  Note({version}, out);
  Settle(now, out);
}

std::optional<Finding> Holder::Confirm(MonoTime now, const Version& version, const admission::RecordHead& head,
                                       Actions* out) {
  const Stage stage = stages().Of(version);
  if (stage == Stage::kConfirmed) return std::nullopt;
  const bool late = stage != Stage::kOpen || ledger_.DeadlineOf(version) <= now;
  if (late && !(Mutated(Mutation::kConfigConfirmLate) && stage == Stage::kExpired)) {
    return Finding{.reason = absl::StrCat("change ", ToText(version), " does not wait to be confirmed here"),
                   .remedy = "make the change again"};
  }
  if (!late && running_ != version) {
    return Finding{.reason = absl::StrCat("this node does not run ", ToText(version)),
                   .remedy = "confirm it at a node that does, if it works there"};
  }
  const admission::Record confirm = ConfirmationOf(version, head, self_.key);
  ledger_.LearnConfirmation(confirm);
  ledger_.Raise(version, Stage::kConfirmed);
  AfterSave(ConfirmedMessage{.confirm = confirm.Bytes()});
  Note({version}, out);
  Settle(now, out);
  return std::nullopt;
}

bool Holder::RollBack(MonoTime now, Actions* out) {
  const std::optional<Version> pending = stages().Pending();
  if (!pending || stages().Of(*pending) != Stage::kOpen) return false;
  Expire(*pending, "the operator gave it up", out);
  Settle(now, out);
  return true;
}

void Holder::Take(MonoTime now, const admission::Record& entry, const admission::RecordHead& head, Actions* out) {
  const Version& version = EntryOf(entry).version;
  const Body body = BodyOf(EntryOf(entry).body);
  QURE_CHECK(body != nullptr, ToText(version));
  ledger_.Learn(entry);
  ledger_.LearnConfirmation(ConfirmationOf(version, head, self_.key));
  ledger_.Raise(version, Stage::kConfirmed);
  ledger_.AddBody(EntryOf(entry).body, body);
  Note({version}, out);
  Settle(now, out);
}

void Holder::Expire(const Version& version, const char* why, Actions* out) {
  const bool was_open = stages().Of(version) == Stage::kOpen;
  if (!ledger_.Raise(version, Stage::kExpired)) return;
  out->push_back(MakeLog(was_open ? LogLevel::kError : LogLevel::kInfo, "configuration ", ToText(version),
                         was_open ? " is rolled back: " : " is given up: ", why));
  Note({version}, out);
}

// What follows from new stages, wherever they come from.
void Holder::Note(const std::vector<Version>& changed, Actions* out) {
  for (const Version& version : changed) {
    if (stages().Of(version) != Stage::kExpired) continue;
    if (trial_ && trial_->version() == version) trial_.reset();
    if (preparing_ && EntryOf(preparing_->entry).version == version) preparing_.reset();
  }
  Reconcile(out);
}

MapMessage::Entry Holder::EntryOfMap(MonoTime now, const Version& version, Stage stage) const {
  MapMessage::Entry entry{.version = version, .stage = stage};
  if (stage == Stage::kOpen) entry.left_ms = LeftMs(now, ledger_.DeadlineOf(version));
  if (Mutated(Mutation::kConfigTrialSent) && trial_ && trial_->version() == version) {
    entry.stage = Stage::kOpen;
    entry.left_ms = static_cast<uint32_t>(TimeoutOf(*ledger_.Entry(version)).ns / Milliseconds(1).ns);
  }
  return entry;
}

MapMessage Holder::MapOf(MonoTime now) const {
  MapMessage message;
  const std::map<Version, Stage>& all = stages().stages();
  const std::optional<Version> confirmed = stages().GreatestConfirmed();
  if (confirmed) message.entries.push_back(EntryOfMap(now, *confirmed, Stage::kConfirmed));
  for (auto it = all.rbegin(); it != all.rend() && message.entries.size() < kMapEntries; ++it) {
    if (Mutated(Mutation::kConfigPartOfMap) && it->first != InEffect()) continue;
    if (it->first != confirmed) message.entries.push_back(EntryOfMap(now, it->first, it->second));
  }
  message.rest = RestOf(stages(), message.entries);
  return message;
}

void Holder::OnPullRest(const NodeId& from, Actions* out) const {
  if (!ledger_.all_durable() || Mutated(Mutation::kConfigPartOfMap)) return;
  MapMessage message;
  for (const auto& [version, stage] : stages().stages()) {
    // What is pending is among the greatest, and goes with the map alone.
    if (stage != Stage::kExpired && stage != Stage::kConfirmed) continue;
    message.entries.push_back({.version = version, .stage = stage});
    if (message.entries.size() < kMapEntries) continue;
    out->push_back(SendTo{.to = from, .message = std::exchange(message, {})});
  }
  if (!message.entries.empty()) out->push_back(SendTo{.to = from, .message = std::move(message)});
}

void Holder::OnPullEntry(MonoTime now, const NodeId& from, const PullEntryMessage& message, Actions* out) const {
  const admission::Record* const entry = ledger_.EntryRecord(message.version);
  if (entry == nullptr || !ledger_.all_durable()) return;
  const admission::Record* const confirm = ledger_.Confirmation(message.version);
  out->push_back(
      SendTo{.to = from,
             .message = EntryMessage{.entry = entry->Bytes(),
                                     .confirm = confirm == nullptr ? std::vector<uint8_t>() : confirm->Bytes()}});
  out->push_back(SendTo{.to = from, .message = MapOf(now)});
}

void Holder::OnDigest(MonoTime now, const NodeId& from, uint64_t digest, Actions* out) const {
  if (digest == stages().Digest() || !ledger_.all_durable()) return;
  out->push_back(SendTo{.to = from, .message = MapOf(now)});
}

void Holder::OnMap(MonoTime now, const NodeId& from, const MapMessage& message, Actions* out) {
  StageMap incoming;
  std::map<Version, uint32_t> left;
  for (const MapMessage::Entry& each : message.entries) {
    if (each.stage <= stages().Of(each.version)) continue;
    if (!ledger_.HasEvidence(each.version, each.stage)) {
      Want(now, from, each.version, out);
      continue;
    }
    incoming.Raise(each.version, each.stage);
    left[each.version] = each.left_ms;
  }
  const StageMap before = stages();
  const std::vector<Version> changed = ledger_.Merge(incoming);
  for (const Version& version : changed) {
    if (before.Of(version) == Stage::kOpen && stages().Of(version) == Stage::kExpired) {
      out->push_back(MakeLog(LogLevel::kError, "configuration ", ToText(version), " is rolled back: another node did"));
    } else if (before.Of(version) == Stage::kExpired) {
      LogLateConfirmation(version, out);
    }
    const Duration timeout = TimeoutOf(*ledger_.Entry(version));
    if (stages().Of(version) == Stage::kPrepared) ledger_.SetDeadline(version, now + kConfigPrepared);
    if (stages().Of(version) == Stage::kOpen) {
      ledger_.SetDeadline(version, now + std::min(timeout, Milliseconds(left.at(version))));
    }
  }
  if (!changed.empty()) source_ = from;
  ExpireOldTerms(out);
  if (message.rest && *message.rest != RestOf(stages(), message.entries)) {
    out->push_back(SendTo{.to = from, .message = PullRestMessage{}});
  }
  Note(changed, out);
  Settle(now, out);
}

void Holder::Want(MonoTime now, const NodeId& from, const Version& version, Actions* out) {
  std::erase_if(wanted_, [&](const auto& each) { return each.second + kConfigPull <= now; });
  if (wanted_.size() > kVersionsKept || !wanted_.emplace(version, now).second) return;
  out->push_back(SendTo{.to = from, .message = PullEntryMessage{.version = version}});
}

void Holder::OnEntry(MonoTime now, const EntryMessage& message, Actions* out) {
  // Unasked, it costs no signature check.
  if (wanted_.empty()) return;
  const std::optional<admission::Record> entry = ReadEntry(message.entry, self_.recovery);
  if (!entry || !signers_.MayNumber(*entry)) return;
  ledger_.Learn(*entry);
  wanted_.erase(EntryOf(*entry).version);
  const std::optional<admission::Record> confirm = ReadConfirm(message.confirm, self_.recovery);
  if (confirm && signers_.Counts(*confirm)) ledger_.LearnConfirmation(*confirm);
  Settle(now, out);
}

Body Holder::BodyOf(const Digest& digest) const {
  if (preparing_ && EntryOf(preparing_->entry).body == digest && preparing_->body) return preparing_->body;
  return ledger_.BodyOf(digest);
}

// One at a time: what is in effect, or what is to be voted on.
void Holder::Fetch(MonoTime now, Actions* out) {
  const std::optional<Version> in_effect = InEffect();
  const admission::ConfigEntry* missing = in_effect ? ledger_.Entry(*in_effect) : nullptr;
  NodeId source = source_;
  if (missing != nullptr && ledger_.BodyOf(missing->body)) missing = nullptr;
  if (missing == nullptr && preparing_ && !preparing_->body && !preparing_->vote && master_) {
    missing = &EntryOf(preparing_->entry);
    source = master_->node;
  }
  if (missing == nullptr) {
    fetch_.reset();
    return;
  }
  if (source == NodeId{} && !peers_.empty()) source = peers_.front();  // after a restart
  if (source == NodeId{}) {
    fetch_.reset();
    return;
  }
  if (!fetch_ || fetch_->digest() != missing->body) fetch_.emplace(missing->body, missing->size, source);
  if (const std::optional<BodyFetch::Ask> ask = fetch_->Next(now, peers_)) {
    out->push_back(SendTo{.to = ask->from, .message = PullBodyMessage{.body = fetch_->digest(), .first = ask->first}});
  }
}

void Holder::OnPart(MonoTime now, const PartMessage& message, Actions* out) {
  if (!fetch_) return;
  std::optional<std::string> whole = fetch_->OnPart(now, message.body, message.index, message.part);
  if (whole) {
    fetch_.reset();
    const Body body = std::make_shared<const std::string>(*std::move(whole));
    ledger_.AddBody(message.body, body);
    if (preparing_ && !preparing_->body && EntryOf(preparing_->entry).body == message.body) {
      preparing_->body = body;
      if (!preparing_->vote) out->push_back(Validate{.version = EntryOf(preparing_->entry).version, .body = body});
    }
  }
  Settle(now, out);
}

void Holder::Reconcile(Actions* out) {
  if (!started_) return;
  const std::optional<Version> runnable = ledger_.Runnable();
  // From trial to open nothing is applied anew.
  if (trial_ && runnable >= trial_->version()) trial_.reset();
  const std::optional<Version> target = trial_ ? std::optional(trial_->version()) : runnable;
  if (asked_ == target.value_or(Version{})) return;
  // With nothing to go back to, it runs until there is something.
  if (!target && asked_ && asked_ == orphan_) return;
  asked_ = target.value_or(Version{});
  if (unable_ && unable_->version != asked_) unable_.reset();
  apply_again_ = kNever;
  Apply apply{.version = *asked_, .trial = trial_.has_value()};
  if (target) apply.body = BodyOf(ledger_.Entry(*target)->body);
  out->push_back(std::move(apply));
}

void Holder::OnApplied(MonoTime now, const Version& version, std::optional<Finding> finding, Actions* out) {
  if (version != asked_) return;
  if (!finding) {
    running_ = version;
    unable_.reset();
    apply_again_ = kNever;
    return;
  }
  if (trial_) {
    trial_->OnFinding(*std::move(finding));
    Judge(now, out);
  } else {
    out->push_back(MakeLog(LogLevel::kError, "configuration ", ToText(version), ": ", finding->where,
                           finding->where.empty() ? "" : ": ", finding->reason, "; ", finding->remedy));
    unable_ = Unable{.version = version, .finding = *std::move(finding)};
    apply_again_ = now + kConfigRetry;
  }
  Settle(now, out);
}

void Holder::OnEvent(MonoTime now, Actions* out) {
  apply_again_ = kNever;
  store_again_ = kNever;
  if (unable_) asked_.reset();
  Settle(now, out);
}

void Holder::OnSaved(MonoTime now, uint64_t ticket, bool ok, Actions* out) {
  for (const auto& [version, stage] : ledger_.OnSaved(ticket, ok)) {
    out->push_back(StageReached{.version = version, .stage = stage});
  }
  if (!ok) {
    out->push_back(MakeLog(LogLevel::kError, "the configuration could not be stored: it is tried again"));
    store_again_ = now + kConfigRetry;
    after_save_.insert(after_save_.begin(), with_save_.begin(), with_save_.end());
    with_save_.clear();
    return;
  }
  SendAfterSave(std::exchange(with_save_, {}), out);
  Settle(now, out);
  if (!ledger_.all_durable()) return;
  SendAfterSave(std::exchange(after_save_, {}), out);
  const uint64_t digest = stages().Digest();
  if (digest == sent_digest_) return;
  sent_digest_ = digest;
  out->push_back(SendToAll{.message = MapOf(now)});
}

void Holder::SendAfterSave(std::vector<Message> messages, Actions* out) const {
  for (Message& message : messages) {
    if (!std::holds_alternative<VoteMessage>(message)) {
      out->push_back(SendToAll{.message = std::move(message)});
    } else if (master_) {
      out->push_back(SendTo{.to = master_->node, .message = std::move(message)});
    }
  }
}

void Holder::Settle(MonoTime now, Actions* out) {
  Reconcile(out);
  Fetch(now, out);
  if (store_again_ != kNever) return;
  if (std::optional<Save> save = ledger_.TakeSave()) {
    with_save_ = std::exchange(after_save_, {});
    out->push_back(*std::move(save));
  }
}

void Holder::Tick(MonoTime now, Actions* out) {
  for (const Version& version : ledger_.Overdue(now)) {
    Expire(version, stages().Of(version) == Stage::kOpen ? "it was not confirmed in time" : "nothing came of it", out);
  }
  if (preparing_ && preparing_->until <= now) preparing_.reset();
  Judge(now, out);
  if (std::min(apply_again_, store_again_) <= now) OnEvent(now, out);
  Settle(now, out);
}

MonoTime Holder::NextDeadline() const {
  MonoTime next = std::min({ledger_.NextDeadline(), apply_again_, store_again_});
  if (preparing_) next = std::min(next, preparing_->until);
  if (trial_) next = std::min(next, trial_->next_at());
  if (fetch_) next = std::min(next, fetch_->next_at());
  return next;
}

void Holder::Acknowledge(MonoTime now, Actions* out) {
  ledger_.Acknowledge();
  Settle(now, out);
}

}  // namespace qure::clusterconfig
