#include "tests/sim/intruder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "control/core/admission/welcome.h"

namespace qure::sim {
namespace {

using namespace admission;

constexpr size_t kMostAsked = 8;
constexpr double kGoesOn = 0.05;  // of one that waits, with each repetition, so within 2 s or so
constexpr size_t kMostHandshakes = 16;

}  // namespace

DrawSecret DrawFrom(Random* random) {
  return [random](MutableBytes bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  };
}

// ----------------------------------------------------------------------------------------------------------- Intruder

void Intruder::Ask(MonoTime now) {
  const Ephemeral ephemeral = DrawEphemeral(DrawFrom(random_));
  CandidateMessage message{.identity = facts_.identity.public_key,
                           .node = facts_.node,
                           .boot = random_->Id(),
                           .ephemeral = ephemeral.public_key,
                           .want = facts_.want,
                           .token = facts_.token,
                           .mac = facts_.mac,
                           .revision = "1.0",
                           .name = "thief"};
  if (facts_.renew) message.renew = RenewClaim{.admit = *facts_.renew};
  SignMessage(facts_.identity, &message);
  asked_.emplace_back(TranscriptOf(message), ephemeral);
  if (asked_.size() > kMostAsked) asked_.pop_front();
  send_(now, kBroadcastMac, WriteMessage(message));
}

void Intruder::OnMessage(MonoTime now, const MacAddress&, const AdmissionMessage& message) {
  if (const auto* offer = std::get_if<OfferMessage>(&message)) OnOffer(now, *offer);
  if (const auto* records = std::get_if<RecordsMessage>(&message)) OnRecords(now, *records);
  if (const auto* welcome = std::get_if<WelcomeMessage>(&message)) OnWelcome(now, *welcome);
}

void Intruder::OnOffer(MonoTime now, const OfferMessage& offer) {
  const auto asked = std::ranges::find(asked_, offer.h1, [](const auto& each) { return each.first; });
  if (asked == asked_.end()) return;
  AcceptMessage accept{.h2 = TranscriptOf(offer), .token = facts_.by_token};
  SignMessage(facts_.identity, &accept);
  const auto keys = HandshakeKeys::Agree(asked->second, offer.ephemeral, TranscriptOf(accept));
  if (!keys) return;
  handshakes_.push_back({.with = offer.mac, .keys = *keys, .records = {}, .waits = random_->Chance(0.5)});
  if (handshakes_.size() > kMostHandshakes) handshakes_.pop_front();
  send_(now, offer.mac, WriteMessage(accept));
}

void Intruder::OnRecords(MonoTime now, const RecordsMessage& records) {
  for (Handshake& handshake : handshakes_) {
    if (!handshake.keys.Open(records)) continue;
    handshake.records.insert(records.counter);
    if (handshake.waits && !random_->Chance(kGoesOn)) continue;
    uint32_t count = 0;
    while (handshake.records.contains(count)) ++count;
    send_(now, handshake.with, WriteMessage(handshake.keys.MakeReceipt(ReceiptOf::kRecords, count)));
  }
}

void Intruder::OnWelcome(MonoTime now, const WelcomeMessage& welcome) {
  for (Handshake& handshake : handshakes_) {
    const auto plain = handshake.keys.Open(welcome);
    if (!plain) continue;
    const auto read = ReadWelcome(*plain, facts_.recovery);
    if (read) given_.insert(given_.end(), read->grants.begin(), read->grants.end());
    send_(now, handshake.with, WriteMessage(handshake.keys.MakeReceipt(ReceiptOf::kKeys, 0)));
  }
}

// ------------------------------------------------------------------------------------------------------ FalseAdmitter

FalseAdmitter::FalseAdmitter(Facts facts, Random* random, SendAdoption send)
    : facts_(std::move(facts)), send_(std::move(send)), view_(ViewOf(facts_.records)), admitter_(DrawFrom(random)) {
  keys_.Follow(view_, facts_.identity.public_key, MonoTime{});
  for (const SessionGrant& grant : facts_.keys) keys_.Take(grant);
  admitter_.invitations().SetAuto(AutoAdmit::kAll);
}

AdmitterFacts FalseAdmitter::Now() const {
  return {.identity = facts_.identity,
          .node = facts_.node,
          .mac = facts_.mac,
          .rank = 0,
          .records = facts_.records,
          .view = view_,
          .keys = keys_,
          .head = {.cluster = MarkOf(facts_.records.cluster())},
          .cluster_name = "sim",
          .port = facts_.port,
          .group = facts_.group};
}

void FalseAdmitter::OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload) {
  AdmissionActions actions;
  admitter_.OnDatagram(now, source, payload, Now(), &actions);
  Execute(now, actions);
}

void FalseAdmitter::Tick(MonoTime now) {
  AdmissionActions actions;
  admitter_.Tick(now, Now(), &actions);
  Execute(now, actions);
}

void FalseAdmitter::Execute(MonoTime now, const AdmissionActions& actions) {
  for (const AdmissionAction& action : actions) {
    if (const auto* send = std::get_if<SendPayload>(&action)) send_(now, send->to, send->payload);
    const auto* persist = std::get_if<PersistAdmission>(&action);
    if (persist == nullptr) continue;
    admitted_.push_back(persist->record.As<Admit>()->subject.identity);
    facts_.records.Add(persist->record);
    view_ = ViewOf(facts_.records);
    keys_.Follow(view_, facts_.identity.public_key, now);
    AdmissionActions more;
    admitter_.OnPersisted(now, persist->ticket, Now(), &more);
    Execute(now, more);
  }
}

}  // namespace qure::sim
