#include "control/core/config/proposer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure::clusterconfig {
namespace {

Finding NotMaster() {
  return {.reason = "this node is not the master", .remedy = "ask the master"};
}

void Answer(const std::optional<NodeId>& forwarder, const Answered& answer, Actions* out) {
  if (!forwarder) {
    out->push_back(answer);
    return;
  }
  out->push_back(SendTo{
      .to = *forwarder,
      .message =
          AnswerMessage{.id = answer.id, .version = answer.version, .node = answer.node, .refusal = answer.refusal}});
}

}  // namespace

Proposer::Proposer(const Self& self, Holder* holder) : self_(self), holder_(holder) {}

void Proposer::FollowMaster(MonoTime, const std::optional<Mastership>& master, Actions* out) {
  if (master == master_) return;
  // The nodes give up what was prepared under the old term by themselves.
  if (change_) {
    Answer(change_->forwarder,
           {.id = change_->id,
            .version = change_->version(),
            .refusal = Finding{.reason = "the master has changed", .remedy = "see what is in effect, and try again"}},
           out);
  }
  change_.reset();
  forward_.reset();
  last_n_ = 0;
  master_ = master;
}

void Proposer::UseMembers(MonoTime now, const std::vector<NodeId>& members, Actions* out) {
  members_ = members;
  if (!change_) return;
  std::erase_if(change_->voted, [&](const auto& each) { return std::ranges::count(members_, each.first) == 0; });
  if (change_->step == Step::kTrial && std::ranges::count(members_, change_->canary) == 0) {
    End(change_->canary, Finding{.reason = "it is not heard any more", .remedy = "see why, and try again"}, out);
  } else if (change_->step == Step::kVotes) {
    change_->again_at = now;  // it may have been the last one that was waited for
  }
}

void Proposer::Propose(MonoTime now, Request request, const admission::RecordHead& head, Actions* out) {
  Begin(now, std::move(request), std::nullopt, head, out);
}

std::optional<Finding> Proposer::Obstacle(MonoTime now, const Request& request) const {
  if (!is_master()) return NotMaster();
  if (!request.body || request.body->empty() || request.body->size() > admission::kMaxConfigBody) {
    return Finding{.reason = "it is empty or too long",
                   .remedy = absl::StrCat("a configuration has at most ", admission::kMaxConfigBody, " bytes")};
  }
  const Duration most = Milliseconds(admission::kMaxConfirmTimeoutMs);
  if (request.confirm && (*request.confirm < Seconds(1) || *request.confirm > most)) {
    return Finding{.reason = "the time to confirm it is out of bounds", .remedy = "1 s to 24 h"};
  }
  if (change_) {
    return Finding{.reason = absl::StrCat("change ", ToText(change_->version()), " is being prepared"),
                   .remedy = "wait until it has ended"};
  }
  if (Outdated()) {
    return Finding{.reason = "a change of a later master is in effect", .remedy = "wait until this one is gone"};
  }
  if (request.base && holder_->InEffect() != request.base) {
    return Finding{.reason = "what is in effect has changed meanwhile",
                   .remedy = "see what it says now, and make the change again"};
  }
  return holder_->Busy(now);
}

// What this master would number would be below what is in effect.
bool Proposer::Outdated() const {
  const std::optional<Version> in_effect = holder_->InEffect();
  return in_effect && in_effect->term > master_->term;
}

void Proposer::Begin(MonoTime now, Request request, std::optional<NodeId> forwarder, const admission::RecordHead& head,
                     Actions* out) {
  if (std::optional<Finding> obstacle = Obstacle(now, request)) {
    Answer(forwarder, {.id = request.id, .node = self_.node, .refusal = *std::move(obstacle)}, out);
    return;
  }
  const Draft draft{.base = holder_->InEffect().value_or(Version{}),
                    .body = DigestOf(*request.body),
                    .size = static_cast<uint32_t>(request.body->size()),
                    .confirm = request.confirm};
  const uint64_t id = request.id;
  change_ = Change{.id = id,
                   .forwarder = forwarder,
                   .entry = NumberNext(draft, head),
                   .request = std::move(request),
                   .until = now + kConfigVotes,
                   .again_at = kNever};
  // This node votes first: what it has made durable is a number that is never given twice.
  SendStep(now, out);
}

// Terms are never used twice, so that only numbers of this one can be taken.
admission::Record Proposer::NumberNext(const Draft& draft, const admission::RecordHead& head) {
  last_n_ = std::max(last_n_, holder_->stages().GreatestOf(master_->term)) + 1;
  return Number(draft, master_->term, last_n_, head, self_.key);
}

void Proposer::SendStep(MonoTime now, Actions* out) {
  const PrepareMessage prepare{.entry = change_->entry.Bytes(), .dry_run = change_->request.dry_run};
  change_->again_at = now + kConfigAgain;
  switch (change_->step) {
    case Step::kOwnVote:
      holder_->OnPrepare(now, self_.node, prepare, change_->request.body, out);
      break;
    case Step::kVotes:
      for (const auto& [node, voted] : change_->voted) {
        if (!voted) out->push_back(SendTo{.to = node, .message = prepare});
      }
      break;
    case Step::kTrial:
      out->push_back(SendTo{.to = change_->canary, .message = TrialMessage{.version = change_->version()}});
      break;
  }
}

void Proposer::OnVote(MonoTime now, const NodeId& from, const VoteMessage& message, const admission::RecordHead& head,
                      Actions* out) {
  if (!change_ || message.version != change_->version() || change_->step == Step::kTrial) return;
  const bool own = from == self_.node;
  if (!own && !change_->voted.contains(from)) return;
  if (message.objection) {
    End(from, message.objection, out);
    return;
  }
  if (own && change_->step == Step::kOwnVote) {
    change_->step = Step::kVotes;
    change_->until = now + kConfigVotes;
    for (const NodeId& member : members_) {
      if (member != self_.node) change_->voted.emplace(member, false);
    }
    SendStep(now, out);
  } else if (!own) {
    change_->voted[from] = true;
  }
  Advance(now, head, out);
}

void Proposer::Advance(MonoTime now, const admission::RecordHead& head, Actions* out) {
  if (!change_ || change_->step != Step::kVotes) return;
  if (std::ranges::any_of(change_->voted, [](const auto& each) { return !each.second; })) return;
  if (change_->request.dry_run) {
    End(std::nullopt, std::nullopt, out);
  } else if (change_->request.canary) {
    BeginTrial(now, out);
  } else {
    Decide(now, head, out);
  }
}

void Proposer::BeginTrial(MonoTime now, Actions* out) {
  change_->step = Step::kTrial;
  change_->canary = members_.empty() ? self_.node : members_.back();
  change_->until = now + kConfigTrial;
  SendStep(now, out);
}

void Proposer::OnChecked(MonoTime now, const NodeId& from, const CheckedMessage& message,
                         const admission::RecordHead& head, Actions* out) {
  if (!change_ || change_->step != Step::kTrial || message.version != change_->version()) return;
  if (from != change_->canary) return;
  if (message.objection) {
    End(from, message.objection, out);
  } else {
    Decide(now, head, out);
  }
}

void Proposer::Decide(MonoTime now, const admission::RecordHead& head, Actions* out) {
  const Version version = change_->version();
  holder_->Decide(now, version, head, out);
  const Stage stage = holder_->stages().Of(version);
  if (stage == Stage::kOpen || stage == Stage::kConfirmed) {
    End(std::nullopt, std::nullopt, out);
  } else {
    End(self_.node, Finding{.reason = "it was given up meanwhile", .remedy = "try again"}, out);
  }
}

void Proposer::End(const std::optional<NodeId>& node, std::optional<Finding> refusal, Actions* out) {
  const Change change = *std::exchange(change_, std::nullopt);
  if (refusal && change.step != Step::kOwnVote) {
    out->push_back(SendToAll{.message = AbortMessage{.version = change.version()}});
  }
  if (refusal) out->push_back(SendTo{.to = self_.node, .message = AbortMessage{.version = change.version()}});
  Answer(change.forwarder, {.id = change.id, .version = change.version(), .node = node, .refusal = std::move(refusal)},
         out);
}

bool Proposer::Abort(Actions* out) {
  if (!change_) return false;
  End(std::nullopt, Finding{.reason = "the operator gave it up"}, out);
  return true;
}

void Proposer::OnForward(MonoTime now, const NodeId& from, const ForwardMessage& message,
                         const admission::RecordHead& head, Actions* out) {
  const bool under_way = forward_ && forward_->from == from && forward_->message.id == message.id;
  if (under_way || (change_ && change_->forwarder == from && change_->id == message.id)) return;
  Request request{.id = message.id, .canary = message.canary, .dry_run = message.dry_run};
  if (!is_master() || !idle()) {
    Begin(now, std::move(request), from, head, out);  // says why not
    return;
  }
  forward_ = Forward{.from = from,
                     .message = message,
                     .fetch = BodyFetch(message.body, message.size, from),
                     .until = now + kConfigForward};
  Tick(now, head, out);
}

void Proposer::OnPart(MonoTime now, const PartMessage& message, const admission::RecordHead& head, Actions* out) {
  if (!forward_) return;
  std::optional<std::string> whole = forward_->fetch.OnPart(now, message.body, message.index, message.part);
  if (whole) {
    const Forward forward = *std::exchange(forward_, std::nullopt);
    Request request{.id = forward.message.id,
                    .body = std::make_shared<const std::string>(*std::move(whole)),
                    .canary = forward.message.canary,
                    .dry_run = forward.message.dry_run,
                    .base = forward.message.base};
    if (forward.message.timeout_ms > 0) request.confirm = Milliseconds(forward.message.timeout_ms);
    Begin(now, std::move(request), forward.from, head, out);
  }
  Tick(now, head, out);
}

bool Proposer::Renumber(MonoTime now, const admission::RecordHead& head, Actions* out) {
  const admission::ConfigEntry* const entry = holder_->ledger().Entry(holder_->running());
  if (!is_master() || change_ || entry == nullptr || Outdated() || holder_->Busy(now)) return false;
  const Draft draft{.base = entry->version, .body = entry->body, .size = entry->size};
  holder_->Take(now, NumberNext(draft, head), head, out);
  return true;
}

// A confirmation that a node which is away made in time may come at any time. After this it is late for good.
bool Proposer::RenumberDue(const admission::RecordHead& head) const {
  const std::optional<Version> in_effect = holder_->InEffect();
  if (!is_master() || !in_effect || *in_effect != holder_->running()) return false;
  const auto& stages = holder_->stages().stages();
  return std::any_of(stages.upper_bound(*in_effect), stages.end(), [&](const auto& each) {
    const admission::ConfigEntry& entry = *holder_->ledger().Entry(each.first);
    const auto wait = static_cast<uint64_t>(kConfigRenumber.ns / Milliseconds(1).ns) + entry.timeout_ms;
    return each.second == Stage::kExpired && entry.confirm && head.uptime_ms >= entry.head.uptime_ms + wait;
  });
}

void Proposer::Tick(MonoTime now, const admission::RecordHead& head, Actions* out) {
  if (forward_) {
    if (forward_->until <= now) {
      const Finding finding{.reason = "the text did not arrive in time", .remedy = "try again"};
      Answer(forward_->from, {.id = forward_->message.id, .node = self_.node, .refusal = finding}, out);
      forward_.reset();
    } else if (const std::optional<BodyFetch::Ask> ask = forward_->fetch.Next(now, {forward_->from})) {
      out->push_back(
          SendTo{.to = ask->from, .message = PullBodyMessage{.body = forward_->message.body, .first = ask->first}});
    }
  }
  if (change_ && change_->until <= now) {
    std::optional<NodeId> silent = self_.node;
    if (change_->step == Step::kTrial) silent = change_->canary;
    for (const auto& [node, voted] : change_->voted) {
      if (!voted) silent = node;
    }
    End(silent, Finding{.reason = "it has not answered in time", .remedy = "see why, and try again"}, out);
  }
  if (change_ && change_->again_at <= now) {
    if (change_->step == Step::kOwnVote) {
      change_->again_at = kNever;
    } else {
      SendStep(now, out);
    }
    Advance(now, head, out);
  }
  if (RenumberDue(head)) Renumber(now, head, out);
}

MonoTime Proposer::NextDeadline() const {
  MonoTime next = kNever;
  if (forward_) next = std::min({next, forward_->until, forward_->fetch.next_at()});
  if (change_) next = std::min({next, change_->until, change_->again_at});
  return next;
}

}  // namespace qure::clusterconfig
