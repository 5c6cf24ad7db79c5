#include "control/core/admission/admitter.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "control/core/admission/codes.h"
#include "control/core/admission/proof.h"
#include "control/core/admission/refusal.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

bool IsFirst(AdmitReason reason) {
  return reason == AdmitReason::kNamed || reason == AdmitReason::kMember;
}

bool IsLegacy(const CandidateMessage& candidate) {
  return candidate.node != NodeIdOf(candidate.identity);
}

const Record* OwnAdmission(const RecordSet& records, const View& view, const PublicKey& identity) {
  for (const auto& [id, record] : records.others()) {
    const auto* admit = record.As<Admit>();
    if (admit != nullptr && admit->subject.identity == identity && std::ranges::binary_search(view.in_effect, id)) {
      return &record;
    }
  }
  return nullptr;
}

const Record* LeaveOf(const RecordSet& records, const PublicKey& identity) {
  for (const auto& [id, record] : records.others()) {
    const auto* leave = record.As<Leave>();
    if (leave != nullptr && leave->subject == identity) return &record;
  }
  return nullptr;
}

bool Lists(const Record& roster, const PublicKey& identity) {
  const std::vector<Listed>& members = roster.As<Roster>()->members;
  return std::ranges::find(members, identity, &Listed::identity) != members.end();
}

// By any record, in effect or not.
bool WasMember(const RecordSet& records, const PublicKey& identity) {
  if (records.genesis().As<Genesis>()->founder.identity == identity) return true;
  const auto admits = [&](const auto& each) {
    const auto* admit = each.second.template As<Admit>();
    return admit != nullptr && admit->subject.identity == identity;
  };
  const auto lists = [&](const auto& each) { return Lists(each.second, identity); };
  return std::ranges::any_of(records.others(), admits) || std::ranges::any_of(records.rosters(), lists);
}

// The first roster in effect that does not list it; null: there is none.
const Record* RosterWithout(const RecordSet& records, const View& view, const PublicKey& identity) {
  for (const auto& [id, record] : records.rosters()) {
    if (std::ranges::binary_search(view.in_effect, id) && !Lists(record, identity)) return &record;
  }
  return nullptr;
}

// The admission that a member shows, which asks for keys anew: sound, of it and of this cluster. Nothing: none.
std::optional<Record> ShownAdmission(const CandidateMessage& candidate, const RecordSet& records) {
  const auto read = Record::Read(candidate.renew->admit, records.genesis().signer());
  const auto* record = std::get_if<Record>(&read);
  const auto* admit = record == nullptr ? nullptr : record->As<Admit>();
  const bool holds = admit != nullptr && admit->subject.identity == candidate.identity &&
                     admit->head.cluster == MarkOf(records.cluster());
  return holds ? std::optional(*record) : std::nullopt;
}

void Send(const MacAddress& to, const AdmissionMessage& message, AdmissionActions* out) {
  out->push_back(SendPayload{.to = to, .payload = WriteMessage(message)});
}

}  // namespace

std::vector<ListedCandidate> Admitter::Expect(MonoTime now, const std::string& digits, MonoTime until) {
  std::vector<ListedCandidate> fitting = list_.Find(digits);
  if (fitting.size() <= 1 && invitations_.Expect(digits, until)) announce_at_ = now;
  return fitting;
}

void Admitter::ExpectAll(MonoTime now, MonoTime until) {
  invitations_.AdmitAll(until);
  announce_at_ = now;
}

void Admitter::OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload, const AdmitterFacts& facts,
                          AdmissionActions* out) {
  const auto read = ReadMessage(payload);
  const auto* message = std::get_if<AdmissionMessage>(&read);
  if (message == nullptr) return;
  if (const auto* candidate = std::get_if<CandidateMessage>(message)) OnCandidate(now, source, *candidate, facts, out);
  if (const auto* accept = std::get_if<AcceptMessage>(message)) OnAccept(now, source, *accept, facts, out);
  if (const auto* receipt = std::get_if<ReceiptMessage>(message)) OnReceipt(now, *receipt, facts, out);
}

// --- CANDIDATE

void Admitter::OnCandidate(MonoTime now, const MacAddress& source, const CandidateMessage& candidate,
                           const AdmitterFacts& facts, AdmissionActions* out) {
  rate_.Count(now);
  if (source != candidate.mac || candidate.identity == facts.identity.public_key) return;
  if (!invitations_.For(now, candidate, facts.view) && !unnamed_.Take(now)) return;
  const bool full = list_.all().size() >= kMaxListed && !list_.all().contains(candidate.identity);
  if (full && Mutated(Mutation::kFullListRefuses)) return;
  const Digest h1 = TranscriptOf(candidate);
  if (verified_.contains(h1)) {
    OnVerified(now, candidate, h1, facts, out);
    return;
  }
  if (rate_.Exceeds(now) && !cookies_.Accepts(now, source, candidate.identity, candidate.cookie)) {
    // Members have no cookies of each other: one alone asks.
    if (facts.rank == 0) {
      Send(source, CookieMessage{.h1 = h1, .cookie = cookies_.For(now, source, candidate.identity)}, out);
    }
    return;
  }
  if (!sources_.Take(now, source)) return;
  if (waiting_.empty() && MayVerify(now, &signatures_)) {
    VerifyCandidate(now, candidate, h1, facts, out);
  } else {
    waiting_.Push(source, candidate);
  }
}

// Who was left out by a roster is taken by name or token, and not among all.
std::optional<Invitation> Admitter::InvitationOf(MonoTime now, const CandidateMessage& candidate,
                                                 const AdmitterFacts& facts) const {
  std::optional<Invitation> invitation = invitations_.For(now, candidate, facts.view);
  const bool by_itself = invitation && invitation->reason == AdmitReason::kAuto;
  if (by_itself && RosterWithout(facts.records, facts.view, candidate.identity) != nullptr) return std::nullopt;
  return invitation;
}

bool Admitter::MayVerify(MonoTime now, Budget* signatures) {
  if (!signatures->Take(now)) return false;
  ++checks_;
  return true;
}

void Admitter::VerifyWaiting(MonoTime now, const AdmitterFacts& facts, AdmissionActions* out) {
  while (!waiting_.empty() && MayVerify(now, &signatures_)) {
    const CandidateMessage candidate = waiting_.Pop()->second;
    VerifyCandidate(now, candidate, TranscriptOf(candidate), facts, out);
  }
}

void Admitter::VerifyCandidate(MonoTime now, const CandidateMessage& candidate, const Digest& h1,
                               const AdmitterFacts& facts, AdmissionActions* out) {
  if (candidate.copy) {  // it has two
    signatures_.Spend(now, 1);
    ++checks_;
  }
  if (!VerifyMessage(candidate)) return;
  if (verified_.size() >= kMaxVerified) {
    verified_.erase(std::ranges::min_element(verified_, {}, [](const auto& each) { return each.second; }));
  }
  verified_.emplace(h1, now);
  OnVerified(now, candidate, h1, facts, out);
}

void Admitter::OnVerified(MonoTime now, const CandidateMessage& candidate, const Digest& h1, const AdmitterFacts& facts,
                          AdmissionActions* out) {
  const bool wants_other =
      candidate.want != Fingerprint{} && candidate.want != facts.records.cluster() && !Mutated(Mutation::kIgnoreWant);
  const std::optional<Invitation> invitation = InvitationOf(now, candidate, facts);
  if (!invitation) {
    OnUninvited(now, candidate, h1, facts, out);
    return;
  }
  if (invitation->reason != AdmitReason::kMember) {
    const bool named = invitation->reason == AdmitReason::kNamed;
    list_.Note(now, candidate, named ? ListedState::kNamed : ListedState::kUnnamed);
  }
  // The others answer first, and this one only if the candidate goes on.
  if (wants_other || now < verified_.at(h1) + kAnswerByRank * facts.rank) return;
  if (candidate.least_protocol > kAdmissionProtocol || candidate.most_protocol < kAdmissionProtocol) {
    Refuse(now, candidate, h1, RefusedWhy::kProtocol, nullptr, facts, out);
    return;
  }
  if (invitation->reason != AdmitReason::kMember) {
    if (IsLegacy(candidate)) return;
    if (const Record* left = LeaveOf(facts.records, candidate.identity)) {
      Refuse(now, candidate, h1, RefusedWhy::kLeft, left, facts, out);
      return;
    }
    if (!facts.view.MayAdmit()) {
      Refuse(now, candidate, h1, RefusedWhy::kFull, nullptr, facts, out);
      return;
    }
  }
  MakeOffer(now, candidate, h1, *invitation, facts, out);
}

// Perhaps it is a member that others admitted, or was one.
void Admitter::OnUninvited(MonoTime now, const CandidateMessage& candidate, const Digest& h1,
                           const AdmitterFacts& facts, AdmissionActions* out) {
  bool was_member = WasMember(facts.records, candidate.identity);
  if (candidate.renew && !candidate.renew->admit.empty() && MayVerify(now, &signatures_)) {
    const std::optional<Record> shown = ShownAdmission(candidate, facts.records);
    const auto* admit = shown ? shown->As<Admit>() : nullptr;
    if (admit != nullptr && admit->generation == facts.view.generation && facts.view.members.contains(admit->signer) &&
        !facts.records.others().contains(shown->id())) {
      out->push_back(LearnAdmission{.record = *shown});
      return;
    }
    // Perhaps a thief took it in, who was a member then: it does not know of the roster.
    was_member = was_member || (admit != nullptr && admit->generation < facts.view.generation &&
                                WasMember(facts.records, admit->signer));
  }
  const Record* left = LeaveOf(facts.records, candidate.identity);
  const Record* roster =
      left != nullptr || !was_member ? nullptr : RosterWithout(facts.records, facts.view, candidate.identity);
  list_.Note(now, candidate, roster != nullptr ? ListedState::kExpelled : ListedState::kUnnamed);
  if (left != nullptr) Refuse(now, candidate, h1, RefusedWhy::kLeft, left, facts, out);
  if (roster != nullptr) Refuse(now, candidate, h1, RefusedWhy::kNotInRoster, roster, facts, out);
}

void Admitter::Refuse(MonoTime now, const CandidateMessage& candidate, const Digest& h1, RefusedWhy why,
                      const Record* record, const AdmitterFacts& facts, AdmissionActions* out) {
  if (now < verified_.at(h1) + kAnswerByRank * facts.rank || !refusals_.Take(now)) return;
  for (const RefusedMessage& part : MakeRefusal(facts.identity, h1, why, record)) Send(candidate.mac, part, out);
}

// --- OFFER

const std::vector<uint8_t>* Admitter::ProofNow(const AdmitterFacts& facts, AdmissionActions* out) {
  if (proof_view_ != facts.view.digest) {
    proof_ = ProofFor(facts.records, facts.view, facts.identity.public_key);
    proof_view_ = facts.view.digest;
    if (!proof_) out->push_back(MakeLog(LogLevel::kWarning, "this node cannot show that it is a member: no offers"));
  }
  return proof_ ? &*proof_ : nullptr;
}

// An offer that was not accepted gives way: of the same identity, the one whose CANDIDATE is known for longest, and
// only to a newer one; of others, the oldest, to `first` ones any and to the rest none.
bool Admitter::MakeRoom(const PublicKey& identity, MonoTime verified, bool first) {
  const auto least = [&](auto&& may_go, auto time) {
    auto found = handshakes_.end();
    for (auto each = handshakes_.begin(); each != handshakes_.end(); ++each) {
      if (each->second.stage != Stage::kOffered || !may_go(each->second)) continue;
      if (found == handshakes_.end() || each->second.*time < found->second.*time) found = each;
    }
    return found;
  };
  const auto is_own = [&](const Handshake& each) { return each.candidate.identity == identity; };
  const auto own = std::ranges::count_if(handshakes_, [&](const auto& each) { return is_own(each.second); });
  if (own < static_cast<int64_t>(kMaxHandshakesOfOne) && handshakes_.size() < kMaxHandshakes) return true;
  auto gone = handshakes_.end();
  if (own >= static_cast<int64_t>(kMaxHandshakesOfOne)) {
    gone = least(is_own, &Handshake::verified);
    if (gone != handshakes_.end() && gone->second.verified >= verified) return false;
  } else if (first) {
    gone = least([](const Handshake& each) { return !IsFirst(each.invitation.reason); }, &Handshake::progress);
    if (gone == handshakes_.end()) gone = least([](const Handshake&) { return true; }, &Handshake::progress);
  }
  if (gone == handshakes_.end()) return false;
  handshakes_.erase(gone);
  return true;
}

void Admitter::MakeOffer(MonoTime now, const CandidateMessage& candidate, const Digest& h1,
                         const Invitation& invitation, const AdmitterFacts& facts, AdmissionActions* out) {
  if (const auto found = handshakes_.find(h1); found != handshakes_.end()) {
    if (found->second.stage == Stage::kOffered) SendOffer(now, &found->second, out);
    return;
  }
  const bool first = IsFirst(invitation.reason);
  const MonoTime verified = verified_.at(h1);
  const std::vector<uint8_t>* proof = ProofNow(facts, out);
  Budget& offers = first ? offers_first_ : offers_others_;
  if (proof == nullptr || !offers.Has(now) || !MakeRoom(candidate.identity, verified, first)) return;
  offers.Spend(now, 1);
  Handshake handshake{.candidate = candidate,
                      .invitation = invitation,
                      .ephemeral = DrawEphemeral(draw_),
                      .verified = verified,
                      .progress = now};
  OfferMessage offer{.h1 = h1,
                     .cluster_id = facts.records.genesis().As<Genesis>()->cluster,
                     .cluster = facts.records.cluster(),
                     .identity = facts.identity.public_key,
                     .node = facts.node,
                     .ephemeral = handshake.ephemeral.public_key,
                     .mac = facts.mac,
                     .port = facts.port,
                     .reason = invitation.reason,
                     .nodes = static_cast<uint8_t>(std::min<size_t>(facts.view.members.size(), UINT8_MAX)),
                     .proof_size = static_cast<uint32_t>(proof->size()),
                     .proof = ProofDigest(*proof),
                     .name = std::string(facts.cluster_name)};
  SignMessage(facts.identity, &offer);
  handshake.h2 = TranscriptOf(offer);
  handshake.offer = WriteMessage(offer);
  handshake.proof = PartsOf(*proof, handshake.h2);
  SendOffer(now, &handshakes_.emplace(h1, std::move(handshake)).first->second, out);
}

void Admitter::SendOffer(MonoTime now, Handshake* handshake, AdmissionActions* out) {
  const MacAddress& to = handshake->candidate.mac;
  if (!handshake->offers.Take(now)) return;
  out->push_back(SendPayload{.to = to, .payload = handshake->offer});
  for (const ProofMessage& part : handshake->proof) Send(to, part, out);
}

// --- ACCEPT

bool Admitter::IsAdmitting(const PublicKey& identity) const {
  return std::ranges::any_of(handshakes_, [&](const auto& each) {
    return each.second.stage == Stage::kAdmitting && each.second.candidate.identity == identity;
  });
}

void Admitter::OnAccept(MonoTime now, const MacAddress& source, const AcceptMessage& accept, const AdmitterFacts& facts,
                        AdmissionActions* out) {
  const auto found = std::ranges::find_if(handshakes_, [&](const auto& each) { return each.second.h2 == accept.h2; });
  if (found == handshakes_.end()) return;
  Handshake& handshake = found->second;
  const CandidateMessage& candidate = handshake.candidate;
  if (handshake.stage != Stage::kOffered || source != candidate.mac || !handshake.accepts.Take(now)) return;
  if (!MayVerify(now, &accept_signatures_) || !VerifyMessage(accept, candidate.identity)) return;
  if (accept.missing != 0) {
    for (const ProofMessage& part : handshake.proof) {
      if ((accept.missing >> part.index & 1) != 0) Send(candidate.mac, part, out);
    }
    return;
  }
  // As it is now: an expectation may be over, a token used up, and the node a member by now.
  const std::optional<Invitation> invitation = InvitationOf(now, candidate, facts);
  if (!invitation) return;
  handshake.invitation = *invitation;
  if (invitation->reason == AdmitReason::kToken) {
    const PublicKey* key = invitations_.TokenKey(now, candidate.token);
    if (key == nullptr || !MayVerify(now, &accept_signatures_) || !VerifyByToken(*key, accept)) return;
  }
  Agreed(now, accept, facts, &handshake, out);
}

void Admitter::Agreed(MonoTime now, const AcceptMessage& accept, const AdmitterFacts& facts, Handshake* handshake,
                      AdmissionActions* out) {
  const CandidateMessage& candidate = handshake->candidate;
  const bool member = handshake->invitation.reason == AdmitReason::kMember;
  if (!member && (!facts.view.MayAdmit() || IsAdmitting(candidate.identity))) return;
  handshake->keys = HandshakeKeys::Agree(handshake->ephemeral, candidate.ephemeral, TranscriptOf(accept));
  if (!handshake->keys) return;
  handshake->ephemeral = {};
  handshake->progress = now;
  if (member) {
    SendRecords(now, facts, handshake, out);
    return;
  }
  Admit admit{.head = facts.head,
              .generation = facts.view.generation,
              .signer = facts.identity.public_key,
              .subject = {.identity = candidate.identity, .node = candidate.node},
              .copy = candidate.copy.has_value(),
              .token = handshake->invitation.token,
              .name = candidate.name};
  invitations_.Use(handshake->invitation, candidate.identity);
  handshake->stage = Stage::kAdmitting;
  handshake->ticket = next_ticket_++;
  out->push_back(PersistAdmission{.ticket = handshake->ticket,
                                  .record = Record::Sign(std::move(admit), facts.identity),
                                  .reason = handshake->invitation.reason,
                                  .expected = handshake->invitation.expected,
                                  .token = handshake->invitation.token});
}

// --- RECORDS and WELCOME

void Admitter::OnPersisted(MonoTime now, uint64_t ticket, const AdmitterFacts& facts, AdmissionActions* out) {
  const auto found = std::ranges::find_if(handshakes_, [&](const auto& each) {
    return each.second.stage == Stage::kAdmitting && each.second.ticket == ticket;
  });
  if (found == handshakes_.end()) return;
  const CandidateMessage& candidate = found->second.candidate;
  if (!facts.view.members.contains(candidate.identity)) {
    out->push_back(MakeLog(LogLevel::kWarning, "the admission of ", candidate.name, " has no effect"));
    handshakes_.erase(found);
    return;
  }
  list_.Remove(candidate.identity);
  SendRecords(now, facts, &found->second, out);
}

void Admitter::SendRecords(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out) {
  handshake->stage = Stage::kRecords;
  handshake->progress = now;
  handshake->records.emplace(facts.records, facts.view);
  handshake->repeat_at = now + kGiveFirst;
  SendParts(*handshake, handshake->records->OnReceipt(0), out);
}

void Admitter::SendParts(const Handshake& handshake, RecordSender::Range range, AdmissionActions* out) {
  for (uint32_t index = range.begin; index < range.end; ++index) {
    Send(handshake.candidate.mac, handshake.keys->SealRecords(index, handshake.records->Part(index)), out);
  }
}

void Admitter::OnReceipt(MonoTime now, const ReceiptMessage& receipt, const AdmitterFacts& facts,
                         AdmissionActions* out) {
  const auto found = std::ranges::find_if(
      handshakes_, [&](const auto& each) { return each.second.records && each.second.keys->mark() == receipt.h3; });
  if (found == handshakes_.end() || !found->second.keys->Verify(receipt)) return;
  Handshake& handshake = found->second;
  if (receipt.what == ReceiptOf::kKeys) {
    if (handshake.stage != Stage::kWelcome) return;
    out->push_back(Adopted{.identity = handshake.candidate.identity});
    handshakes_.erase(found);
    return;
  }
  if (handshake.stage != Stage::kRecords) return;
  const bool was_done = handshake.records->done();
  const RecordSender::Range more = handshake.records->OnReceipt(receipt.counter);
  if (more.begin < more.end || handshake.records->done() != was_done) {
    handshake.progress = now;
    handshake.repeat_at = now + kGiveFirst;
  }
  SendParts(handshake, more, out);
  if (handshake.records->done()) Give(now, facts, &handshake, out);
}

// Sealed once: what is sent again is the same.
void Admitter::Give(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out) {
  const PublicKey& identity = handshake->candidate.identity;
  const bool belongs = facts.view.members.contains(identity) || Mutated(Mutation::kWelcomeExpelled);
  if (facts.keys.clean().empty() || !belongs) return;
  Welcome welcome{.admit = std::nullopt,
                  .grants = facts.keys.clean(),
                  .rosters = facts.view.rosters,
                  .lineage = facts.lineage,
                  .era = facts.era,
                  .port = facts.port,
                  .group = facts.group,
                  .sources = {facts.sources.begin(), facts.sources.end()}};
  if (const Record* admit = OwnAdmission(facts.records, facts.view, identity)) welcome.admit = *admit;
  std::vector<uint8_t> plain = WriteWelcome(welcome);
  handshake->welcome = WriteMessage(handshake->keys->SealWelcome(plain));
  WipeBytes(plain);
  handshake->stage = Stage::kWelcome;
  handshake->progress = now;
  handshake->repeat_at = now;
  Repeat(now, facts, handshake, out);
}

void Admitter::Repeat(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out) {
  if (handshake->stage == Stage::kWelcome) {
    out->push_back(SendPayload{.to = handshake->candidate.mac, .payload = handshake->welcome});
    handshake->repeat_at = now + handshake->repeat_after;
    handshake->repeat_after = handshake->repeat_after * 2;
  } else if (handshake->stage == Stage::kRecords) {
    handshake->repeat_at = now + kGiveFirst;
    SendParts(*handshake, handshake->records->Unacknowledged(), out);
    if (handshake->records->done()) Give(now, facts, handshake, out);
  }
}

// --- Time

void Admitter::AnnounceCluster(const AdmitterFacts& facts, AdmissionActions* out) const {
  ClusterMessage cluster{.cluster_id = facts.records.genesis().As<Genesis>()->cluster,
                         .cluster = facts.records.cluster(),
                         .identity = facts.identity.public_key,
                         .port = facts.port,
                         .group = facts.group,
                         .nodes = static_cast<uint8_t>(std::min<size_t>(facts.view.members.size(), UINT8_MAX)),
                         .name = std::string(facts.cluster_name)};
  SignMessage(facts.identity, &cluster);
  Send(kBroadcastMac, cluster, out);
}

void Admitter::Tick(MonoTime now, const AdmitterFacts& facts, AdmissionActions* out) {
  invitations_.Tick(now);
  list_.Tick(now);
  std::erase_if(handshakes_, [&](const auto& each) {
    return each.second.stage != Stage::kAdmitting && now >= each.second.progress + kHandshakePatience;
  });
  VerifyWaiting(now, facts, out);
  for (auto& [h1, handshake] : handshakes_) {
    if (now >= handshake.repeat_at) Repeat(now, facts, &handshake, out);
  }
  if (now < announce_at_) return;
  announce_at_ = now + kClusterInterval;
  if (facts.rank == 0) AnnounceCluster(facts, out);
}

MonoTime Admitter::NextDeadline() const {
  MonoTime next = announce_at_;
  if (!waiting_.empty()) next = std::min(next, signatures_.next());
  for (const auto& [h1, handshake] : handshakes_) {
    if (handshake.stage == Stage::kAdmitting) continue;
    next = std::min({next, handshake.repeat_at, handshake.progress + kHandshakePatience});
  }
  return next;
}

}  // namespace qure::admission
