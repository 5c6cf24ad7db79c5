#include "tests/sim/thieves.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "control/core/admission/adoption.h"
#include "control/core/admission/codes.h"
#include "control/core/config/entry.h"
#include "control/core/config/stage_map.h"
#include "control/core/wire.h"
#include "proto/net/ethernet.h"
#include "proto/net/udp_frame.h"

namespace qure::sim {
namespace {

constexpr Duration kTick = Milliseconds(20);
constexpr uint64_t kRenewTicks = 10;
constexpr uint64_t kTickTimer = 0;  // OnTimer
constexpr uint64_t kFloodTimer = 1;
constexpr size_t kFlooders = 100;
constexpr uint64_t kFarAhead = 1000;  // counters of a boot that it pretends to be

Term ForgedTerm(MonoTime now, const NodeId& holder) {
  const auto ms = static_cast<uint64_t>(now.ns / Milliseconds(1).ns);
  return {.era = Thief::kForgedEra + Thief::kErasOfSecond * static_cast<uint32_t>(ms / 1000),
          .epoch = Thief::kForgedEpoch + (ms << Thief::kEpochsOfMs),
          .holder = HolderOf(holder)};
}

std::string Text(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

admission::SigningKey DrawIdentity(Random* random) {
  admission::Seed seed{};
  DrawFrom(random)(seed);
  return admission::SigningKeyOf(seed);
}

// The ADMIT record that is in effect for it, if any.
std::vector<uint8_t> AdmissionOf(const admission::RecordSet& records, const admission::PublicKey& identity) {
  for (const auto& [id, record] : records.others()) {
    const auto* admit = record.As<admission::Admit>();
    if (admit != nullptr && admit->subject.identity == identity) return record.Bytes();
  }
  return {};
}

}  // namespace

Loot LootOf(const StoredState& disk) {
  Loot loot{.keyring = disk.keyring, .node = disk.node_id};
  if (disk.identity) loot.identity = admission::SigningKeyOf(*disk.identity);
  for (int pass = 0; pass < 2; ++pass) {
    for (const std::vector<uint8_t>& bytes : disk.records) {
      const auto recovery =
          loot.records ? loot.records->genesis().As<admission::Genesis>()->recovery : admission::PublicKey{};
      const auto read = admission::Record::Read(bytes, recovery);
      const auto* record = std::get_if<admission::Record>(&read);
      if (record == nullptr) continue;
      if (record->As<admission::Genesis>() != nullptr && !loot.records) loot.records.emplace(*record);
      if (loot.records) loot.records->Add(*record);
    }
  }
  return loot;
}

Thief::Thief(const LanParts& parts, uint64_t seed) : parts_(parts), random_(seed) {
  port_ = parts_.lan->Plug(this, kMac);
}

void Thief::Steal(const Loot& loot, const TransportConfig& network) {
  Keyring ring = loot.keyring;
  for (const StoredKey& key : loot_.keyring.keys) {
    if (std::ranges::find(ring.keys, key.id, &StoredKey::id) == ring.keys.end()) ring.keys.push_back(key);
  }
  loot_ = loot;
  loot_.keyring = ring;
  network_ = network;
  network_.keyring = ring;
  network_.mac = kMac;
  network_.address = kAddress;
}

std::optional<MonoTime> Thief::SaidAt(const Term& term) {
  if (term.epoch < kForgedEpoch) return std::nullopt;
  return MonoTime{} + Milliseconds(static_cast<int64_t>((term.epoch - kForgedEpoch) >> kEpochsOfMs));
}

std::optional<MonoTime> Thief::SaidAt(uint32_t era) {
  if (era < kForgedEra) return std::nullopt;
  return MonoTime{} + Seconds(static_cast<int64_t>((era - kForgedEra) / kErasOfSecond));
}

// -------------------------------------------------------------------------------------------------------- what it does

void Thief::AddVoice(const NodeId& id) {
  voices_.push_back(std::make_unique<Voice>(id, random_.Id(), random_));
  voices_.back()->transport.Configure(network_);
  voices_.back()->transport.UseWay(Transport::Way::kBoth);
}

void Thief::Speak(MonoTime now, const std::vector<NodeId>& others, bool reckless) {
  reckless_ = reckless;
  voices_.clear();
  for (int i = 0; i < 2; ++i) {  // new ones: what they do counts from now
    const NodeId id = random_.Id();
    invented_.insert(id);
    AddVoice(id);
  }
  for (const NodeId& id : others) AddVoice(id);
  Wake(now);
}

void Thief::ComeForKeys(MonoTime now) {
  if (!loot_.identity || !loot_.records) return;
  renewal_.emplace(Intruder::Facts{.identity = *loot_.identity,
                                   .node = loot_.node,
                                   .mac = kMac,
                                   .want = loot_.records->cluster(),
                                   .renew = AdmissionOf(*loot_.records, loot_.identity->public_key),
                                   .recovery = loot_.records->genesis().As<admission::Genesis>()->recovery},
                   &random_, [this](MonoTime at, const MacAddress& to, ConstBytes payload) {
                     SendAdmission(at, kMac, to, payload);
                   });
  Wake(now);
}

void Thief::TakeIn(MonoTime now) {
  if (!loot_.identity || !loot_.records) return;
  FalseAdmitter::Facts facts{.identity = *loot_.identity,
                             .node = loot_.node,
                             .mac = kMac,
                             .records = *loot_.records,
                             .keys = {},
                             .port = network_.port,
                             .group = network_.group};
  for (const StoredKey& key : loot_.keyring.keys) {
    const auto read = admission::Record::Read(key.record, loot_.records->genesis().As<admission::Genesis>()->recovery);
    if (const auto* record = std::get_if<admission::Record>(&read)) facts.keys.emplace_back(*record, key.key);
  }
  admitter_ = std::make_unique<FalseAdmitter>(
      std::move(facts), &random_,
      [this](MonoTime at, const MacAddress& to, ConstBytes payload) { SendAdmission(at, kMac, to, payload); });
  Wake(now);
}

void Thief::Found(MonoTime now, const TransportConfig& network) {
  network_ = network;
  const admission::SigningKey identity = DrawIdentity(&random_);
  const admission::SigningKey recovery = DrawIdentity(&random_);
  const NodeId node = admission::NodeIdOf(identity.public_key);
  const admission::RecordSet records(
      admission::Record::Sign(admission::Genesis{.cluster = network.cluster,
                                                 .recovery = recovery.public_key,
                                                 .founder = {.identity = identity.public_key, .node = node}},
                              recovery));
  own_cluster_ = records.cluster();
  admission::SessionKeys keys;
  keys.Follow(ViewOf(records), identity.public_key, now);
  ClusterKey key{};
  DrawFrom (&random_)(key);
  const auto grant = keys.Make(identity, {.cluster = admission::MarkOf(records.cluster())}, key, 1);
  admitter_ = std::make_unique<FalseAdmitter>(FalseAdmitter::Facts{.identity = identity,
                                                                   .node = node,
                                                                   .mac = kMac,
                                                                   .records = records,
                                                                   .keys = {*grant},
                                                                   .port = network.port,
                                                                   .group = network.group},
                                              &random_, [this](MonoTime at, const MacAddress& to, ConstBytes payload) {
                                                SendAdmission(at, kMac, to, payload);
                                              });
  Wake(now);
}

void Thief::Resemble(MonoTime now, const std::string& code) {
  constexpr size_t kAlike = 2;  // digits: what can be found in a moment here, and twelve cannot anywhere
  admission::SigningKey identity = DrawIdentity(&random_);
  const auto digits = [&] { return admission::DigitsOf(admission::FingerprintOf(identity.public_key)); };
  while (digits().substr(0, kAlike) != code.substr(0, kAlike)) identity = DrawIdentity(&random_);
  newcomers_.emplace_back(
      Intruder::Facts{.identity = identity, .node = admission::NodeIdOf(identity.public_key), .mac = kMac}, &random_,
      [this](MonoTime at, const MacAddress& to, ConstBytes payload) { SendAdmission(at, kMac, to, payload); });
  Wake(now);
}

void Thief::CopyToken(MonoTime now) {
  copies_token_ = true;
  Wake(now);
}

void Thief::FloodCandidates(MonoTime now, size_t count, Duration gap) {
  for (size_t i = flooders_.size(); i < kFlooders; ++i) {
    const admission::SigningKey identity = DrawIdentity(&random_);
    const MacAddress mac{{0x02, 0, 0, 1, 0, static_cast<uint8_t>(i)}};
    admission::CandidateMessage message{.identity = identity.public_key,
                                        .node = admission::NodeIdOf(identity.public_key),
                                        .boot = random_.Id(),
                                        .mac = mac,
                                        .revision = "1.0",
                                        .name = "nobody"};
    message.ephemeral = admission::DrawEphemeral(DrawFrom(&random_)).public_key;
    SignMessage(identity, &message);
    flooders_.emplace_back(mac, WriteMessage(message));
  }
  flood_left_ = count;
  flood_gap_ = gap;
  parts_.queue->Add(now + gap, Happening::kDevice, port_, kFloodTimer);
}

void Thief::Stop() {
  voices_.clear();
  renewal_.reset();
  newcomers_.clear();
  admitter_.reset();
  copies_token_ = false;
  flood_left_ = 0;
  awake_ = false;
}

void Thief::Wake(MonoTime now) {
  if (std::exchange(awake_, true)) return;
  parts_.queue->Add(now + kTick, Happening::kDevice, port_, kTickTimer);
}

void Thief::OnTimer(MonoTime now, uint64_t value) {
  if (value == kFloodTimer) return Flood(now);
  if (!awake_) return;
  const auto tick = static_cast<uint64_t>(now.ns / kTick.ns);
  if (!voices_.empty()) Say(now);
  if (tick % kRenewTicks == 0) {
    if (renewal_) renewal_->Ask(now);
    for (Intruder& newcomer : newcomers_) newcomer.Ask(now);
  }
  if (admitter_) admitter_->Tick(now);
  parts_.queue->Add(now + kTick, Happening::kDevice, port_, kTickTimer);
}

void Thief::Flood(MonoTime now) {
  if (flood_left_ == 0) return;
  --flood_left_;
  const auto& [mac, payload] = flooders_[flood_left_ % flooders_.size()];
  SendAdmission(now, mac, kBroadcastMac, payload);
  parts_.queue->Add(now + flood_gap_, Happening::kDevice, port_, kFloodTimer);
}

// --------------------------------------------------------------------------------------------------------- what it
// hears

void Thief::Hear(ConstBytes frame) {
  if (!IsClusterFrame(frame)) return;
  const ConstBytes payload = frame.subspan(kUdpFrameHeaders);
  if (std::memcmp(&frame[6], kMac.bytes.data(), kMac.bytes.size()) == 0) return;
  const EnvelopeHeader* header = PeekEnvelope(payload);
  if (header != nullptr && header->channel == static_cast<uint8_t>(Channel::kControl)) {
    Seen& seen = seen_[header->sender];
    if (seen.boot != header->boot) seen = {.boot = header->boot, .counter = 0};
    seen.counter = std::max(seen.counter, header->counter.value());
  }
  if (!copies_token_ || !IsAdmissionDatagram(payload)) return;
  const auto read = admission::ReadMessage(payload);
  const auto* message = std::get_if<admission::AdmissionMessage>(&read);
  if (message == nullptr) return;
  const auto* candidate = std::get_if<admission::CandidateMessage>(message);
  if (candidate != nullptr && candidate->token != admission::TokenId{} && newcomers_.empty()) {
    const admission::SigningKey identity = DrawIdentity(&random_);
    newcomers_.emplace_back(
        Intruder::Facts{.identity = identity,
                        .node = admission::NodeIdOf(identity.public_key),
                        .mac = kMac,
                        .token = candidate->token},
        &random_, [this](MonoTime at, const MacAddress& to, ConstBytes bytes) { SendAdmission(at, kMac, to, bytes); });
  }
  const auto* accept = std::get_if<admission::AcceptMessage>(message);
  if (accept == nullptr || accept->token == admission::Signature{}) return;
  for (Intruder& newcomer : newcomers_) newcomer.SetToken(accept->token);
}

void Thief::OnFrame(MonoTime now, FrameId id) {
  const std::optional<Datagram> datagram = DatagramIn(parts_.pool->bytes(id), kMac);
  if (!awake_ || !datagram) return;
  if (!IsAdmissionDatagram(datagram->payload)) {
    Actions actions;
    for (const auto& voice : voices_) voice->transport.Receive(now, *datagram, &actions);
    return Send(now, actions);
  }
  if (admitter_) {
    admitter_->OnDatagram(now, datagram->mac, datagram->payload);
    for (const admission::PublicKey& identity : admitter_->Take()) {
      accomplices_.insert(admission::FingerprintOf(identity));
    }
  }
  const auto read = admission::ReadMessage(datagram->payload);
  const auto* message = std::get_if<admission::AdmissionMessage>(&read);
  if (message == nullptr) return;
  for (Intruder& newcomer : newcomers_) {
    newcomer.OnMessage(now, datagram->mac, *message);
    TakeGiven(&newcomer, /*stolen=*/false);
  }
  if (!renewal_) return;
  renewal_->OnMessage(now, datagram->mac, *message);
  TakeGiven(&*renewal_, /*stolen=*/true);
}

// It goes on with what is newest.
void Thief::TakeGiven(Intruder* intruder, bool stolen) {
  const std::vector<admission::SessionGrant> grants = intruder->Take();
  if (grants.empty()) return;
  admitted_ = admitted_ || !stolen;
  given_.insert(given_.end(), grants.begin(), grants.end());
  loot_.keyring = admission::With(loot_.keyring, grants);
  loot_.keyring.use = grants.front().session().key_id;
  network_.keyring = loot_.keyring;
  for (const auto& voice : voices_) voice->transport.Configure(network_);
}

// ---------------------------------------------------------------------------------------------------------- what it
// says

void Thief::Say(MonoTime now) {
  Voice& voice = *voices_[random_.Below(voices_.size())];
  const wire::Message message = Forge(now, voice.id);
  const auto seen = seen_.find(voice.id);
  // As the very boot that speaks itself, further on.
  if (reckless_ && seen != seen_.end() && random_.Chance(0.5)) return SayAs(now, voice.id, message);
  Actions actions;
  voice.transport.SendToAll(message, &actions);
  Send(now, actions);
}

void Thief::SayAs(MonoTime now, const NodeId& node, const wire::Message& message) {
  const auto key = std::ranges::find(network_.keyring.keys, network_.keyring.use, &StoredKey::id);
  if (key == network_.keyring.keys.end()) return;
  Seen& seen = seen_.at(node);
  seen.counter += random_.Below(kFarAhead) + 1;
  EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                        .version = kEnvelopeVersion,
                        .channel = static_cast<uint8_t>(Channel::kControl),
                        .key_id = Be32(key->id),
                        .sender = node,
                        .boot = seen.boot,
                        .counter = Be64(seen.counter),
                        .salt = random_.Id()};
  wire::Message stated = message;
  stated.mutable_from()->set_mac(WriteMac(kMac));
  stated.mutable_from()->set_address(WriteAddress(kAddress));
  const std::string plain = stated.SerializeAsString();
  std::vector<uint8_t> sealed;
  Seal(DeriveSessionKey(key->key, network_.cluster, node, seen.boot), header,
       {reinterpret_cast<const uint8_t*>(plain.data()), plain.size()}, &sealed);
  SendAdmission(now, kMac, kBroadcastMac, sealed);
}

wire::Hello Thief::ForgeHello(MonoTime now, const NodeId& speaker) {
  wire::Hello hello;
  const Term term = ForgedTerm(now, speaker);
  hello.set_name("thief");
  hello.set_age((1ULL << 30) + static_cast<uint64_t>(now.ns / Seconds(1).ns));
  hello.set_revision("1.0");
  hello.set_era(term.era);
  hello.set_lineage(77);
  hello.set_uptime_ms((1ULL << 50) + static_cast<uint64_t>(now.ns / Milliseconds(1).ns));
  hello.set_booting(random_.Chance(0.1));
  hello.set_node_uptime_ms(random_.Below(1ULL << 40));
  WriteTerm(term, hello.mutable_highest_term());
  if (random_.Chance(0.7)) {
    hello.set_master(WriteId(speaker));
    WriteTerm(term, hello.mutable_master_term());
  }
  hello.set_ready(true);
  hello.set_gateway_seen(true);
  hello.set_history_digest(random_());
  hello.set_balance_digest(random_());
  hello.set_config_digest(random_());
  hello.set_config_map(random_());
  hello.set_newest_key(static_cast<uint32_t>(random_()));
  hello.set_admission_digest(random_());
  if (loot_.identity) hello.set_identity(Text(loot_.identity->public_key));
  return hello;
}

wire::Message Thief::Forge(MonoTime now, const NodeId& speaker) {
  wire::Message message;
  switch (random_.Below(8)) {
    case 0:
    case 1:
      *message.mutable_hello() = ForgeHello(now, speaker);
      return message;
    case 2:
      WriteTerm(ForgedTerm(now, speaker), message.mutable_claim()->mutable_term());
      *message.mutable_claim()->mutable_hello() = ForgeHello(now, speaker);
      return message;
    case 3:
      return ForgeHistory(now, speaker);
    case 4:
      return ForgeRecord();
    case 5:
      return ForgeConfig(now);
    case 6:
      return ForgeOrder(now, speaker);
    default:
      message.mutable_ask_renew();
      return message;
  }
}

wire::Message Thief::ForgeOrder(MonoTime now, const NodeId& speaker) {
  wire::Message message;
  switch (random_.Below(reckless_ ? 6 : 3)) {
    case 0:
      message.mutable_query()->set_nonce(random_());
      return message;
    case 1:
      message.mutable_admission_pull()->set_least(std::string(16, '\0'));
      message.mutable_admission_pull()->set_greatest(std::string(16, '\xff'));
      return message;
    case 2:
      message.mutable_goodbye();
      return message;
    case 3:
      WriteTerm(ForgedTerm(now, speaker), message.mutable_yield()->mutable_term());
      return message;
    case 4:
      WriteTerm(ForgedTerm(now, speaker), message.mutable_prepare()->mutable_term());
      return message;
    default:
      message.mutable_remote_command()->set_id(static_cast<uint32_t>(random_()));
      message.mutable_remote_command()->set_drain(true);
      return message;
  }
}

wire::Message Thief::ForgeHistory(MonoTime now, const NodeId& speaker) {
  wire::Message message;
  wire::HistoryEvent* const event = message.mutable_chunk()->add_events();
  event->set_node(WriteId(speaker));
  event->set_age((1ULL << 30) + static_cast<uint64_t>(now.ns));
  event->set_seq(1);
  event->set_first(true);
  event->set_era(ForgedTerm(now, speaker).era);
  event->set_lineage(77);
  WriteTerm(ForgedTerm(now, speaker), event->mutable_term());
  event->set_kind(1);
  event->set_time(1'800'000'000'000ULL << 16);
  event->set_text("forged");
  return message;
}

admission::RecordHead Thief::Head() const {
  return {.cluster = admission::MarkOf(loot_.records->cluster())};
}

// An accomplice is admitted, under some roster; or a member has left, as it is made to say.
wire::Message Thief::ForgeRecord() {
  wire::Message message;
  message.mutable_query()->set_nonce(random_());
  if (!loot_.identity || !loot_.records) return message;
  const admission::View view = ViewOf(*loot_.records);
  std::vector<uint8_t> bytes;
  admission::RecordId id{};
  if (random_.Chance(0.5)) {
    const admission::SigningKey accomplice = DrawIdentity(&random_);
    accomplices_.insert(admission::FingerprintOf(accomplice.public_key));
    const admission::Record record = admission::Record::Sign(
        admission::Admit{
            .head = Head(),
            .generation = view.generation + static_cast<uint32_t>(random_.Below(3)),
            .signer = loot_.identity->public_key,
            .subject = {.identity = accomplice.public_key, .node = admission::NodeIdOf(accomplice.public_key)},
            .name = "accomplice"},
        *loot_.identity);
    bytes = record.Bytes();
    id = record.id();
  } else {
    auto victim = view.members.begin();
    std::advance(victim, static_cast<int64_t>(random_.Below(view.members.size())));
    if (victim->first == loot_.identity->public_key) return message;
    bytes = admission::Record::Sign(admission::Leave{.head = Head(), .subject = loot_.identity->public_key},
                                    *loot_.identity)
                .Bytes();
    const admission::PublicKey& own = loot_.identity->public_key;
    std::ranges::copy(victim->first, std::search(bytes.begin(), bytes.end(), own.begin(), own.end()));
    const ConstBytes body = ConstBytes(bytes).first(bytes.size() - sizeof(admission::Signature));
    id = admission::Hash("qure record 1", {body});
  }
  wire::AdmissionPart* const part = message.mutable_admission_part();
  part->set_id(Text(id));
  part->set_total(1);
  part->set_part(Text(bytes));
  return message;
}

// A change of the configuration that it has numbered and confirmed itself.
wire::Message Thief::ForgeConfig(MonoTime now) {
  constexpr std::string_view kBody = "666";
  wire::Message message;
  message.mutable_query()->set_nonce(random_());
  if (!loot_.identity || !loot_.records) return message;
  admission::ConfigEntry entry{.head = Head(),
                               .signer = loot_.identity->public_key,
                               .version = {.term = ForgedTerm(now, loot_.node), .n = 1},
                               .body = clusterconfig::DigestOf(kBody),
                               .size = kBody.size()};
  entry.version.check = CheckOf(entry);
  const auto confirm = admission::Record::Sign(
      admission::ConfigConfirm{.head = Head(), .signer = entry.signer, .version = entry.version}, *loot_.identity);
  switch (random_.Below(3)) {
    case 0: {
      wire::ConfigMap::Entry* const listed = message.mutable_config_map()->add_entries();
      listed->set_version(Text(ToBytes(entry.version)));
      listed->set_stage(static_cast<uint32_t>(clusterconfig::Stage::kConfirmed));
      return message;
    }
    case 1:
      message.mutable_config_entry()->set_entry(Text(admission::Record::Sign(entry, *loot_.identity).Bytes()));
      message.mutable_config_entry()->set_confirm(Text(confirm.Bytes()));
      return message;
    default:
      message.mutable_config_part()->set_body(Text(entry.body));
      message.mutable_config_part()->set_part(std::string(kBody));
      return message;
  }
}

void Thief::Send(MonoTime now, const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* frame = std::get_if<SendFrame>(&action)) parts_.lan->Transmit(now, port_, frame->bytes, {});
  }
}

// From a node without an address, as all of channel 3 is.
void Thief::SendAdmission(MonoTime now, const MacAddress& from, const MacAddress& to, ConstBytes payload) {
  std::vector<uint8_t> frame(kUdpFrameHeaders + payload.size());
  WriteUdpFrame({.ethernet_source = from,
                 .ethernet_destination = to,
                 .source = kAddress,
                 .destination = kLimitedBroadcast,
                 .source_port = kDefaultClusterPort,
                 .destination_port = kDefaultClusterPort},
                payload, frame);
  parts_.lan->Transmit(now, port_, frame, {});
}

}  // namespace qure::sim
