#include "control/core/config/shared_config.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "control/core/config/wire.h"
#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure::clusterconfig {
namespace {

bool IsOurs(wire::Message::BodyCase kind) {
  return kind >= wire::Message::kConfigForward && kind <= wire::Message::kConfigPart;
}

// 0 stands for a node that takes no part.
uint64_t SaidDigest(uint64_t digest) {
  return std::max<uint64_t>(digest, 1);
}

std::string Sentence(const Finding& finding) {
  return absl::StrCat(finding.reason, finding.remedy.empty() ? "" : "; ", finding.remedy);
}

}  // namespace

std::optional<StoredEffect> InEffectAtStart(const StoredState& stored, const ClusterId& cluster) {
  if (stored.config.versions.empty()) return std::nullopt;
  qure::Actions unused;
  admission::Roll roll(stored.node_id, stored.identity, stored.copy_of, stored.records);
  roll.Configure(cluster, &unused);
  if (!roll.belongs()) return std::nullopt;
  Ledger ledger(stored.config, roll.records()->genesis().As<admission::Genesis>()->recovery);
  ledger.Filter(Signers(roll.view()));
  const std::optional<Version> version = ledger.Runnable();
  if (!version) return std::nullopt;
  return StoredEffect{.version = *version, .body = ledger.BodyOf(ledger.Entry(*version)->body)};
}

// ---------------------------------------------------------------------------------------------------------- each step

admission::RecordHead SharedConfig::Head(const ConfigView& view) const {
  const admission::RecordSet* const records = view.roll->records();
  return {.cluster = records == nullptr ? admission::ClusterMark{} : admission::MarkOf(records->cluster()),
          .time = view.occasion.time,
          .uptime_ms = view.occasion.uptime_ms};
}

// A node that was expelled goes on with what it runs, and hears nobody.
void SharedConfig::FollowRoll(const ConfigView& view, qure::Actions* out) {
  const admission::Roll& roll = *view.roll;
  if (roll.records() == nullptr || (!configuration_ && !roll.belongs())) return;
  const bool first = !configuration_;
  if (first) {
    const Self self{
        .node = self_, .key = *roll.key(), .recovery = roll.records()->genesis().As<admission::Genesis>()->recovery};
    configuration_.emplace(self, std::exchange(stored_, {}));
  }
  Actions actions;
  configuration_->FollowView(view.now, roll.view(), &actions);
  if (first) {
    starting_ = configuration_->holder().ledger().Runnable().has_value();
    configuration_->Start(view.now, &actions);
  }
  Execute(view, std::move(actions), out);
}

// The members that take part and can be reached, the best ranked first.
std::vector<NodeId> SharedConfig::MembersOf(const ConfigView& view) const {
  std::vector<Rank> ranks = {view.rank};
  for (const auto& [node, member] : view.members->all()) {
    const wire::Hello& hello = member.hello;
    const bool takes_part = member.present() && !hello.booting() && hello.config_map() != 0;
    if (takes_part && view.roll->Knows(member)) ranks.push_back(member.rank());
  }
  std::ranges::sort(ranks, std::greater<>());
  std::vector<NodeId> members;
  members.reserve(ranks.size());
  for (const Rank& rank : ranks) members.push_back(rank.node);
  return members;
}

void SharedConfig::FollowCluster(const ConfigView& view, qure::Actions* out) {
  std::vector<NodeId> members = MembersOf(view);
  if (view.master == master_ && members == members_) return;
  master_ = view.master;
  members_ = std::move(members);
  Actions actions;
  configuration_->FollowCluster(view.now, master_, members_, &actions);
  Execute(view, std::move(actions), out);
}

// While a change is on trial, what is seen counts only once it is applied, and is looked at again and again.
void SharedConfig::SeeHealth(const ConfigView& view, qure::Actions* out) {
  const std::optional<Version> trying = configuration_->holder().trying();
  bool due = view.health != health_;
  if (!trying) {
    next_health_ = kNever;
  } else if (configuration_->holder().running() != trying) {
    return;
  } else if (next_health_ == kNever) {
    next_health_ = view.now + kConfigTrialLeast;
    asks_gateway_ = true;
  } else if (view.now >= next_health_) {
    next_health_ = view.now + kConfigTrialLeast;
    asks_gateway_ = !view.health.gateway;
    due = true;
  }
  if (!due) return;
  health_ = view.health;
  Actions actions;
  configuration_->OnHealth(view.now, health_, Head(view), &actions);
  Execute(view, std::move(actions), out);
}

// What is on trial is in no message, so neither in a HELLO.
void SharedConfig::NoteChanges() {
  const Holder& holder = configuration_->holder();
  const std::optional<Version> said = holder.on_trial() ? said_ : std::optional(holder.running());
  const uint64_t digest = configuration_->digest();
  const bool unable = holder.unable().has_value();
  if (said == said_ && digest == told_digest_ && unable == told_unable_) return;
  said_ = said;
  told_digest_ = digest;
  told_unable_ = unable;
  changed_ = true;
}

void SharedConfig::Step(const ConfigView& view, qure::Actions* out) {
  if (!configuration_) return;
  FollowCluster(view, out);
  SeeHealth(view, out);
  NoteChanges();
}

void SharedConfig::Tick(const ConfigView& view, qure::Actions* out) {
  if (!configuration_ || Mutated(Mutation::kConfigNoTick)) return;
  Actions actions;
  configuration_->Tick(view.now, Head(view), &actions);
  Execute(view, std::move(actions), out);
}

MonoTime SharedConfig::deadline() const {
  if (!configuration_ || Mutated(Mutation::kConfigNoTick)) return kNever;
  return std::min(configuration_->NextDeadline(), next_health_);
}

bool SharedConfig::able() const {
  if (!configuration_ || Mutated(Mutation::kConfigUnableLeads)) return true;
  return !starting_ && !configuration_->holder().unable();
}

// ------------------------------------------------------------------------------------------------------ what comes in

void SharedConfig::FillHello(wire::Hello* hello) const {
  if (!configuration_) return;
  hello->set_config_map(SaidDigest(configuration_->digest()));
  if (said_) hello->set_config_running(said_->check);
  hello->set_config_unable(!able());
}

void SharedConfig::OnHello(const ConfigView& view, const Member& member, qure::Actions* out) {
  const uint64_t theirs = member.hello.config_map();
  if (!configuration_ || theirs == 0 || !view.roll->Knows(member)) return;
  if (theirs == SaidDigest(configuration_->digest()) || Mutated(Mutation::kConfigIgnoreDigest)) return;
  Actions actions;
  configuration_->OnDigest(view.now, member.node, theirs, &actions);
  Execute(view, std::move(actions), out);
}

bool SharedConfig::OnMessage(const ConfigView& view, const Incoming& incoming, qure::Actions* out) {
  if (!IsOurs(incoming.message.body_case())) return false;
  const Member* const member = view.members->Find(incoming.node);
  if (!configuration_ || member == nullptr || !view.roll->Knows(*member)) return true;
  const std::optional<Message> message = Read(incoming.message);
  if (!message) return true;
  // Its answer is here before a trial begins, which has more to wait for.
  if (std::holds_alternative<PrepareMessage>(*message)) asks_gateway_ = true;
  Actions actions;
  configuration_->OnMessage(view.now, incoming.node, *message, Head(view), &actions);
  Execute(view, std::move(actions), out);
  return true;
}

void SharedConfig::OnValidated(const ConfigView& view, const Version& version, std::optional<Finding> finding,
                               qure::Actions* out) {
  if (!configuration_) return;
  Actions actions;
  configuration_->OnValidated(view.now, version, std::move(finding), Head(view), &actions);
  Execute(view, std::move(actions), out);
}

void SharedConfig::OnApplied(const ConfigView& view, const Version& version, std::optional<Finding> finding,
                             qure::Actions* out) {
  if (!configuration_) return;
  starting_ = false;
  Actions actions;
  configuration_->OnApplied(view.now, version, std::move(finding), Head(view), &actions);
  Execute(view, std::move(actions), out);
}

void SharedConfig::OnPersisted(const ConfigView& view, uint64_t ticket, bool ok, qure::Actions* out) {
  if (!save_ || save_->first != ticket) return;
  const uint64_t own = std::exchange(save_, std::nullopt)->second;
  Actions actions;
  configuration_->OnSaved(view.now, own, ok, Head(view), &actions);
  if (!ok && confirming_) {
    const auto [id, version] = *std::exchange(confirming_, std::nullopt);
    const Finding finding{.reason = "the store of this node cannot be written", .remedy = "mend that, or use another"};
    actions.push_back(Answered{.id = id, .version = version, .node = self_, .refusal = finding});
  }
  Execute(view, std::move(actions), out);
}

void SharedConfig::OnEvent(const ConfigView& view, qure::Actions* out) {
  if (!configuration_) return;
  Actions actions;
  configuration_->OnEvent(view.now, &actions);
  Execute(view, std::move(actions), out);
}

// ---------------------------------------------------------------------------------------------------------- operators

absl::Status SharedConfig::Possible() const {
  if (configuration_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this node does not belong to a cluster with records, which say who may configure it: `qurectl cluster found` "
      "begins them");
}

absl::Status SharedConfig::Propose(const ConfigView& view, Request request, std::string_view by, qure::Actions* out) {
  if (absl::Status possible = Possible(); !possible.ok()) return possible;
  if (!view.roll->belongs()) return absl::PermissionDeniedError("this node does not belong to the cluster any more");
  if (!view.master) return absl::UnavailableError("no node leads now: try again in a moment");
  if (configuration_->forwards()) {
    return absl::FailedPreconditionError("another change of this node is under way: wait until it has ended");
  }
  Actions actions;
  configuration_->Propose(view.now, std::move(request), by, Head(view), &actions);
  Execute(view, std::move(actions), out);
  return absl::OkStatus();
}

absl::Status SharedConfig::Confirm(const ConfigView& view, uint64_t id, qure::Actions* out) {
  if (absl::Status possible = Possible(); !possible.ok()) return possible;
  const Holder& holder = configuration_->holder();
  const std::optional<Version> pending = holder.stages().Pending();
  if (!pending || holder.stages().Of(*pending) != Stage::kOpen || confirming_) {
    return absl::FailedPreconditionError("no change of the configuration waits to be confirmed; see `qurectl config`");
  }
  Actions actions;
  if (const std::optional<Finding> refusal = configuration_->Confirm(view.now, *pending, Head(view), &actions)) {
    return absl::FailedPreconditionError(Sentence(*refusal));
  }
  confirming_ = {id, *pending};
  Execute(view, std::move(actions), out);
  return absl::OkStatus();
}

absl::Status SharedConfig::Abort(const ConfigView& view, qure::Actions* out) {
  if (absl::Status possible = Possible(); !possible.ok()) return possible;
  Actions actions;
  if (!configuration_->Abort(view.now, Head(view), &actions)) {
    const bool elsewhere = configuration_->holder().stages().Pending().has_value();
    return absl::FailedPreconditionError(
        elsewhere ? "the master prepares a change, which only `qurectl config abort` there gives up; it ends by itself"
                  : "no change of the configuration is being prepared or waits to be confirmed");
  }
  Execute(view, std::move(actions), out);
  return absl::OkStatus();
}

bool SharedConfig::Renumber(const ConfigView& view, qure::Actions* out) {
  if (!configuration_ || !configuration_->holder().InEffect()) return true;
  Actions actions;
  if (!configuration_->Renumber(view.now, Head(view), &actions)) return false;
  Execute(view, std::move(actions), out);
  return true;
}

absl::Status SharedConfig::Acknowledge(const ConfigView& view, qure::Actions* out) {
  if (absl::Status possible = Possible(); !possible.ok()) return possible;
  Actions actions;
  configuration_->Acknowledge(view.now, &actions);
  Execute(view, std::move(actions), out);
  return absl::OkStatus();
}

std::optional<ConfigStatus::Change> SharedConfig::ChangeOf(MonoTime now, const std::optional<Version>& version) const {
  if (!version) return std::nullopt;
  const Holder& holder = configuration_->holder();
  const admission::Record* const record = holder.ledger().EntryRecord(*version);
  if (record == nullptr) return std::nullopt;
  const admission::ConfigEntry& entry = EntryOf(*record);
  ConfigStatus::Change change{.version = *version,
                              .stage = holder.stages().Of(*version),
                              .by = holder.signers().NameOf(entry.signer),
                              .time = entry.head.time,
                              .size = entry.size,
                              .left = std::nullopt};
  if (change.stage == Stage::kOpen) change.left = std::max(Duration{}, holder.ledger().DeadlineOf(*version) - now);
  return change;
}

ConfigStatus SharedConfig::Status(MonoTime now) const {
  ConfigStatus status;
  if (!configuration_) return status;
  const Holder& holder = configuration_->holder();
  status.possible = true;
  status.in_effect = ChangeOf(now, holder.InEffect());
  status.pending = ChangeOf(now, holder.stages().Pending());
  if (holder.running() != Version{}) status.running = holder.running();
  status.on_trial = holder.on_trial();
  status.unable = holder.unable();
  for (const Version& version : holder.ledger().Lost()) {
    if (const auto change = ChangeOf(now, version)) status.lost.push_back(*change);
  }
  return status;
}

std::vector<ConfigStatus::Past> SharedConfig::History(MonoTime now) const {
  std::vector<ConfigStatus::Past> history;
  if (!configuration_) return history;
  for (PastVersion& past : HistoryOf(configuration_->holder().ledger())) {
    std::optional<ConfigStatus::Change> change = ChangeOf(now, past.version);
    if (change) history.push_back({.change = *std::move(change), .version = std::move(past)});
  }
  return history;
}

Body SharedConfig::Text() const {
  if (!configuration_) return nullptr;
  const Holder& holder = configuration_->holder();
  const admission::ConfigEntry* const entry = holder.ledger().Entry(holder.running());
  return entry == nullptr ? nullptr : holder.BodyOf(entry->body);
}

// ------------------------------------------------------------------------------------------------------------ actions

void SharedConfig::Execute(const ConfigView& view, Actions actions, qure::Actions* out) {
  for (Action& action : actions) {
    std::visit([&](const auto& each) { Do(view, each, out); }, action);
  }
}

void SharedConfig::Do(const ConfigView& view, const SendTo& action, qure::Actions* out) {
  if (action.to == self_) {
    Actions more;
    configuration_->OnMessage(view.now, self_, action.message, Head(view), &more);
    return Execute(view, std::move(more), out);
  }
  const Member* const member = view.members->Find(action.to);
  if (member == nullptr || !member->present()) return;
  wire::Message message;
  Write(action.message, &message);
  view.transport->SendTo(member->at, message, out);
}

void SharedConfig::Do(const ConfigView& view, const SendToAll& action, qure::Actions* out) {
  wire::Message message;
  Write(action.message, &message);
  view.transport->UseWay(Transport::Way::kBoth);  // rare, and should arrive
  view.transport->SendToAll(message, out);
}

void SharedConfig::Do(const ConfigView& view, const Save& action, qure::Actions* out) {
  const uint64_t ticket = view.ledger->Store({.config = action}, out);
  save_ = {ticket, action.ticket};
}

void SharedConfig::Do(const ConfigView&, const StageReached& action, qure::Actions* out) {
  if (confirming_ && confirming_->second == action.version && action.stage == Stage::kConfirmed) {
    out->push_back(Answered{.id = confirming_->first, .version = action.version});
    confirming_.reset();
  }
  if (action.stage == Stage::kOpen) opened_.insert(action.version);
  const bool given_up = action.stage == Stage::kExpired && !opened_.contains(action.version);
  if (action.stage == Stage::kPrepared || given_up) return;
  if (action.stage != Stage::kOpen) opened_.erase(action.version);
  reached_.push_back(action);
}

}  // namespace qure::clusterconfig
