#include "control/core/config/configuration.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "control/core/timers.h"

namespace qure::clusterconfig {
namespace {

// All that the master may take for a change that was forwarded to it.
constexpr Duration kForwardLimit = kConfigForward + kConfigVotes * 2 + kConfigTrial + Seconds(1);

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

Configuration::Configuration(const Self& self, const StoredConfig& stored)
    : self_(self), holder_(self, stored), proposer_(self, &holder_) {}

void Configuration::Start(MonoTime now, Actions* out) {
  holder_.Start(now, out);
}

void Configuration::FollowView(MonoTime now, const admission::View& view, Actions* out) {
  holder_.FollowView(now, view, out);
}

void Configuration::FollowCluster(MonoTime now, const std::optional<Mastership>& master,
                                  const std::vector<NodeId>& members, Actions* out) {
  std::vector<NodeId> peers = members;
  std::erase(peers, self_.node);
  holder_.UsePeers(std::move(peers));
  // First the proposer: what it was in the middle of is answered before the holder gives it up.
  proposer_.FollowMaster(now, master, out);
  holder_.FollowMaster(now, master, out);
  proposer_.UseMembers(now, members, out);
  master_ = master;
}

void Configuration::OnMessage(MonoTime now, const NodeId& from, const Message& message,
                              const admission::RecordHead& head, Actions* out) {
  Dispatch(now, from, message, head, out);
  Deliver(now, head, out);
}

void Configuration::Dispatch(MonoTime now, const NodeId& from, const Message& message,
                             const admission::RecordHead& head, Actions* out) {
  std::visit(Overloaded{
                 [&](const ForwardMessage& each) { proposer_.OnForward(now, from, each, head, out); },
                 [&](const AnswerMessage& each) {
                   if (!forwarded_ || forwarded_->message.id != each.id || !master_ || master_->node != from) return;
                   forwarded_.reset();
                   out->push_back(
                       Answered{.id = each.id, .version = each.version, .node = each.node, .refusal = each.refusal});
                 },
                 [&](const PrepareMessage& each) { holder_.OnPrepare(now, from, each, nullptr, out); },
                 [&](const VoteMessage& each) { proposer_.OnVote(now, from, each, head, out); },
                 [&](const TrialMessage& each) { holder_.OnTrial(now, from, each, out); },
                 [&](const CheckedMessage& each) { proposer_.OnChecked(now, from, each, head, out); },
                 [&](const OpenMessage& each) { holder_.OnOpen(now, from, each, out); },
                 [&](const ConfirmedMessage& each) { holder_.OnConfirmed(now, each, out); },
                 [&](const AbortMessage& each) { holder_.OnAbort(now, from, each, out); },
                 [&](const MapMessage& each) { holder_.OnMap(now, from, each, out); },
                 [&](const PullRestMessage&) { holder_.OnPullRest(from, out); },
                 [&](const PullEntryMessage& each) { holder_.OnPullEntry(now, from, each, out); },
                 [&](const PullBodyMessage& each) { OnPullBody(from, each, out); },
                 [&](const EntryMessage& each) { holder_.OnEntry(now, each, out); },
                 [&](const PartMessage& each) {
                   holder_.OnPart(now, each, out);
                   proposer_.OnPart(now, each, head, out);
                 },
             },
             message);
}

void Configuration::OnPullBody(const NodeId& from, const PullBodyMessage& message, Actions* out) {
  if (forwarded_ && forwarded_->message.body == message.body) {
    forwarded_->again_at = kNever;
    SendParts(from, message, *forwarded_->body, out);
  } else if (const Body body = holder_.BodyOf(message.body)) {
    SendParts(from, message, *body, out);
  }
}

void Configuration::Deliver(MonoTime now, const admission::RecordHead& head, Actions* out) {
  for (size_t i = 0; i < out->size();) {
    auto* const send = std::get_if<SendTo>(&(*out)[i]);
    if (send == nullptr || send->to != self_.node) {
      ++i;
      continue;
    }
    const Message message = std::move(send->message);
    out->erase(out->begin() + static_cast<std::ptrdiff_t>(i));
    Dispatch(now, self_.node, message, head, out);
  }
}

void Configuration::OnDigest(MonoTime now, const NodeId& from, uint64_t digest, Actions* out) const {
  holder_.OnDigest(now, from, digest, out);
}

void Configuration::OnValidated(MonoTime now, const Version& version, std::optional<Finding> finding,
                                const admission::RecordHead& head, Actions* out) {
  holder_.OnValidated(now, version, std::move(finding), out);
  Deliver(now, head, out);
}

void Configuration::OnApplied(MonoTime now, const Version& version, std::optional<Finding> finding,
                              const admission::RecordHead& head, Actions* out) {
  holder_.OnApplied(now, version, std::move(finding), out);
  Deliver(now, head, out);
}

void Configuration::OnSaved(MonoTime now, uint64_t ticket, bool ok, const admission::RecordHead& head, Actions* out) {
  holder_.OnSaved(now, ticket, ok, out);
  Deliver(now, head, out);
}

void Configuration::OnHealth(MonoTime now, const Health& health, const admission::RecordHead& head, Actions* out) {
  holder_.OnHealth(now, health, out);
  Deliver(now, head, out);
}

void Configuration::OnEvent(MonoTime now, Actions* out) {
  holder_.OnEvent(now, out);
}

void Configuration::Propose(MonoTime now, Request request, std::string_view by, const admission::RecordHead& head,
                            Actions* out) {
  const bool elsewhere = master_ && master_->node != self_.node;
  const bool bounded = request.body && !request.body->empty() && request.body->size() <= admission::kMaxConfigBody;
  if (!elsewhere || !bounded || forwarded_) {
    proposer_.Propose(now, std::move(request), head, out);
    Deliver(now, head, out);
    return;
  }
  const ForwardMessage message{
      .id = request.id,
      .body = DigestOf(*request.body),
      .size = static_cast<uint32_t>(request.body->size()),
      .timeout_ms = request.confirm ? static_cast<uint32_t>(request.confirm->ns / Milliseconds(1).ns) : 0,
      .canary = request.canary,
      .dry_run = request.dry_run,
      .by = std::string(by.substr(0, kMaxBy)),
      .base = request.base};
  forwarded_ =
      Forwarded{.message = message, .body = std::move(request.body), .until = now + kForwardLimit, .again_at = now};
  Tick(now, head, out);
}

std::optional<Finding> Configuration::Confirm(MonoTime now, const Version& version, const admission::RecordHead& head,
                                              Actions* out) {
  return holder_.Confirm(now, version, head, out);
}

void Configuration::Acknowledge(MonoTime now, Actions* out) {
  holder_.Acknowledge(now, out);
}

bool Configuration::Abort(MonoTime now, const admission::RecordHead& head, Actions* out) {
  const bool given_up = proposer_.Abort(out) || holder_.RollBack(now, out);
  Deliver(now, head, out);
  return given_up;
}

bool Configuration::Renumber(MonoTime now, const admission::RecordHead& head, Actions* out) {
  return proposer_.Renumber(now, head, out);
}

void Configuration::Tick(MonoTime now, const admission::RecordHead& head, Actions* out) {
  holder_.Tick(now, out);
  Deliver(now, head, out);
  proposer_.Tick(now, head, out);
  Deliver(now, head, out);
  if (!forwarded_) return;
  if (forwarded_->until <= now) {
    const Finding finding{.reason = "the master has not answered", .remedy = "see what is in effect, and try again"};
    out->push_back(Answered{.id = forwarded_->message.id, .refusal = finding});
    forwarded_.reset();
  } else if (forwarded_->again_at <= now) {
    forwarded_->again_at = now + kConfigAgain;
    if (master_) out->push_back(SendTo{.to = master_->node, .message = forwarded_->message});
  }
}

MonoTime Configuration::NextDeadline() const {
  MonoTime next = std::min(holder_.NextDeadline(), proposer_.NextDeadline());
  if (forwarded_) next = std::min({next, forwarded_->until, forwarded_->again_at});
  return next;
}

}  // namespace qure::clusterconfig
