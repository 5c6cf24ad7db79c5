#include "control/core/cluster/transport.h"

#include <algorithm>
#include <bit>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/check.h"
#include "proto/mutation.h"
#include "proto/net/udp_frame.h"

namespace qure {
namespace {

std::string_view AsText(const std::array<uint8_t, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Nothing unless it is there and frames could be sent there.
std::optional<PeerAddress> SenderAddressIn(const wire::Message& message) {
  const std::optional<MacAddress> mac = ReadMac(message.from().mac());
  const std::optional<IpAddress> address = ReadAddress(message.from().address());
  if (!mac || mac->is_zero() || mac->is_multicast()) return std::nullopt;
  if (!address || !address->is_v4() || address->v4().is_zero() || address->v4().is_multicast()) return std::nullopt;
  return PeerAddress{.mac = *mac, .address = address->v4()};
}

}  // namespace

std::string_view NameOf(Reject reject) {
  switch (reject) {
    case Reject::kMalformed:
      return "malformed";
    case Reject::kUnknownKey:
      return "unknown_key";
    case Reject::kUnauthentic:
      return "unauthentic";
    case Reject::kReplayed:
      return "replayed";
    case Reject::kUnknownBoot:
      return "unknown_boot";
    case Reject::kRelabelled:
      return "relabelled";
    case Reject::kOwn:
      return "own";
    case Reject::kTooMany:
      return "too_many";
  }
  return "?";
}

void Transport::Patience::Answered(MonoTime now, int longest) {
  pause_ = std::min(pause_, longest);
  next_ = now + kChallengeInterval * pause_;
  pause_ = std::min(pause_ * 2, longest);
}

Transport::Transport(const NodeId& node, const BootId& boot, absl::BitGenRef random)
    : node_(node), boot_(boot), random_(random) {}

void Transport::Configure(const TransportConfig& config) {
  // What was proven in another cluster is nothing here. Within one, a boot's counters go on under all of its keys.
  if (config.cluster != config_.cluster || config.open != config_.open) sessions_.clear();
  peers_changed_ = true;  // their keys, at least
  strangers_.Clear();     // what it is to us may have changed
  config_ = config;
  if (config_.open) config_.keyring = {.keys = {StoredKey{}}, .use = StoredKey{}.id};
  for (auto& [id, session] : sessions_) session.key.reset();
  wire::Message from;
  from.mutable_from()->set_mac(WriteMac(config_.mac));
  from.mutable_from()->set_address(WriteAddress(config_.address));
  sender_address_ = from.SerializeAsString();
  QURE_CHECK(sender_address_.size() == kSenderAddressSize, sender_address_.size());
  send_key_.reset();
  if (const StoredKey* key = FindKey(config_.keyring.use)) send_key_ = Derive(*key, {node_, boot_});
}

bool Transport::enabled() const {
  return send_key_.has_value();
}

void Transport::SendToAll(const wire::Message& message, Actions* out) {
  if (!enabled()) return;
  const std::string plain = message.SerializeAsString();
  if (message.has_hello()) last_hello_ = plain;
  if (message.has_goodbye()) last_hello_.clear();
  // Sealed apart: the second of two equal frames would be a replay, and who hears only one must be noticed.
  for (const auto& [way, address] : {std::pair{Way::kMulticast, config_.group}, {Way::kBroadcast, kLimitedBroadcast}}) {
    if (way_ == way || way_ == Way::kBoth) Send(DestinationMac(address), address, plain, out);
  }
}

void Transport::SendTo(const PeerAddress& to, const wire::Message& message, Actions* out) {
  // A machine with a copy of our identity has our MAC, too: no switch leads there.
  const bool copy = to.mac == config_.mac;
  Send(copy ? kBroadcastMac : to.mac, copy ? kLimitedBroadcast : to.address, message.SerializeAsString(), out);
}

std::optional<Incoming> Transport::Receive(MonoTime now, const Datagram& datagram, Actions* out) {
  if (!enabled()) {
    HearWithoutKey(now, datagram, out);
    return std::nullopt;
  }
  const EnvelopeHeader* header = PeekEnvelope(datagram.payload);
  if (header == nullptr || header->channel != static_cast<uint8_t>(Channel::kControl) ||
      datagram.payload.size() > kMaxDatagram || header->boot == BootId{}) {  // no boot has the id zero
    return Refuse(Reject::kMalformed);
  }
  if (header->sender == node_ && header->boot == boot_) return OnOwn(datagram, *header, out);
  const StoredKey* key = FindKey(header->key_id.value());
  if (key == nullptr) {
    strangers_.OnRefused(now, *header, datagram, /*known_key=*/false, config_.open, out);
    return Refuse(Reject::kUnknownKey);
  }

  const SessionId id{header->sender, header->boot};
  const auto found = sessions_.find(id);
  Session* session = found == sessions_.end() ? nullptr : &found->second;
  std::vector<uint8_t> plain;
  if (!Unlock(datagram, *key, id, session, &plain)) {
    strangers_.OnRefused(now, *header, datagram, /*known_key=*/true, config_.open, out);
    return Refuse(Reject::kUnauthentic);
  }
  if (Mutated(Mutation::kNoChallenge)) {
    session = &SessionOf(now, id);
    session->proven = true;
  }
  Incoming incoming{.node = id.first, .boot = id.second, .from = {}, .delivery = datagram.delivery, .message = {}};
  const std::optional<Reject> reject = Open(datagram, plain, &incoming);
  const bool proven = session != nullptr && session->proven;
  const uint64_t counter = header->counter.value();
  // A copy from elsewhere does not use up the counter: the original may still come.
  if (reject == Reject::kRelabelled) return Refuse(*reject);
  if (proven) {
    incoming.overtaken = counter < session->window.highest();
    if (!session->window.Accept(counter)) {
      if (!reject) OnReplayed(now, id, incoming, session, out);
      if (!Mutated(Mutation::kAcceptReplay)) return Refuse(Reject::kReplayed);
    }
  }
  if (reject) return Refuse(*reject);
  if (!proven) return OnUnproven(now, id, counter, incoming.from, incoming.message, out);

  if (!incoming.overtaken) {
    session->heard = now;
    Settle(incoming.from, session);
  }
  strangers_.OnBelieved(id.first);
  if (IsChallenged(incoming.message)) {
    LookAtOwnCounter(incoming.message.challenge(), out);
    Echo(incoming.from, incoming.message.challenge().nonce(), out);
  }
  if (incoming.message.has_challenge() || incoming.message.has_challenge_echo()) return std::nullopt;
  session->believed = true;
  return incoming;
}

void Transport::Forget(const NodeId& node, const BootId& boot) {
  const auto found = sessions_.find({node, boot});
  if (found == sessions_.end() || !std::exchange(found->second.proven, false)) return;
  peers_changed_ = true;
}

// A proven boot is, or is now, there.
void Transport::Settle(const PeerAddress& from, Session* session) {
  if (session->mac == from.mac) return;
  session->mac = from.mac;
  peers_changed_ = true;
}

ClusterPeers Transport::TakePeers() {
  peers_changed_ = false;
  ClusterPeers peers;
  for (const auto& [id, session] : sessions_) {
    if (!session.proven) continue;
    peers.push_back({.node = id.first, .boot = id.second, .mac = session.mac, .keys = KeysOf(id.first, id.second)});
  }
  return peers;
}

HeartbeatKey Transport::SendKey() const {
  return send_key_.value_or(HeartbeatKey{});
}

std::vector<HeartbeatKey> Transport::KeysOf(const NodeId& node, const BootId& boot) const {
  std::vector<HeartbeatKey> keys;
  for (const StoredKey& key : config_.keyring.keys) keys.push_back(Derive(key, {node, boot}));
  return keys;
}

const StoredKey* Transport::FindKey(uint32_t id) const {
  const auto found = std::ranges::find(config_.keyring.keys, id, &StoredKey::id);
  return found == config_.keyring.keys.end() ? nullptr : &*found;
}

HeartbeatKey Transport::Derive(const StoredKey& key, const SessionId& id) const {
  return {key.id, DeriveSessionKey(key.key, config_.cluster, id.first, id.second)};
}

std::array<uint8_t, 16> Transport::Draw() {
  const std::array<uint64_t, 2> words{absl::Uniform<uint64_t>(random_), absl::Uniform<uint64_t>(random_)};
  return std::bit_cast<std::array<uint8_t, 16>>(words);
}

Transport::Session& Transport::SessionOf(MonoTime now, const SessionId& id) {
  if (!sessions_.contains(id)) {
    if (sessions_.size() >= kMaxSessions) EvictOne();
    sessions_[id].heard = now;
  }
  return sessions_[id];
}

// The one heard longest ago of those that have proven nothing, or of all.
void Transport::EvictOne() {
  const auto rank = [](const auto& entry) { return std::pair{entry.second.proven, entry.second.heard}; };
  const auto longest = std::ranges::min_element(sessions_, {}, rank);
  peers_changed_ |= longest->second.proven;
  sessions_.erase(longest);
}

void Transport::Send(const MacAddress& mac, const Ipv4Address& address, const std::string& plain, Actions* out) {
  if (!enabled()) return;
  if (plain.size() > kMaxMessage) {
    ++oversized_;
    return;
  }
  SendUnder(*send_key_, mac, address, plain, out);
}

void Transport::SendUnder(const HeartbeatKey& key, const MacAddress& mac, const Ipv4Address& address,
                          const std::string& plain, Actions* out) {
  const EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                              .version = kEnvelopeVersion,
                              .channel = static_cast<uint8_t>(Channel::kControl),
                              .key_id = Be32(key.id),
                              .sender = node_,
                              .boot = boot_,
                              .counter = Be64(++counter_),
                              .salt = Draw()};
  std::vector<uint8_t> sealed;
  const std::string with_from = absl::StrCat(plain, sender_address_);  // one message: fields may come in any order
  Seal(key.key, header, {reinterpret_cast<const uint8_t*>(with_from.data()), with_from.size()}, &sealed);
  SendFrame frame{.bytes = std::vector<uint8_t>(kUdpFrameHeaders + sealed.size())};
  WriteUdpFrame({.ethernet_source = config_.mac,
                 .ethernet_destination = mac,
                 .source = config_.address,
                 .destination = address,
                 .source_port = config_.port,
                 .destination_port = config_.port},
                sealed, frame.bytes);
  out->push_back(std::move(frame));
}

// A cluster speaks here, and we cannot join it. An empty message under the key that everyone knows, which decides
// nothing anywhere, shows us to its nodes: else they see but a counter or nothing, and two masters.
void Transport::HearWithoutKey(MonoTime now, const Datagram& datagram, Actions* out) {
  const EnvelopeHeader* header = PeekEnvelope(datagram.payload);
  if (header == nullptr || header->sender == node_) return;
  strangers_.OnRefused(now, *header, datagram, /*known_key=*/false, /*keyless=*/true, out);
  if (header->key_id.value() == StoredKey{}.id || now < next_hint_) return;
  next_hint_ = now + kStrangerHint;
  SendUnder(Derive(StoredKey{}, {node_, boot_}), kBroadcastMac, kLimitedBroadcast, "", out);
}

// One derivation at most and one decryption, for any sender.
bool Transport::Unlock(const Datagram& datagram, const StoredKey& key, const SessionId& id, Session* session,
                       std::vector<uint8_t>* plain) const {
  const bool remembered = session != nullptr && session->key && session->key->id == key.id;
  const HeartbeatKey session_key = remembered ? *session->key : Derive(key, id);
  plain->resize(datagram.payload.size() - kEnvelopeOverhead);
  if (!Unseal(session_key.key, datagram.payload, *plain)) return false;
  if (session != nullptr) session->key = session_key;
  return true;
}

// The message in an authentic plain text, and where its sender is by its own word.
std::optional<Reject> Transport::Open(const Datagram& datagram, const std::vector<uint8_t>& plain, Incoming* incoming) {
  wire::Message* const message = &incoming->message;
  if (!message->ParseFromArray(plain.data(), static_cast<int>(plain.size()))) return Reject::kMalformed;
  const std::optional<PeerAddress> from = SenderAddressIn(*message);
  if (!from || message->body_case() == wire::Message::BODY_NOT_SET) return Reject::kMalformed;
  incoming->from = *from;
  if (Mutated(Mutation::kBelieveFrame)) incoming->from.mac = datagram.mac;
  return incoming->from.mac == datagram.mac ? std::nullopt : std::optional(Reject::kRelabelled);
}

// A loop brings back what we have sent. A later counter than ours is of another copy of this process.
std::nullopt_t Transport::OnOwn(const Datagram& datagram, const EnvelopeHeader& header, Actions* out) {
  const StoredKey* const key = header.counter.value() > counter_ ? FindKey(header.key_id.value()) : nullptr;
  std::vector<uint8_t> plain;
  if (key != nullptr && Unlock(datagram, *key, {node_, boot_}, nullptr, &plain)) {
    NoteRestored("a later frame of this boot was heard", out);
  }
  return Refuse(Reject::kOwn);
}

// An active boot says something new now and then. One that only repeats itself goes on from a snapshot, or is played:
// it is asked, and the question says how far it was heard. Its own question is answered at once: if we are new to it,
// it believes neither that nor that another leads before.
void Transport::OnReplayed(MonoTime now, const SessionId& id, const Incoming& incoming, Session* session,
                           Actions* out) {
  const bool ask = now - session->heard > kReplayedQuiet;
  Answer(now, id, incoming.from, incoming.message, ask, session, out);
}

// Who has sealed fewer messages than a peer has had of this boot does not remember the others.
void Transport::LookAtOwnCounter(const wire::Challenge& challenge, Actions* out) {
  if (challenge.heard() <= counter_) return;
  NoteRestored("another node has heard more of this boot than it remembers", out);
}

void Transport::NoteRestored(std::string_view why, Actions* out) {
  if (Mutated(Mutation::kIgnoreRestore) || std::exchange(restored_, true)) return;
  out->push_back(MakeLog(LogLevel::kWarning, "this machine was restored from a snapshot (", std::string(why),
                         "): starting again as a new boot"));
}

std::nullopt_t Transport::Refuse(Reject reject) {
  ++rejected_[static_cast<size_t>(reject)];
  return std::nullopt;
}

// `message` is authentic but may be a recording: it is no reason for more than an echo and a challenge, both limited.
std::nullopt_t Transport::OnUnproven(MonoTime now, const SessionId& id, uint64_t counter, const PeerAddress& from,
                                     const wire::Message& message, Actions* out) {
  if (message.has_challenge_echo()) {
    if (!Proves(now, id, counter, message.challenge_echo().nonce())) return Refuse(Reject::kUnknownBoot);
    Settle(from, &sessions_.at(id));
    return std::nullopt;
  }
  Session& session = SessionOf(now, id);
  session.heard = now;
  const bool answered = Answer(now, id, from, message, /*ask=*/true, &session, out);
  return Refuse(answered ? Reject::kUnknownBoot : Reject::kTooMany);
}

// Asked is this boot, and not one that this machine was: recordings of that are challenged here, too, and answers to
// those would use up the one that a node gets which does not know us yet.
bool Transport::IsChallenged(const wire::Message& message) const {
  if (!message.has_challenge()) return false;
  return message.challenge().boot() == AsText(boot_) || Mutated(Mutation::kEchoForOthers);
}

// Answers its question and, with `ask`, asks it ours, as far as either is due. False: a limit was reached.
bool Transport::Answer(MonoTime now, const SessionId& id, const PeerAddress& from, const wire::Message& message,
                       bool ask, Session* session, Actions* out) {
  if (IsChallenged(message) && session->echoes.Due(now)) {
    if (!MayAnswer(now, id.first, &session->echoes)) return false;
    Echo(from, message.challenge().nonce(), out);
  }
  if (!ask || !session->challenges.Due(now)) return true;
  if (!MayAnswer(now, id.first, &session->challenges)) return false;
  Challenge(now, id, session, from, out);
  return true;
}

// A boot that starts needs one answer of each kind; a recording asks for them for ever.
bool Transport::MayAnswer(MonoTime now, const NodeId& node, Patience* patience) {
  if (Mutated(Mutation::kShareAnswers)) {
    if (!repeated_answers_.Take(now, kChallengeInterval, kChallengeBurst)) return false;
  } else if (patience->first()) {
    if (!first_answers_.Take(now, kChallengeInterval, kFirstAnswers)) return false;
  } else {
    if (!answers_of_node_[node[0]].Take(now, kChallengeInterval, kRepeatedAnswers)) return false;
    if (!repeated_answers_.Take(now, kChallengeInterval / kChallengesPerInterval, kChallengeBurst)) return false;
  }
  const bool many = Unproven(now) > kManyUnproven && !Mutated(Mutation::kShareAnswers);
  patience->Answered(now, many ? kChallengeLongBackoff : kChallengeBackoff);
  return true;
}

// Boots that speak, and have proven nothing.
size_t Transport::Unproven(MonoTime now) const {
  return static_cast<size_t>(std::ranges::count_if(sessions_, [now](const auto& entry) {
    return !entry.second.proven && now - entry.second.heard < kChallengeLife;
  }));
}

bool Transport::HearsUnproven(MonoTime now) const {
  return std::ranges::any_of(sessions_, [now](const auto& entry) {
    const bool waits = !entry.second.proven || (!entry.second.believed && !Mutated(Mutation::kFoundBesideProof));
    return waits && now - entry.second.heard < kChallengeLife;
  });
}

// Whether this echo proves that the boot is active. What it sent before may have been recorded and is void.
bool Transport::Proves(MonoTime now, const SessionId& id, uint64_t counter, const std::string& nonce) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return false;
  Session& session = found->second;
  if (!session.nonce_drawn || now - *session.nonce_drawn > kChallengeLife || nonce != AsText(session.nonce)) {
    return false;
  }
  session.proven = true;
  session.believed = false;
  session.heard = now;
  session.nonce_drawn.reset();
  session.window.StartAfter(counter);
  return true;
}

// Challenges that follow each other closely carry the same nonce: the echo of the first may be on its way.
void Transport::Challenge(MonoTime now, const SessionId& id, Session* session, const PeerAddress& to, Actions* out) {
  if (!session->nonce_drawn || now - *session->nonce_drawn > kChallengeLife / 2) {
    session->nonce = Draw();
    session->nonce_drawn = now;
  }
  wire::Message message;
  message.mutable_challenge()->set_nonce(std::string(AsText(session->nonce)));
  message.mutable_challenge()->set_boot(std::string(AsText(id.second)));
  message.mutable_challenge()->set_heard(session->window.highest());
  SendTo(to, message, out);
}

void Transport::Echo(const PeerAddress& to, const std::string& nonce, Actions* out) {
  if (nonce.size() != sizeof(Session::nonce)) return;
  wire::Message message;
  message.mutable_challenge_echo()->set_nonce(nonce);
  SendTo(to, message, out);
  if (!last_hello_.empty()) Send(to.mac, to.address, last_hello_, out);
}

}  // namespace qure
