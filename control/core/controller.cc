#include "control/core/controller.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/core/naming.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

const wire::Hello* HelloIn(const wire::Message& message) {
  switch (message.body_case()) {
    case wire::Message::kHello:
      return &message.hello();
    case wire::Message::kPong:
      return &message.pong().hello();
    case wire::Message::kClaim:
      return &message.claim().hello();
    default:
      return nullptr;
  }
}

}  // namespace

Controller::Controller(const NodeFacts& facts, StoredState stored, absl::BitGenRef random, MonoTime now)
    : facts_(facts),
      stored_(std::move(stored)),
      random_(random),
      booted_(now),
      transport_(facts.node_id, facts.boot_id, random),
      members_(facts.node_id),
      history_(facts.node_id, stored_.age, std::exchange(stored_.events, {}), std::exchange(stored_.summaries, {})),
      election_(facts.node_id, stored_.epochs, &members_),
      groups_(random),
      balancing_(facts.node_id, facts.name, facts.weight, random) {
  balancing_.drain().Set(now, stored_.drain);
  balancing_.SetWeights(stored_.weights);
}

void Controller::SetWallClock(MonoTime now, uint64_t wall_ms) {
  history_.SetWallClock(now, wall_ms);
  const int64_t at_zero = (static_cast<int64_t>(wall_ms) - now.ns / Milliseconds(1).ns) / 1000;
  if (std::abs(at_zero - unix_at_zero_) <= 1) return;
  unix_at_zero_ = at_zero;
  dirty_ = true;
}

// ------------------------------------------------------------------------------------------------------ entry points

Actions Controller::OnConfig(MonoTime now, const ClusterConfig& config) {
  const bool zones_changed = config.zones != config_.zones || config.dns != config_.dns;
  config_ = config;
  services_ = BuildServices(config, [this](const IpAddress& address) { return IdOf(address); });
  dirty_ = true;

  Actions said;
  Configure(now, &said);
  if (zones_changed) MakeDns();
  std::vector<Claim> previous = std::exchange(claims_, {});
  for (const AddressConfig& address : config_.addresses) {
    const ClaimContext context = ContextFor(address);
    const auto heir = std::ranges::find_if(previous, [&](const Claim& c) { return c.CanContinue(address, context); });
    if (heir == previous.end()) {
      claims_.emplace_back(address, context, random_);
      if (leads_) claims_.back().Take(now, /*warm=*/false, &said);
      continue;
    }
    claims_.push_back(std::move(*heir));
    previous.erase(heir);
    claims_.back().Continue(now, address, context, &said);
  }
  std::vector<IpAddress> groups;
  if (transport_.enabled()) groups.push_back(config_.network.group.value_or(GroupFor(ClusterIdFromName(config_.name))));
  for (const Claim& claim : claims_) {
    const IpAddress& address = claim.status().address.address;
    if (address.is_v6()) groups.push_back(SolicitedNode(address.v6()));
  }
  groups_.SetGroups(now, OwnMac(0), OwnAddress(), std::move(groups), &said);
  OnLifeChange(now, life_->Tick(now, members_, Input().rank), &said);
  election_.Tick(now, Input(), &said);
  return Conclude(now, std::move(said));
}

// Keys and addresses of the cluster's own traffic; at the first time also the beginning of this node's life.
void Controller::Configure(MonoTime now, Actions* out) {
  const ClusterNetwork& network = config_.network;
  if (stored_.keyring.keys.empty() && network.key) {
    stored_.keyring = {.keys = {{.id = 1, .key = *network.key}}, .use = 1};
    Store({.keyring = stored_.keyring}, out);
  }
  const ClusterId cluster = ClusterIdFromName(config_.name);
  transport_.Configure({.cluster = cluster,
                        .open = network.security == Security::kOpen,
                        .keyring = stored_.keyring,
                        .port = network.port,
                        .group = network.group.value_or(GroupFor(cluster)),
                        .address = OwnAddress(),
                        .mac = OwnMac(0)});
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

Actions Controller::OnNames(MonoTime now, std::shared_ptr<const LiveNames> names) {
  names_ = std::move(names);
  MakeDns();
  dirty_ = true;
  return Conclude(now, {});
}

Actions Controller::OnDatagram(MonoTime now, const Datagram& datagram) {
  Actions said;
  if (!life_ || finished_) return said;
  Awake(now, &said);
  if (const std::optional<Incoming> incoming = transport_.Receive(now, datagram, &said)) {
    Understand(now, *incoming, &said);
  }
  return Conclude(now, std::move(said));
}

Actions Controller::OnEvent(MonoTime now, const Event& event) {
  Actions said;
  if (!life_ || finished_) return said;
  Awake(now, &said);
  if (event.kind == EventKind::kStalled) members_.Pardon(now);
  if (event.kind == EventKind::kGroupQuery) groups_.OnEvent(now, event);
  // A node of this cluster that asks the LAN who has the address wants to know, and not to have it.
  const bool ours = OfOurCluster(event);
  if (event.kind != EventKind::kAddressProbed || !ours) {
    for (Claim& claim : claims_) dirty_ |= claim.OnEvent(now, event, &said);
  }
  if (event.kind == EventKind::kServiceMacSeen) AnnounceSoon(now);
  if (event.kind == EventKind::kNeighbor) NoteGateway(event);
  if (event.kind == EventKind::kUnanswered) members_.Suspect(now, balancing_.balancer().NodeAt(event.slot));
  if (event.kind == EventKind::kHeavyHitter) balancing_.OnHeavyHitter(now, RemoteOf(event.ip), event.many);
  if (event.kind != EventKind::kAddressUsed || ours) election_.OnEvent(now, Input(), event, &said);
  return Conclude(now, std::move(said));
}

Actions Controller::OnPersisted(MonoTime now, uint64_t ticket, bool ok) {
  Actions said;
  if (!ok && persist_failures_++ == 0) {
    said.push_back(
        MakeLog(LogLevel::kError, "the store takes no changes: this node serves on, but forgets if it stops"));
  }
  if (ok) persist_failures_ = 0;
  const auto pending = std::ranges::find(pending_, ticket, &Pending::ticket);
  if (pending != pending_.end()) {
    if (pending->epochs) election_.OnEpochsStored(*pending->epochs, ok);
    pending_.erase(pending);
  }
  election_.Tick(now, Input(), &said);
  return Conclude(now, std::move(said));
}

absl::Status Controller::OnCommand(MonoTime now, const Command& command, Actions* out) {
  Actions said;
  absl::Status result;
  if (!life_ || finished_) return absl::UnavailableError("this node is only starting, or about to end");
  if (const auto* maintenance = std::get_if<SetMaintenance>(&command)) {
    stored_.maintenance = maintenance->on;
    Store({.maintenance = maintenance->on}, &said);
    HelloBy(now);
    election_.Tick(now, Input(), &said);
  } else if (const auto* handover = std::get_if<HandOver>(&command)) {
    const std::string error = election_.HandOver(now, Input(), handover->successor, &said);
    if (!error.empty()) result = absl::FailedPreconditionError(error);
  } else if (std::holds_alternative<SetDraining>(command) || std::holds_alternative<SetWeight>(command)) {
    result = OnBalanceCommand(now, command, &said);
  } else if (const auto* add = std::get_if<AddKey>(&command)) {
    Keyring next = stored_.keyring;
    std::erase_if(next.keys, [&](const StoredKey& k) { return k == StoredKey{.id = add->id, .key = add->key}; });
    next.keys.push_back({.id = add->id, .key = add->key});
    if (next.use == 0) next.use = add->id;
    result = ChangeKeys(next, &said);
  } else if (const auto* use = std::get_if<UseKey>(&command)) {
    Keyring next = stored_.keyring;
    next.use = use->id;
    result = ChangeKeys(next, &said);
  } else if (const auto* remove = std::get_if<RemoveKey>(&command)) {
    Keyring next = stored_.keyring;
    if (std::erase_if(next.keys, [&](const StoredKey& k) { return k.id == remove->id; }) == 0) {
      return absl::NotFoundError(absl::StrCat("there is no key ", remove->id));
    }
    result = ChangeKeys(next, &said);
  } else if (const auto* ask = std::get_if<QueryFlow>(&command)) {
    Ask(now, *ask, &said);
  } else if (std::holds_alternative<Stop>(command) && stop_by_ == kNever) {
    stop_by_ = now + kStopTimeout;
    const std::string error = election_.HandOver(now, Input(), std::nullopt, &said);
    if (!error.empty()) stop_by_ = now;  // nobody to hand over to
  }
  std::ranges::move(Conclude(now, std::move(said)), std::back_inserter(*out));
  return result;
}

absl::Status Controller::ChangeKeys(const Keyring& next, Actions* out) {
  size_t in_use = 0;
  for (const StoredKey& key : next.keys) {
    in_use += key.id == next.use ? 1 : 0;
    if (std::ranges::count(next.keys, key.id, &StoredKey::id) > 1) {
      return absl::AlreadyExistsError(absl::StrCat("key ", key.id, " exists already and is another; choose a new id"));
    }
  }
  if (in_use == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "key ", next.use, " would be in use, but is not there: add it first, or use another before removing it"));
  }
  stored_.keyring = next;
  Store({.keyring = next}, out);
  TransportConfig config = transport_.config();
  config.keyring = next;
  transport_.Configure(config);
  MakeDns();
  dirty_ = true;
  return absl::OkStatus();
}

Actions Controller::Tick(MonoTime now) {
  Actions said;
  if (!life_ || finished_) return said;
  Awake(now, &said);
  for (Claim& claim : claims_) dirty_ |= claim.Tick(now, &said);
  if (transport_.enabled()) OnMemberChanges(now, members_.Tick(now, &transport_, &said), &said);
  OnLifeChange(now, life_->Tick(now, members_, Input().rank), &said);
  if (now >= clone_until_) clone_ = false;
  election_.Tick(now, Input(), &said);
  if (now >= announce_again_at_) {
    announce_again_at_ = kNever;
    announced_again_ = now;
    for (Claim& claim : claims_) claim.AnnounceAgain(now, &said);
  }
  groups_.Tick(now, &said);
  TickHistory(now, &said);
  TickDrain(now, &said);
  TickStop(now, &said);
  if (now >= next_hello_) SayHello(now, &said);
  return Conclude(now, std::move(said));
}

MonoTime Controller::NextDeadline() const {
  if (!life_ || finished_) return kNever;
  MonoTime next = std::min({next_hello_, next_life_save_, life_->deadline(), election_.deadline(), groups_.deadline()});
  if (transport_.enabled()) next = std::min(next, members_.deadline());
  next = std::min({next, stop_by_, announce_again_at_});
  if (transport_.enabled()) next = std::min({next, balancing_.deadline(), flow_querier_.deadline()});
  for (const Claim& claim : claims_) next = std::min(next, claim.deadline());
  return next;
}

// ----------------------------------------------------------------------------------------------------- understanding

// Between two steps there is never so much time, unless our thread was held. Nobody's silence meant anything then, and
// what waits to be heard has its order lost.
void Controller::Awake(MonoTime now, Actions* out) {
  const bool held = last_step_ && now - *last_step_ > kControlHeld && transport_.enabled();
  last_step_ = now;
  if (!held) return;
  members_.Pardon(now);
  election_.OnHeld(now, out);
}

bool Controller::FollowsUs(const NodeId& node) const {
  const Member* const member = members_.Find(node);
  return member != nullptr && member->present() && ReadId(member->hello.master()) == facts_.node_id &&
         ReadTerm(member->hello.master_term()) == election_.term();
}

void Controller::AnnounceSoon(MonoTime now) {
  if (election_.role() != Role::kMaster) return;
  announce_again_at_ = std::min(announce_again_at_, std::max(now, announced_again_ + kAnnounceAgain));
}

void Controller::Understand(MonoTime now, const Incoming& incoming, Actions* out) {
  if (incoming.node == facts_.node_id) return OnClone(now, out);
  const wire::Message& message = incoming.message;
  const wire::Hello* const hello = HelloIn(message);
  const bool followed = FollowsUs(incoming.node);
  OnMemberChanges(now, members_.OnMessage(now, incoming, hello), out);
  const Member* const member = members_.Find(incoming.node);
  if (member == nullptr) return;                                 // unknown until it says HELLO, or one too many
  if (!followed && FollowsUs(incoming.node)) AnnounceSoon(now);  // it may have led until now

  if (hello != nullptr) {
    OnLifeChange(now, life_->OnHello(now, *hello), out);
    if (hello->booting() && !life_->booting() &&
        (election_.role() == Role::kMaster || (!election_.master() && Input().rank > member->rank()))) {
      Speak(now, {.what = Saying::What::kHello, .node = incoming.node, .term = {}}, out);
    }
    CompareHistory(now, *member, *hello, out);
    balancing_.OnHello(View(now), *member, out);
  }
  if (balancing_.OnMessage(View(now), incoming, out)) return;
  switch (message.body_case()) {
    case wire::Message::kPing: {
      wire::Message pong;
      pong.mutable_pong()->set_nonce(message.ping().nonce());
      *pong.mutable_pong()->mutable_hello() = MakeHello(now);
      return transport_.SendTo(incoming.from, pong, out);
    }
    case wire::Message::kGoodbye:
      return OnMemberChanges(now, members_.OnGoodbye(now, incoming.node, incoming.boot), out);
    case wire::Message::kPull:
      return OnPull(now, incoming, out);
    case wire::Message::kChunk:
      return OnChunk(now, incoming, out);
    case wire::Message::kPinnedFlows:
      return OnPinnedFlows(incoming, out);
    case wire::Message::kFlowQuery:
      return OnFlowQuery(incoming, out);
    case wire::Message::kFlowReply:
      return OnFlowReply(message.flow_reply(), out);
    case wire::Message::kRemoteCommand:
      return OnRemoteCommand(now, message.remote_command(), out);
    default:
      election_.OnMessage(now, Input(), incoming, hello, out);
      if (hello != nullptr && election_.master() == incoming.node) FollowAddresses(*hello);
      return;
  }
}

void Controller::OnMemberChanges(MonoTime now, const std::vector<MemberChange>& changes, Actions* out) {
  using Kind = MemberChange::Kind;
  for (const MemberChange& change : changes) {
    dirty_ = true;
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
    if (election_.role() == Role::kMaster && change.kind == Kind::kDown)
      Note(now, HistoryKind::kDown, out, change.node);
    if (election_.role() == Role::kMaster && change.kind == Kind::kLeft)
      Note(now, HistoryKind::kLeft, out, change.node);
    election_.OnMemberChange(now, Input(), change, out);
  }
}

void Controller::OnLifeChange(MonoTime now, LifeChange change, Actions* out) {
  if (change == LifeChange::kNone) return;
  const bool founded = change == LifeChange::kFounded;
  if (change == LifeChange::kMerged) {
    out->push_back(MakeLog(LogLevel::kWarning, "another life of the cluster is older: merged into era ", life_->era()));
    Note(now, HistoryKind::kMerge, out);
  } else {
    if (transport_.enabled()) {
      out->push_back(MakeLog(LogLevel::kInfo, founded ? "nobody else lives: begun era " : "joined era ", life_->era()));
    }
    if (founded) Note(now, HistoryKind::kEra, out);
    Note(now, HistoryKind::kBoot, out);
    if (facts_.revision != stored_.revision) Note(now, HistoryKind::kRevision, out, {}, facts_.revision);
  }
  Store({.life = life_->Stored(now)}, out);
  next_life_save_ = now + kLifeSave;
  election_.OnEra(now, Input(), founded, out);
  HelloBy(now);
  dirty_ = true;
}

// Somebody alive has our node id, under another boot id: this disk was copied, or we are the copy.
void Controller::OnClone(MonoTime now, Actions* out) {
  if (!clone_) {
    out->push_back(MakeLog(LogLevel::kError, "another machine has this node's identity (a cloned disk): ",
                           stored_.hardware_changed ? "this one is the copy and takes a new identity"
                                                    : "standing back from mastership until it has a new one"));
    if (stored_.hardware_changed) out->push_back(TakeNewIdentity{});
  }
  clone_ = true;
  clone_until_ = now + kCloneMemory;
}

void Controller::FollowAddresses(const wire::Hello& hello) {
  std::vector<IpPrefix> held;
  for (const wire::HeldAddress& address : hello.held()) {
    if (const std::optional<IpPrefix> prefix = ReadHeld(address)) held.push_back(*prefix);
  }
  if (held == held_by_master_) return;
  held_by_master_ = std::move(held);
  for (Claim& claim : claims_) {
    for (const IpPrefix& prefix : held_by_master_) claim.Follow(prefix);
  }
  dirty_ = true;
}

// An answer for a service address: of a node of this cluster, or of a foreign host?
bool Controller::OfOurCluster(const Event& event) const {
  for (const Claim& claim : claims_) {
    if (claim.status().address.address == event.ip && claim.IsOwnMac(event.mac)) {
      return config_.service_mac == ServiceMac::kDerived || event.mac != facts_.lan_mac;
    }
  }
  return std::ranges::any_of(members_.all(), [&](const auto& entry) { return entry.second.at.mac == event.mac; });
}

// ----------------------------------------------------------------------------------------------------------- history

void Controller::CompareHistory(MonoTime now, const Member& member, const wire::Hello& hello, Actions* out) {
  if (hello.booting() || life_->booting() || hello.history_digest() == history_.digest()) return;
  MonoTime& next = next_pull_[member.node];
  if (now < next) return;
  next = now + kPullInterval;
  wire::Message message;
  *message.mutable_pull() = history_.MakePull(/*answer=*/false);
  transport_.SendTo(member.at, message, out);
}

void Controller::OnPull(MonoTime now, const Incoming& incoming, Actions* out) {
  if (life_->booting()) return;
  bool querier_has_more = false;
  for (wire::Chunk& chunk : history_.Answer(incoming.message.pull(), kMaxChunks, &querier_has_more)) {
    wire::Message message;
    message.mutable_chunk()->Swap(&chunk);
    transport_.SendTo(incoming.from, message, out);
  }
  MonoTime& next = next_pull_[incoming.node];
  if (!querier_has_more || incoming.message.pull().answer() || now < next) return;
  next = now + kPullInterval;
  wire::Message message;
  *message.mutable_pull() = history_.MakePull(/*answer=*/true);
  transport_.SendTo(incoming.from, message, out);
}

void Controller::OnChunk(MonoTime now, const Incoming& incoming, Actions* out) {
  if (life_->booting()) return;
  StoreChange change;
  change.events = history_.Merge(incoming.message.chunk(), &change.summaries);
  // Somebody knows boots of ours that we do not: the store was rolled back. This boot is a later one.
  const uint64_t known = history_.age_of(facts_.node_id);
  if (!clone_ && (known > stored_.age || history_.own_age_is_foreign())) {
    stored_.age = known + 1;
    out->push_back(MakeLog(LogLevel::kWarning, "the store had been rolled back: this boot is number ", stored_.age));
    std::ranges::move(history_.Rekey(stored_.age), std::back_inserter(change.events));
    change.age = stored_.age;
    HelloBy(now);
  }
  history_.Summarise(&change);
  if (!change.events.empty() || !change.summaries.empty() || change.age) Store(std::move(change), out);
}

// Writes down, remembers and tells.
void Controller::Note(MonoTime now, HistoryKind kind, Actions* out, const NodeId& subject, std::string text) {
  const HistoryEvent event = history_.Add(now, {.era = life_->era(),
                                                .lineage = life_->lineage(),
                                                .term = election_.term(),
                                                .kind = kind,
                                                .subject = subject,
                                                .text = std::move(text)});
  Store({.events = {event}}, out);
  if (!transport_.enabled()) return;
  wire::Message message;
  *message.mutable_chunk() = History::ChunkOf(event);
  transport_.SendToAll(message, out);
}

void Controller::Store(StoreChange change, Actions* out) {
  Pending pending{.ticket = ++last_ticket_, .epochs = change.epochs};
  if (pending.epochs) pending_.push_back(pending);
  out->push_back(Persist{.ticket = last_ticket_, .change = std::move(change)});
}

void Controller::TickHistory(MonoTime now, Actions* out) {
  if (life_->booting() || now < next_life_save_) return;
  StoreChange change;
  change.life = life_->Stored(now);
  history_.Summarise(&change);
  Store(std::move(change), out);
  next_life_save_ = now + kLifeSave;
}

// Told to stop: the mastership is with another, or time is up.
void Controller::TickStop(MonoTime now, Actions* out) {
  if (stop_by_ == kNever) return;
  const bool busy = election_.role() == Role::kMaster || election_.draining();
  if (busy && now < stop_by_) return;
  const std::optional<NodeId> successor = election_.master();
  election_.Resign(out);
  wire::Message goodbye;
  if (successor && *successor != facts_.node_id) goodbye.mutable_goodbye()->set_successor(WriteId(*successor));
  goodbye.mutable_goodbye();
  if (transport_.enabled()) transport_.SendToAll(goodbye, out);
  Store({.life = life_->Stored(now)}, out);
  finished_ = true;
}

}  // namespace qure
