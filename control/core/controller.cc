#include "control/core/controller.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/balance/remote_command.h"
#include "control/core/keyring.h"
#include "control/core/naming.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

Controller::Controller(const NodeFacts& facts, StoredState stored, absl::BitGenRef random, MonoTime now)
    : facts_(facts),
      stored_(std::move(stored)),
      random_(random),
      clock_(now),
      transport_(facts.node_id, facts.boot_id, random),
      members_(facts.node_id),
      roll_(facts.node_id, stored_.identity, stored_.copy_of, std::exchange(stored_.records, {})),
      adoption_(&roll_, random),
      shared_config_(facts.node_id, std::exchange(stored_.config, {})),
      history_(facts.node_id, stored_.age, std::exchange(stored_.events, {}), std::exchange(stored_.summaries, {})),
      election_(facts.node_id, stored_.epochs, &members_),
      hello_timer_(random),
      addresses_(random),
      node_addresses_(random),
      snapshots_(random),
      balancing_(facts.node_id, facts.name, facts.weight, random),
      flow_questions_(facts.node_id, &snapshots_.ids(), random) {
  balancing_.drain().Set(now, stored_.drain);
  balancing_.SetWeights(stored_.weights);
}

void Controller::SetWallClock(MonoTime now, uint64_t wall_ms) {
  history_.SetWallClock(now, wall_ms);
  snapshots_.SetUnixAtZero((static_cast<int64_t>(wall_ms) - now.ns / Milliseconds(1).ns) / 1000);
}

// ------------------------------------------------------------------------------------------------------ entry points

Actions Controller::OnConfig(MonoTime now, const ClusterConfig& config) {
  const bool names_changed = config.zones != config_.zones || config.dns != config_.dns;
  config_ = config;
  config_watch_.Configure(config.digest, facts_.revision);
  snapshots_.SetServices(config);

  Actions out;
  Configure(now, &out);
  if (names_changed) snapshots_.SetDns(facts_, config_, stored_.keyring);
  const auto group = transport_.enabled() ? std::optional(transport_.config().group) : std::nullopt;
  addresses_.Configure(now, facts_, config_, group, &out);
  node_addresses_.Configure(now, facts_, config_);
  TickLife(now, &out);
  election_.Tick(now, Input(), &out);
  return Conclude(now, std::move(out));
}

// Keys and addresses of the cluster's own traffic; at the first time also the beginning of this node's life.
void Controller::Configure(MonoTime now, Actions* out) {
  const ClusterNetwork& network = config_.network;
  const ClusterId cluster = config_.id();
  roll_.Configure(cluster, out);
  if (stored_.keyring.keys.empty() && network.key && !roll_.must_ask()) {
    stored_.keyring = {.keys = {{.id = 1, .key = *network.key}}, .use = 1};
    ledger_.Store({.keyring = stored_.keyring}, out);
  }
  transport_.Configure({.cluster = cluster,
                        .open = network.security == Security::kOpen,
                        .keyring = stored_.keyring,
                        .port = network.port,
                        .group = network.group.value_or(GroupFor(cluster)),
                        .address = OwnAddress(facts_),
                        .mac = Mac(0)});
  FollowKeys(now, out);
  if (life_) return;
  life_.emplace(stored_.life, random_, now, !transport_.enabled());
  HelloBy(now);
  if (network.security == Security::kOpen) {
    out->push_back(
        MakeLog(LogLevel::kWarning, "security = \"open\": anybody on the LAN can join this cluster and lead it"));
  }
  if (stored_.lost) {
    out->push_back(MakeLog(LogLevel::kError, "the store was lost and made anew: this node has a new identity"));
  }
}

void Controller::FollowKeys(MonoTime now, Actions* out) {
  adoption_.Configure(ViewForAdoption(now), out);
  while (const std::optional<Keyring> ring = adoption_.TakeKeyring()) {
    UseKeys(*ring, out);
    adoption_.Configure(ViewForAdoption(now), out);
    HelloBy(now);  // others wait for who has which
  }
}

void Controller::UseKeys(const Keyring& keyring, Actions* out) {
  stored_.keyring = keyring;
  ledger_.Store({.keyring = keyring}, out);
  TransportConfig config = transport_.config();
  config.keyring = keyring;
  transport_.Configure(config);
  snapshots_.SetDns(facts_, config_, stored_.keyring);
}

Actions Controller::OnNames(MonoTime now, std::shared_ptr<const LiveNames> names) {
  snapshots_.SetNames(std::move(names));
  snapshots_.SetDns(facts_, config_, stored_.keyring);
  return Conclude(now, {});
}

Actions Controller::OnDatagram(MonoTime now, const Datagram& datagram) {
  Actions out;
  if (!active()) return out;
  const bool held = NoticeHeld(now, &out);
  if (adoption_.OnDatagram(ViewForAdoption(now), datagram, &out)) {
    return held || roll_.changed() ? Conclude(now, std::move(out)) : out;
  }
  if (adoption_.seeks()) return out;  // whatever else comes is for those that have a key
  const uint64_t own = transport_.rejected()[static_cast<size_t>(Reject::kOwn)];
  const uint64_t unknown = transport_.rejected()[static_cast<size_t>(Reject::kUnknownKey)];
  std::optional<Incoming> incoming = transport_.Receive(now, datagram, &out);
  if (transport_.rejected()[static_cast<size_t>(Reject::kOwn)] != own) addresses_.OnOwnReturned(now);
  if (transport_.rejected()[static_cast<size_t>(Reject::kUnknownKey)] != unknown) {
    adoption_.OnUnknownKey(ViewForAdoption(now), PeekEnvelope(datagram.payload)->sender);
  }
  // What is not believed changes nothing: junk is not worth the rest of a step.
  if (!incoming && !held && !transport_.peers_changed() && !transport_.restored()) return out;
  if (incoming) {
    const wire::Hello* const hello = UnfoldHello(&incoming->message);
    const bool past = incoming->overtaken;  // its sender has said more since
    Understand(now, *incoming, past ? nullptr : hello, &out);
  }
  return Conclude(now, std::move(out));
}

Actions Controller::OnEvent(MonoTime now, const Event& event) {
  Actions out;
  machine_.OnEvent(event, &out);
  if (!active()) return out;
  NoticeHeld(now, &out);
  if (event.kind == EventKind::kGatewayHint && Mutated(Mutation::kBelieveAnyGateway)) {
    Event believed = event;
    believed.kind = EventKind::kNeighbor;
    return OnEvent(now, believed);
  }
  if (event.kind == EventKind::kServiceMacSeen && election_.gate_open() && addresses_.IsEcho(now, &out)) {
    return Conclude(now, std::move(out));
  }
  if (event.kind == EventKind::kNeighbor && !addresses_.OnGatewayAnswer(now, event, &out)) {
    return Conclude(now, std::move(out));
  }
  const bool ours = OfOurCluster(event);
  // A node of this cluster that asks the LAN who has the address wants to know, and not to have it.
  if (event.kind != EventKind::kAddressProbed || !ours) {
    snapshots_.TouchIf(addresses_.OnEvent(now, event, &out));
  }
  switch (event.kind) {
    case EventKind::kStalled:
    case EventKind::kLinkUp:
      members_.Pardon(now);
      break;
    case EventKind::kGroupQuery:
      addresses_.OnGroupQuery(now, event);
      break;
    case EventKind::kServiceMacSeen:
      if (leads()) addresses_.AnnounceSoon(now);
      break;
    case EventKind::kNeighbor:
      snapshots_.OnGateway(event.ip, event.mac);
      break;
    case EventKind::kNodeAddressUsed:
      node_addresses_.OnUsed(now, event, WhoIsAt(event.mac), &out);
      break;
    case EventKind::kGatewayHint:
      addresses_.OnGatewayHint(now, event, &out);
      break;
    case EventKind::kUnanswered:
      members_.Suspect(now, balancing_.balancer().NodeAt(event.slot));
      break;
    case EventKind::kHeavyHitter:
      balancing_.OnHeavyHitter(now, RemoteOf(event.ip), event.many);
      break;
    default:
      break;
  }
  if (event.term == election_.term()) lease_memory_.OnEvent(now, event, HeartbeatBoot());
  // A foreign host that uses the address concerns the claims only.
  if (event.kind != EventKind::kAddressUsed || ours) election_.OnEvent(now, Input(), event, &out);
  return Conclude(now, std::move(out));
}

void Controller::OnHeartbeats(MonoTime now) {
  if (const std::optional<NodeId> peer = election_.heartbeat_peer()) members_.OnHeartbeats(now, *peer);
}

Actions Controller::OnPersisted(MonoTime now, uint64_t ticket, bool ok) {
  Actions out;
  if (const auto epochs = ledger_.OnPersisted(ticket, ok, &out)) election_.OnEpochsStored(*epochs, ok);
  adoption_.OnPersisted(ViewForAdoption(now), ticket, ok, &out);
  shared_config_.OnPersisted(ViewForConfig(now), ticket, ok, &out);
  election_.Tick(now, Input(), &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnStoreRecovered(MonoTime now) {
  Actions out;
  if (!active()) return out;
  ledger_.OnRecovered();
  election_.OnStoreRecovered();
  shared_config_.OnEvent(ViewForConfig(now), &out);
  election_.Tick(now, Input(), &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnRestored(MonoTime now) {
  Actions out;
  if (!active() || !transport_.enabled()) return out;
  transport_.NoteRestored("it has another VM generation id", &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnFlows(MonoTime now, const std::vector<FlowKey>& flows, uint8_t round) {
  if (!active()) return {};
  std::vector<OwnedFlow> owned;
  for (const FlowKey& key : flows) {
    if (const std::optional<OwnedFlow> flow = snapshots_.ids().FlowOf(key)) owned.push_back(*flow);
  }
  balancing_.OnFlows(owned);
  balancing_.OnRoundDone(round);
  return Conclude(now, {});
}

Actions Controller::OnFlowFound(MonoTime now, const LookUpFlow& question, const std::optional<FlowEntry>& found) {
  Actions out;
  if (!active()) return out;
  flow_questions_.OnFound(question, found, balancing_.balancer(), members_, &transport_, &out);
  return Conclude(now, std::move(out));
}

Actions Controller::OnHealth(MonoTime now, ServiceHealth health) {
  Actions out;
  if (!active() || health == balancing_.health()) return out;
  LogHealth(config_.services, balancing_.health(), health, &out);
  balancing_.SetHealth(std::move(health));
  HelloBy(now);
  return Conclude(now, std::move(out));
}

Actions Controller::Tick(MonoTime now) {
  Actions out;
  if (!active()) return out;
  NoticeHeld(now, &out);
  snapshots_.TouchIf(addresses_.TickClaims(now, &out));
  if (transport_.enabled()) OnMemberChanges(now, members_.Tick(now, &transport_, &out), &out);
  TickLife(now, &out);
  clone_.Tick(now);
  election_.Tick(now, Input(), &out);
  addresses_.TickReports(now, &out);
  node_addresses_.Tick(now, &out);
  adoption_.Tick(ViewForAdoption(now), &out);
  shared_config_.Tick(ViewForConfig(now), &out);
  if (!adoption_.seeks()) history_.Tick(ViewForHistory(now), &out);  // what it lives through alone does not count
  TickDrain(now, &out);
  TickStop(now, &out);
  if (hello_timer_.Due(now)) SendHello(now, &out);
  return Conclude(now, std::move(out));
}

MonoTime Controller::NextDeadline() const {
  if (!active()) return kNever;
  MonoTime next = std::min({hello_timer_.deadline(), history_.deadline(), life_->deadline(), election_.deadline(),
                            addresses_.deadline(), node_addresses_.deadline(), adoption_.deadline(),
                            shared_config_.deadline(), stopping_.deadline()});
  if (!transport_.enabled()) return next;
  return std::min({next, members_.deadline(), balancing_.deadline(), flow_questions_.deadline()});
}

// ---------------------------------------------------------------------------------------------------- what comes in

// While our thread was held, silence of others meant nothing, and what waits to be read has lost its order.
bool Controller::NoticeHeld(MonoTime now, Actions* out) {
  if (!clock_.BeginStep(now) || !transport_.enabled()) return false;
  members_.Pardon(now);
  adoption_.OnHeld(now);
  election_.OnHeld(now, out);
  return true;
}

void Controller::Understand(MonoTime now, const Incoming& incoming, const wire::Hello* hello, Actions* out) {
  const wire::Message& message = incoming.message;
  lease_memory_.OnHeard(now, incoming.boot);
  if (incoming.node == facts_.node_id) return OnClone(now, incoming, hello, out);
  const bool followed = FollowsUs(incoming.node);
  OnMemberChanges(now, members_.OnMessage(now, incoming, hello), out);
  const Member* const member = members_.Find(incoming.node);
  if (member == nullptr) return;  // unknown until it sends a HELLO, or one too many
  // It may have led until now.
  if (!followed && FollowsUs(incoming.node) && leads()) addresses_.AnnounceSoon(now);

  if (hello != nullptr) UnderstandHello(now, *member, *hello, out);
  if (balancing_.OnMessage(ViewForBalance(now), incoming, out)) return;
  if (roll_.OnMessage(ViewForRoll(now), incoming, out)) return;
  if (adoption_.OnMessage(ViewForAdoption(now), incoming)) return;
  if (shared_config_.OnMessage(ViewForConfig(now), incoming, out)) return;
  switch (message.body_case()) {
    case wire::Message::kPing: {
      wire::Message pong;
      pong.mutable_pong()->set_nonce(message.ping().nonce());
      *pong.mutable_pong()->mutable_hello() = HelloNow(now);
      return transport_.SendTo(incoming.from, pong, out);
    }
    case wire::Message::kGoodbye:
      return OnMemberChanges(now, members_.OnGoodbye(now, incoming.node, incoming.boot), out);
    case wire::Message::kPull:
      return history_.OnPull(ViewForHistory(now), incoming, out);
    case wire::Message::kChunk:
      return OnChunk(now, message.chunk(), out);
    case wire::Message::kPinnedFlows:
      return OnPinnedFlows(incoming, out);
    case wire::Message::kFlowQuery:
      return flow_questions_.OnQuery(incoming, out);
    case wire::Message::kFlowReply:
      return flow_questions_.OnReply(message.flow_reply(), &balancing_, out);
    case wire::Message::kRemoteCommand:
      return OnRemoteCommand(now, message.remote_command(), out);
    default:
      election_.OnMessage(now, Input(), incoming, hello, out);
      if (hello != nullptr && election_.master() == incoming.node) FollowAddresses(now, *hello);
      return;
  }
}

void Controller::UnderstandHello(MonoTime now, const Member& member, const wire::Hello& hello, Actions* out) {
  OnLifeChange(now, life_->OnHello(now, hello), out);
  const bool may_lead = !election_.master() && Input().rank > member.rank();
  if (hello.booting() && !life_->booting() && (leads() || may_lead)) {
    Send(now, {.what = Outgoing::What::kHello, .node = member.node, .term = {}}, out);
  }
  namesakes_.OnHello(facts_, member, out);
  config_watch_.OnHello(
      now, member.node,
      {.digest = member.hello.config_digest(), .revision = member.hello.revision(), .name = member.hello.name()}, out);
  roll_.OnHello(ViewForRoll(now), member, out);
  if (shared_config_.takes_part()) shared_config_.OnHello(ViewForConfig(now), member, out);
  history_.OnHello(ViewForHistory(now), member, hello, out);
  balancing_.OnHello(ViewForBalance(now), member, out);
}

void Controller::OnMemberChanges(MonoTime now, const std::vector<MemberChange>& changes, Actions* out) {
  using Kind = MemberChange::Kind;
  for (const MemberChange& change : changes) {
    snapshots_.Touch();
    if (change.kind != Kind::kJoined) config_watch_.Forget(change.node);
    if (change.kind == Kind::kRebooted) transport_.Forget(change.node, change.over);
    if (change.kind == Kind::kClone) {
      out->push_back(
          MakeLog(LogLevel::kError, "two boots of node ", ToHex(change.node), " speak by turns: a cloned disk?"));
      continue;
    }
    if (change.kind == Kind::kJoined) {
      out->push_back(MakeLog(LogLevel::kInfo, "node ", ToHex(change.node), " is there"));
    }
    // One node writes it down, not all.
    if (leads() && change.kind == Kind::kDown) {
      history_.Note(ViewForHistory(now), HistoryKind::kDown, out, change.node);
    }
    if (leads() && change.kind == Kind::kLeft) {
      history_.Note(ViewForHistory(now), HistoryKind::kLeft, out, change.node);
    }
    election_.OnMemberChange(now, Input(), change, out);
  }
}

void Controller::TickLife(MonoTime now, Actions* out) {
  const bool unproven = life_->booting() && (transport_.HearsUnproven(now) || adoption_.hears_members());
  OnLifeChange(now, life_->Tick(now, members_, Input().rank, unproven), out);
}

void Controller::OnLifeChange(MonoTime now, LifeChange change, Actions* out) {
  if (change == LifeChange::kNone) return;
  const bool founded = change == LifeChange::kFounded;
  const HistoryView view = ViewForHistory(now);
  if (change == LifeChange::kMerged) {
    out->push_back(MakeLog(LogLevel::kWarning, "another life of the cluster is older: merged into era ", life_->era()));
    history_.Note(view, HistoryKind::kMerge, out);
  } else {
    if (transport_.enabled()) {
      out->push_back(
          MakeLog(LogLevel::kInfo, founded ? "no other node is active: began era " : "joined era ", life_->era()));
    }
    if (founded) history_.Note(view, HistoryKind::kEra, out);
    const uint64_t alive_ms = stored_.life.alive_ms;
    history_.Note(view, HistoryKind::kBoot, out, {}, alive_ms == 0 ? "" : absl::StrCat(alive_ms));
    if (facts_.revision != stored_.revision) {
      history_.Note(view, HistoryKind::kRevision, out, {}, facts_.revision);
    }
  }
  history_.SaveLife(view, out);
  election_.OnEra(now, Input(), founded, out);
  HelloBy(now);
  snapshots_.Touch();
}

// Another active machine has our node id, under another boot id: this disk was copied, or we are the copy.
void Controller::OnClone(MonoTime now, const Incoming& incoming, const wire::Hello* hello, Actions* out) {
  std::optional<bool> later;
  if (hello != nullptr) {
    const Duration uptime = Milliseconds(static_cast<int64_t>(std::min(hello->node_uptime_ms(), kUptimeLimitMs)));
    later =
        BootedLater({.uptime = clock_.Uptime(now), .boot = facts_.boot_id}, {.uptime = uptime, .boot = incoming.boot});
  }
  if (clone_.OnHeard(now, later)) {
    out->push_back(MakeLog(LogLevel::kError, "another machine has this node's identity (a cloned disk): ",
                           stored_.hardware_changed ? "this one is the copy and takes a new identity"
                                                    : "this one is ineligible until one of the two has a new one"));
    if (stored_.hardware_changed) return out->push_back(TakeNewIdentity{});
  }
  if (!clone_.MustLeave(now)) return;
  out->push_back(MakeLog(LogLevel::kError,
                         "the other machine with this node's identity booted earlier: this one takes "
                         "a new identity"));
  out->push_back(TakeNewIdentity{});
}

void Controller::OnChunk(MonoTime now, const wire::Chunk& chunk, Actions* out) {
  const auto age = history_.OnChunk(ViewForHistory(now), chunk, stored_.age, clone_.heard(), out);
  if (!age) return;
  stored_.age = *age;
  HelloBy(now);
}

void Controller::OnPinnedFlows(const Incoming& incoming, Actions* out) {
  const std::optional<NodeSlot> owner = balancing_.SlotOf(incoming.node);
  if (!owner) return;
  LearnFlows learn;
  for (const OwnedFlow& flow : ReadPinnedFlows(incoming.message.pinned_flows())) {
    if (const auto key = snapshots_.ids().KeyOf(flow)) learn.flows.push_back({.key = *key, .owner = *owner});
  }
  if (!learn.flows.empty()) out->push_back(std::move(learn));
}

void Controller::OnRemoteCommand(MonoTime now, const wire::RemoteCommand& command, Actions* out) {
  const std::optional<NodeId> gone = ReadId(command.forget());
  if (gone && members_.Forget(*gone)) {
    snapshots_.Touch();
    out->push_back(MakeLog(LogLevel::kInfo, "node ", ToHex(*gone), " is forgotten, by a command at another node"));
  }
  StoreChange change = CarryOut(now, command, config_, &stored_, &balancing_);
  if (!change.drain && !change.weights) return;
  ledger_.Store(std::move(change), out);
  HelloBy(now);
}

// An operator takes them for dead, perhaps at another node.
void Controller::FollowForgotten() {
  for (const auto& [identity, of] : roll_.view().members) {
    if (IsForgotten(of, members_) && members_.Forget(of.node)) snapshots_.Touch();
  }
}

void Controller::FollowAddresses(MonoTime now, const wire::Hello& hello) {
  snapshots_.TouchIf(addresses_.FollowMaster(now, HeldBy(hello, config_)));
}

void Controller::TickDrain(MonoTime now, Actions* out) {
  if (!balancing_.drain().Tick(now)) return;
  stored_.drain = balancing_.drain().stored();
  ledger_.Store({.drain = stored_.drain}, out);
  out->push_back(MakeLog(LogLevel::kWarning,
                         "the deadline of the drain has passed: the flows that are left on this node are given up"));
  HelloBy(now);
}

// Asked to stop: the mastership is with another, or time is up.
void Controller::TickStop(MonoTime now, Actions* out) {
  if (!stopping_.Due(now, leads() || election_.handing_over())) return;
  if (stopping_.leaves() && !roll_.left()) {
    if (!roll_.belongs()) return stopping_.Finish();  // it was expelled meanwhile
    if (leads()) election_.Resign(out);
    roll_.Leave(ViewForRoll(now), OccasionAt(now), out);
    HelloBy(now);
    return stopping_.SaidLeave(now);
  }
  if (stopping_.leaves() && now < stopping_.deadline() && !roll_.Behind(members_).empty()) return;
  const std::optional<NodeId> successor = election_.master();
  election_.Resign(out);
  wire::Message message;
  wire::Goodbye* const goodbye = message.mutable_goodbye();
  if (successor && *successor != facts_.node_id) goodbye->set_successor(WriteId(*successor));
  if (transport_.enabled()) transport_.SendToAll(message, out);
  history_.SaveLife(ViewForHistory(now), out);
  stopping_.Finish();
}

// ------------------------------------------------------------------------------------------------ the end of a step

// Order matters to the LAN: a gate that shuts does so first, or, in a handover, as soon as the workers answer from the
// node MAC; the CLAIM is sent before the gate opens; what the claims and others want sent comes last.
Actions Controller::Conclude(MonoTime now, Actions decided) {
  if (!life_) return decided;
  Actions out;
  Actions later;
  if (roll_.TakeChanged()) {
    FollowKeys(now, &later);
    shared_config_.FollowRoll(ViewForConfig(now), &later);
    FollowForgotten();
  }
  adoption_.StepKeys(ViewForAdoption(now), &later);
  if (adoption_.changes_keyring()) FollowKeys(now, &later);
  StepConfig(now, &later);
  ApplyRole(now, &later);
  const std::vector<Outgoing> messages = election_.TakeOutgoing();
  if (const auto epochs = election_.TakeReservation()) ledger_.Store({.epochs = *epochs}, &out);
  snapshots_.SetHeartbeatPlan(MakeHeartbeatPlan(now));
  snapshots_.SetReportsLan(election_.asking() && Input().needs_gateway && !config_.network.gateway_required);
  if (transport_.peers_changed()) snapshots_.SetClusterPeers(transport_.TakePeers());
  const GateWish wish = WishForGate();
  gate_.ShutAtOnce(wish, &out);
  if (transport_.enabled()) snapshots_.TouchIf(balancing_.Step(ViewForBalance(now), &later));
  flow_questions_.Tick(now, members_, &transport_, &later);
  if (snapshots_.due()) Publish(now, &out);
  gate_.ShutAfterWorkers(wish, &out);
  for (const Outgoing& message : messages) {
    if (message.what == Outgoing::What::kClaim) Send(now, message, &out);
  }
  gate_.Conclude(wish, &out);
  std::ranges::move(decided, std::back_inserter(out));
  std::ranges::move(later, std::back_inserter(out));
  for (const Outgoing& message : messages) {
    if (message.what != Outgoing::What::kClaim) Send(now, message, &out);
  }
  if (roll_.left() && (!stopping_.leaves() || stopping_.finished())) {
    out.push_back(BeginAnew{});
  } else if (stopping_.finished()) {
    out.push_back(Finished{});
  }
  if (transport_.restored()) out.push_back(BecomeNewBoot{});
  return out;
}

// The claims follow the mastership.
void Controller::ApplyRole(MonoTime now, Actions* out) {
  if (addresses_.SetLeads(now, leads(), election_.warm(), out)) {
    snapshots_.Touch();
    HelloBy(now + HelloInterval());
  }
  if (!election_.handing_over()) snapshots_.TouchIf(addresses_.EndHandover());
  const auto& last = election_.last_takeover();
  if (leads() && last) history_.NoteMastership(ViewForHistory(now), *last, out);
}

// Without a cluster no other node waits for this one's gate: it opens once there is something to answer for.
GateWish Controller::WishForGate() const {
  const GateWish wish{.open = election_.gate_open() && (transport_.enabled() || addresses_.AnyHeld()),
                      .opening = election_.opening(),
                      .stalls_known = election_.stalls_known(),
                      .handing_over = addresses_.handing_over()};
  QURE_CHECK(!wish.open || leads(), election_.role());
  QURE_CHECK(!addresses_.AnyHeld() || leads(), election_.role());
  return wish;
}

void Controller::Publish(MonoTime now, Actions* out) {
  SnapshotView view{.facts = &facts_,
                    .config = &config_,
                    .addresses = &addresses_,
                    .clustered = transport_.enabled(),
                    .cluster_group = transport_.config().group,
                    .balance = nullptr};
  if (view.clustered) view.balance = balancing_.Compile(ViewForBalance(now), Mac(0), Mac(1));
  out->emplace_back(PublishSnapshot{.snapshot = snapshots_.Make(view)});
  addresses_.UpdateHostAddresses(out);
}

// Of the node that heartbeats go to or come from.
std::optional<BootId> Controller::HeartbeatBoot() const {
  const std::optional<NodeId> peer = election_.heartbeat_peer();
  const Member* const member = peer ? members_.Find(*peer) : nullptr;
  return member == nullptr ? std::nullopt : std::optional(member->boot);
}

std::shared_ptr<const HeartbeatPlan> Controller::MakeHeartbeatPlan(MonoTime now) const {
  const std::optional<NodeId> peer = election_.heartbeat_peer();
  const Member* const member = peer ? members_.Find(*peer) : nullptr;
  if (member == nullptr || !transport_.enabled()) return nullptr;
  auto plan = std::make_shared<HeartbeatPlan>();
  plan->role = election_.heartbeat_role();
  plan->term = election_.term();
  plan->ready = Input().has_era;
  plan->opening = plan->role == HeartbeatRole::kLead ? election_.opening() : 0;
  plan->self = facts_.node_id;
  plan->boot = facts_.boot_id;
  plan->send_key = transport_.SendKey();
  plan->mac = Mac(0);
  plan->address = OwnAddress(facts_);
  plan->port = config_.network.port;
  plan->peer = {.node = member->node,
                .boot = member->boot,
                .mac = member->at.mac,
                .address = member->at.address,
                .keys = transport_.KeysOf(member->node, member->boot)};
  plan->min_lease = std::clamp(lease_memory_.MinLease(now), plan->min_lease, plan->max_lease);
  return plan;
}

void Controller::Send(MonoTime now, const Outgoing& outgoing, Actions* out) {
  using What = Outgoing::What;
  if (!transport_.enabled()) return;
  wire::Message message;
  switch (outgoing.what) {
    case What::kAskLan:
      return addresses_.Ask(now, out);
    case What::kSuspect:
      return members_.Suspect(now, *outgoing.node);
    case What::kHello:
      if (!outgoing.node) return SendHello(now, out);
      *message.mutable_hello() = HelloNow(now);
      break;
    case What::kQuery:
      message.mutable_query()->set_nonce(absl::Uniform<uint64_t>(random_));
      break;
    case What::kClaim:
      WriteTerm(outgoing.term, message.mutable_claim()->mutable_term());
      *message.mutable_claim()->mutable_hello() = HelloNow(now);
      break;
    case What::kYield:
      WriteTerm(outgoing.term, message.mutable_yield()->mutable_term());
      if (outgoing.node) message.mutable_yield()->set_successor(WriteId(*outgoing.node));
      break;
    case What::kPrepare:
      WriteTerm(outgoing.term, message.mutable_prepare()->mutable_term());
      break;
    case What::kPrepared:
      WriteTerm(outgoing.term, message.mutable_prepared()->mutable_term());
      break;
  }
  if (outgoing.what == What::kClaim || outgoing.what == What::kYield || !outgoing.node) {
    transport_.UseWay(Transport::Way::kBoth);  // rare, and must arrive
    return transport_.SendToAll(message, out);
  }
  if (const Member* member = members_.Find(*outgoing.node)) transport_.SendTo(member->at, message, out);
}

void Controller::SendHello(MonoTime now, Actions* out) {
  if (!transport_.enabled() || stopping_.finished()) return;
  wire::Message message;
  *message.mutable_hello() = HelloNow(now);
  transport_.UseWay(life_->booting() ? Transport::Way::kBoth : members_.NextWay(now));
  transport_.SendToAll(message, out);
  hello_timer_.OnSent(now, HelloInterval());
}

Duration Controller::HelloInterval() const {
  return life_->booting() ? kBootHelloInterval : members_.HelloInterval(leads());
}

void Controller::HelloBy(MonoTime at) {
  if (transport_.enabled()) hello_timer_.By(at);
}

// ---------------------------------------------------------------------------------------------------- what is known

bool Controller::FollowsUs(const NodeId& node) const {
  const Member* const member = members_.Find(node);
  return member != nullptr && member->present() && ReadId(member->hello.master()) == facts_.node_id &&
         ReadTerm(member->hello.master_term()) == election_.term();
}

// An answer for a service address: of a node of this cluster, or of a foreign host?
bool Controller::OfOurCluster(const Event& event) const {
  if (addresses_.IsServiceMac(event.ip, event.mac)) {
    return config_.service_mac == ServiceMac::kDerived || event.mac != facts_.lan_mac;
  }
  return std::ranges::any_of(members_.all(), [&](const auto& entry) { return entry.second.at.mac == event.mac; });
}

// For a log: " (node ID)" of a member.
std::string Controller::WhoIsAt(const MacAddress& mac) const {
  for (const auto& [node, member] : members_.all()) {
    if (member.at.mac == mac) return absl::StrCat(" (node ", ToHex(node), "; this is ", ToHex(facts_.node_id), ")");
  }
  return "";
}

ElectionInput Controller::Input() const {
  const bool reached = machine_.MayLead() || !transport_.enabled();
  const bool belongs = !adoption_.seeks() && !(life_->booting() && adoption_.asks_first());
  const bool eligible = !config_.addresses.empty() && !stored_.maintenance && !clone_.heard() && !stopping_.begun() &&
                        belongs && shared_config_.able() && reached;
  return {.rank = {.priority = facts_.priority, .weight = facts_.weight, .node = facts_.node_id},
          .era = life_->era(),
          .has_era = !life_->booting(),
          .eligible = eligible,
          .alone = !transport_.enabled(),
          .needs_gateway = transport_.enabled() && !config_.gateways.empty(),
          .gateway_required = config_.network.gateway_required,
          .preempt = config_.network.preempt,
          .informed = balancing_.informed()};
}

HistoryView Controller::ViewForHistory(MonoTime now) {
  return {.now = now, .life = &*life_, .term = election_.term(), .transport = &transport_, .ledger = &ledger_};
}

BalanceView Controller::ViewForBalance(MonoTime now) {
  return {.now = now,
          .leads = leads(),
          .serves = election_.gate_open(),
          .able = shared_config_.able(),
          .master = election_.master(),
          .deputy = election_.deputy(),
          .config = &config_,
          .members = &members_,
          .transport = &transport_};
}

admission::RollView Controller::ViewForRoll(MonoTime now) {
  return {.now = now, .members = &members_, .transport = &transport_, .ledger = &ledger_};
}

admission::AdoptionView Controller::ViewForAdoption(MonoTime now) {
  const bool deputy = election_.deputy() == facts_.node_id;
  return {.now = now,
          .facts = &facts_,
          .mac = Mac(0),
          .address = OwnAddress(facts_),
          .config = &config_,
          .keyring = &stored_.keyring,
          .group = transport_.config().group,
          .occasion = OccasionAt(now),
          .lineage = life_ ? life_->lineage() : 0,
          .era = life_ ? life_->era() : 0,
          .rank = leads()  ? 0
                  : deputy ? 1
                           : 2,
          .roll = ViewForRoll(now)};
}

admission::Occasion Controller::OccasionAt(MonoTime now) const {
  return {.time = history().TimeAt(now), .uptime_ms = life_ ? life_->UptimeMs(now) : 0};
}

wire::Hello Controller::HelloNow(MonoTime now) const {
  return MakeHello({.now = now,
                    .facts = &facts_,
                    .stored = &stored_,
                    .config = &config_,
                    .life = &*life_,
                    .election = &election_,
                    .members = &members_,
                    .balancing = &balancing_,
                    .roll = &roll_,
                    .shared_config = &shared_config_,
                    .input = Input(),
                    .held = addresses_.Held(),
                    .uptime = clock_.Uptime(now),
                    .newest_key = adoption_.newest_key(),
                    .history_digest = history().digest(),
                    .highest_era = life_->booting() ? history().highest_era() : 0});
}

std::optional<IpAddress> Controller::first_address() const {
  const std::vector<Claim>& claims = addresses_.claims();
  return claims.empty() ? std::nullopt : std::optional(claims.front().status().address.address);
}

}  // namespace qure
