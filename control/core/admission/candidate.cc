#include "control/core/admission/candidate.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <variant>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/admission/session_keys.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

constexpr int kIntervalSpread = 20;  // per cent, both ways

size_t SizeOf(const RecordSet& records) {
  return records.rosters().size() + records.others().size();
}

bool IsAnswer(const CandidateMessage& own, const OfferMessage& offer) {
  return offer.identity != own.identity && offer.mac != own.mac;
}

}  // namespace

std::string_view NameOf(CandidateState state) {
  switch (state) {
    case CandidateState::kBare:
      return "bare";
    case CandidateState::kChoose:
      return "choosing";
    case CandidateState::kAmbiguous:
      return "ambiguous";
    case CandidateState::kAccepted:
      return "accepted";
    case CandidateState::kKeyed:
      return "keyed";
  }
  return "?";
}

Candidate::Candidate(CandidateConfig config, DrawSecret draw, absl::BitGenRef random, MonoTime now)
    : config_(std::move(config)), draw_(std::move(draw)), random_(random), next_candidate_(now), choose_since_(now) {
  Announce(now);
}

// --- Being known

void Candidate::Announce(MonoTime now) {
  Announced announced{.ephemeral = DrawEphemeral(draw_), .message = {}, .made = now};
  announced.message = {.identity = config_.identity.public_key,
                       .node = config_.node,
                       .boot = config_.boot,
                       .ephemeral = announced.ephemeral.public_key,
                       .want = config_.want.value_or(Fingerprint{}),
                       .token = config_.token ? config_.token->id : TokenId{},
                       .mac = config_.mac,
                       .revision = config_.revision,
                       .name = config_.name,
                       .copy = config_.copy};
  if (config_.renews) {
    announced.message.renew.emplace();
    const View view = ViewOf(*config_.known);
    for (const auto& [id, record] : config_.known->others()) {
      const auto* admit = record.As<Admit>();
      if (admit == nullptr || admit->subject.identity != config_.identity.public_key) continue;
      if (std::ranges::binary_search(view.in_effect, id)) announced.message.renew->admit = record.Bytes();
    }
  }
  SignMessage(config_.identity, &announced.message);
  announced.h1 = TranscriptOf(announced.message);
  announced_.push_back(std::move(announced));
}

Duration Candidate::Interval() {
  const Duration even = std::max(kCandidateInterval, kCandidatePerHeard * static_cast<int64_t>(heard_.size()));
  return even * absl::Uniform<int64_t>(absl::IntervalClosed, random_, 100 - kIntervalSpread, 100 + kIntervalSpread) /
         100;
}

void Candidate::SendCandidate(MonoTime now, AdmissionActions* out) {
  std::erase_if(heard_, [&](const auto& each) { return each.second + kHeardCandidateLife <= now; });
  CandidateMessage message = announced_.back().message;
  if (!cookies_.empty()) {
    auto next = cookies_.upper_bound(last_cookie_);
    if (next == cookies_.end()) next = cookies_.begin();
    last_cookie_ = next->first;
    message.cookie = next->second;
  }
  out->push_back(SendPayload{.to = config_.ask.value_or(kBroadcastMac), .payload = WriteMessage(message)});
  sent_ = now;
  next_candidate_ = now + (now < fast_until_ ? kCandidateFast : Interval());
}

void Candidate::Join(MonoTime now, const Fingerprint& cluster) {
  if (state_ == CandidateState::kKeyed || (acceptance_ && acceptance_->ticket != 0)) return;
  config_.want = cluster;
  if (config_.token && !std::equal(config_.token->cluster.begin(), config_.token->cluster.end(), cluster.begin())) {
    config_.token.reset();
  }
  announced_.clear();
  Announce(now);
  GoBare(now);
  next_candidate_ = now;
}

void Candidate::GoBare(MonoTime now) {
  state_ = CandidateState::kBare;
  offers_.clear();
  offers_seen_ = 0;
  choose_at_ = kNever;
  ask_at_ = kNever;
  acceptance_.reset();
  next_candidate_ = now + Interval();
}

void Candidate::Fail(MonoTime now, std::string_view why, AdmissionActions* out) {
  const OfferMessage& offer = acceptance_->offer.message;
  out->push_back(MakeLog(LogLevel::kWarning, "adoption by ", offer.name, " (", CodeOf(FingerprintOf(offer.identity)),
                         ") failed: ", std::string(why)));
  announced_.clear();  // the other side may be in the middle of what was begun under that key
  Announce(now);
  GoBare(now);
}

// --- What comes

void Candidate::OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload, AdmissionActions* out) {
  const auto read = ReadMessage(payload);
  const auto* message = std::get_if<AdmissionMessage>(&read);
  if (message == nullptr) return;
  std::visit([&](const auto& each) { OnMessage(now, source, each, out); }, *message);
}

// Others like us: many of them take turns.
void Candidate::OnMessage(MonoTime now, const MacAddress&, const CandidateMessage& message, AdmissionActions*) {
  if (message.identity == config_.identity.public_key) return;
  if (heard_.size() < kMaxHeardCandidates || heard_.contains(message.identity)) heard_[message.identity] = now;
}

void Candidate::OnMessage(MonoTime now, const MacAddress& source, const CookieMessage& message, AdmissionActions*) {
  if (state_ != CandidateState::kBare || message.h1 != announced_.back().h1) return;
  if (cookies_.size() >= kMaxCookies && !cookies_.contains(source)) {
    cookies_.erase(std::next(cookies_.begin(), absl::Uniform<int64_t>(random_, 0, kMaxCookies)));
  }
  cookies_[source] = message.cookie;
  fast_until_ = now + kCandidateFastFor;
  next_candidate_ = std::min(next_candidate_, std::max(now, sent_ + kCandidateFast));
}

void Candidate::OnMessage(MonoTime now, const MacAddress&, const ClusterMessage& message, AdmissionActions*) {
  if (state_ != CandidateState::kBare || now < prompted_ + kPromptInterval) return;
  if (config_.want && message.cluster != *config_.want) return;
  prompted_ = now;
  const Duration spread{absl::Uniform<int64_t>(absl::IntervalClosed, random_, 0, kPromptSpread.ns)};
  next_candidate_ = std::min(next_candidate_, now + spread);
}

void Candidate::OnMessage(MonoTime now, const MacAddress&, const RefusedMessage& message, AdmissionActions* out) {
  const auto ours = [&](const Announced& each) { return each.h1 == message.h1; };
  if (std::ranges::none_of(announced_, ours) || !refusals_budget_.Take(now)) return;
  if (!VerifyMessage(message)) return;
  ShowRefused shown{.why = message.why, .by = message.identity};
  if (message.total > 0) {
    if (!config_.renews) return;
    shown.record = refusal_.Take(message, *config_.known);
    if (!shown.record || !Expels(*shown.record, *config_.known, config_.identity.public_key)) return;
  }
  out->push_back(std::move(shown));
}

void Candidate::OnMessage(MonoTime, const MacAddress&, const AcceptMessage&, AdmissionActions*) {}
void Candidate::OnMessage(MonoTime, const MacAddress&, const ReceiptMessage&, AdmissionActions*) {}

// --- Choosing

bool Candidate::Wants(const OfferMessage& offer) const {
  if (Mutated(Mutation::kIgnoreWant)) return true;
  if (config_.want && offer.cluster != *config_.want) return false;
  if (config_.cluster_name && offer.name != *config_.cluster_name) return false;
  return !config_.token ||
         std::equal(config_.token->cluster.begin(), config_.token->cluster.end(), offer.cluster.begin());
}

void Candidate::OnMessage(MonoTime now, const MacAddress& source, const OfferMessage& message, AdmissionActions*) {
  if (state_ != CandidateState::kBare && state_ != CandidateState::kChoose) return;
  const auto answered = std::ranges::find(announced_, message.h1, &Announced::h1);
  if (answered == announced_.end() || source != message.mac || !IsAnswer(answered->message, message)) return;
  if (!Wants(message)) return;
  const Digest h2 = TranscriptOf(message);
  if (std::ranges::find(offers_, h2, &Offer::h2) != offers_.end() || !checks_budget_.Take(now)) return;
  ++checks_;
  if (!VerifyMessage(message)) return;
  if (state_ == CandidateState::kBare) {
    state_ = CandidateState::kChoose;
    choose_since_ = now;
    choose_at_ = now + kChooseWait;
    ask_at_ = now + kAskProofInterval;
  }
  Keep({.message = message,
        .h2 = h2,
        .ephemeral = answered->ephemeral,
        .proof = ProofParts(message.proof_size, message.proof),
        .judged = std::nullopt});
}

// Of many offers each is as likely to be kept as any other: the first have no advantage.
void Candidate::Keep(Offer offer) {
  ++offers_seen_;
  if (offers_.size() < kMaxOffers) {
    offers_.push_back(std::move(offer));
    return;
  }
  const auto place = absl::Uniform<uint64_t>(random_, 0, offers_seen_);
  if (place < kMaxOffers) offers_[place] = std::move(offer);
}

void Candidate::OnMessage(MonoTime now, const MacAddress& source, const ProofMessage& message, AdmissionActions* out) {
  const auto offer = std::ranges::find(offers_, message.h2, &Offer::h2);
  if (state_ != CandidateState::kChoose || offer == offers_.end() || source != offer->message.mac) return;
  offer->proof.Take(message);
  JudgeProofs(now, out);
  Choose(now, out);
}

void Candidate::JudgeProofs(MonoTime now, AdmissionActions* out) {
  for (auto offer = offers_.begin(); offer != offers_.end();) {
    if (offer->judged || offer->proof.missing() != 0 || !checks_budget_.Has(now)) {
      ++offer;
      continue;
    }
    const size_t records = RecordsIn(offer->proof.bytes());
    checks_budget_.Spend(now, static_cast<int>(records));
    checks_ += records;
    auto judged = JudgeProof(offer->proof.bytes(), offer->message.identity);
    const auto* fault = std::get_if<ProofFault>(&judged);
    std::string_view why = fault == nullptr ? "" : NameOf(*fault);
    if (auto* set = std::get_if<RecordSet>(&judged)) {
      const auto& genesis = *set->genesis().As<Genesis>();
      if (set->cluster() != offer->message.cluster || genesis.cluster != offer->message.cluster_id) why = "foreign";
      // A member knows more than the proof shows: perhaps that the offerer was expelled.
      if (why.empty() && config_.known && config_.known->cluster() == set->cluster()) {
        offer->rank = RankOf(*set, offer->message.identity);
        set->Merge(*config_.known);
        if (!ViewOf(*set).members.contains(offer->message.identity)) why = "expelled";
      }
    }
    if (why.empty()) {
      offer->judged = std::move(std::get<RecordSet>(judged));
      ++offer;
    } else {
      out->push_back(MakeLog(LogLevel::kWarning, "the proof of ", offer->message.name, " (",
                             CodeOf(FingerprintOf(offer->message.identity)), ") does not hold: ", std::string(why)));
      offer = offers_.erase(offer);
    }
  }
}

// A roster ends what may be a thief's word; who is heard under the keys that this node has can tell nothing new.
Candidate::OfferRank Candidate::RankOf(const RecordSet& proof, const PublicKey& offerer) const {
  const auto is_new = [&](const auto& each) { return !config_.known->rosters().contains(each.first); };
  if (std::ranges::any_of(proof.rosters(), is_new)) return OfferRank::kNewRoster;
  return config_.heard.contains(offerer) ? OfferRank::kHeard : OfferRank::kNotHeard;
}

void Candidate::AskForParts(AdmissionActions* out) {
  for (const Offer& offer : offers_) {
    if (offer.proof.missing() == 0) continue;
    AcceptMessage ask{.h2 = offer.h2, .missing = offer.proof.missing()};
    SignMessage(config_.identity, &ask);
    out->push_back(SendPayload{.to = offer.message.mac, .payload = WriteMessage(ask)});
  }
}

void Candidate::Choose(MonoTime now, AdmissionActions* out) {
  const auto is_best = [](const Offer& offer) { return offer.judged && offer.rank == OfferRank::kNewRoster; };
  const bool waits = !IsPinned() || (config_.renews && !config_.ask && std::ranges::none_of(offers_, is_best));
  if (waits && now < choose_at_) return;
  std::map<Fingerprint, std::vector<Offer*>> clusters;
  std::set<Fingerprint> named;
  for (Offer& offer : offers_) {
    if (!offer.judged) continue;
    clusters[offer.message.cluster].push_back(&offer);
    if (offer.message.reason == AdmitReason::kNamed) named.insert(offer.message.cluster);
  }
  if (clusters.empty()) {
    if (offers_.empty() || now >= choose_since_ + kChooseLongest) {
      GoBare(now);
    } else {
      choose_at_ = std::max(choose_at_, ask_at_);
    }
    return;
  }
  if (clusters.size() == 1 || named.size() == 1) {
    const Fingerprint& chosen = clusters.size() == 1 ? clusters.begin()->first : *named.begin();
    const auto best = std::ranges::max_element(clusters.at(chosen), {}, &Offer::rank);
    Accept(now, std::move(**best), out);
    return;
  }
  ShowAmbiguous shown;
  for (const auto& [cluster, offers] : clusters) {
    shown.clusters.push_back(
        {.cluster = cluster, .name = offers.front()->message.name, .reason = offers.front()->message.reason});
  }
  out->push_back(std::move(shown));
  GoBare(now);
  state_ = CandidateState::kAmbiguous;
  choose_at_ = now + kAmbiguousWait;
}

// --- Being taken

void Candidate::Accept(MonoTime now, Offer offer, AdmissionActions* out) {
  AcceptMessage accept{.h2 = offer.h2};
  if (config_.token) {
    Seed seed = TokenSeed(*config_.token, offer.message.cluster);
    SigningKey key = SigningKeyOf(seed);
    accept.token = SignByToken(key, offer.h2);
    WipeBytes(seed);
    WipeBytes(key.secret);
  }
  SignMessage(config_.identity, &accept);
  const auto keys = HandshakeKeys::Agree(offer.ephemeral, offer.message.ephemeral, TranscriptOf(accept));
  if (!keys) {
    GoBare(now);
    return;
  }
  RecordSet known = *std::move(offer.judged);
  const MacAddress to = offer.message.mac;
  acceptance_.emplace(Acceptance{.offer = std::move(offer),
                                 .keys = *keys,
                                 .records = RecordCollector(std::move(known)),
                                 .accept = WriteMessage(accept),
                                 .repeat_at = now + kAcceptFirst,
                                 .repeat_after = kAcceptFirst * 2,
                                 .progress = now,
                                 .since = now});
  offers_.clear();
  state_ = CandidateState::kAccepted;
  out->push_back(SendPayload{.to = to, .payload = acceptance_->accept});
}

void Candidate::OnMessage(MonoTime now, const MacAddress&, const RecordsMessage& message, AdmissionActions* out) {
  if (state_ != CandidateState::kAccepted) return;
  const auto plain = acceptance_->keys.Open(message);
  if (!plain) return;
  RecordCollector& records = acceptance_->records;
  const uint32_t before = records.count();
  if (!records.Take(message.counter, *plain)) {
    Fail(now, "records that do not hold", out);
    return;
  }
  acceptance_->repeat_at = kNever;
  const bool advanced = records.count() > before;
  if (advanced) acceptance_->progress = now;
  // Also of a node that has no key for us: perhaps neither knew all rosters, and none of the keys counts.
  const bool learns = config_.renews && !Mutated(Mutation::kLearnNoRecords);
  if (advanced && learns && records.complete() && SizeOf(records.records()) > SizeOf(*config_.known)) {
    out->push_back(LearnRecords{.records = records.records()});
  }
  if (!advanced || records.complete() || records.count() / kRecordsWindow > before / kRecordsWindow) {
    SendReceipt(ReceiptOf::kRecords, out);
  }
}

void Candidate::OnMessage(MonoTime now, const MacAddress&, const WelcomeMessage& message, AdmissionActions* out) {
  if (!acceptance_) return;
  auto plain = acceptance_->keys.Open(message);
  if (!plain) return;
  if (state_ == CandidateState::kKeyed) SendReceipt(ReceiptOf::kKeys, out);
  if (state_ != CandidateState::kAccepted || acceptance_->ticket != 0 || !acceptance_->records.complete()) return;
  const auto welcome = ReadWelcome(*plain, acceptance_->records.records().genesis().signer());
  WipeBytes(*plain);
  const std::string why = welcome ? TakeWelcome(*welcome, out) : "a WELCOME that is unsound";
  if (!why.empty()) Fail(now, why, out);
}

std::string Candidate::TakeWelcome(const Welcome& welcome, AdmissionActions* out) {
  const PublicKey& self = config_.identity.public_key;
  const OfferMessage& offer = acceptance_->offer.message;
  RecordSet records = acceptance_->records.records();
  if (welcome.admit) {
    if (welcome.admit->As<Admit>()->subject.identity != self) return "the admission of another node";
    records.Add(*welcome.admit);
  }
  const View view = ViewOf(records);
  const auto we = view.members.find(self);
  if (we == view.members.end() || we->second.node != config_.node) return "no admission of this node";
  if (!view.members.contains(offer.identity)) return "the offerer is no member";
  if (view.rosters != welcome.rosters) return "other rosters";
  SessionKeys keys;
  keys.Follow(view, self, kLongAgo);
  const auto clean = [&](const SessionGrant& grant) { return keys.Take(grant); };
  if (welcome.grants.empty() || !std::ranges::all_of(welcome.grants, clean)) return "no session key that is clean";
  acceptance_->ticket = next_ticket_++;
  acceptance_->repeat_at = kNever;
  out->push_back(PersistMembership{.ticket = acceptance_->ticket,
                                   .cluster_id = offer.cluster_id,
                                   .cluster = offer.cluster,
                                   .admitted_by = offer.identity,
                                   .records = std::move(records),
                                   .grants = keys.clean(),
                                   .lineage = welcome.lineage,
                                   .era = welcome.era,
                                   .name = offer.name,
                                   .port = welcome.port,
                                   .group = welcome.group,
                                   .sources = welcome.sources});
  return "";
}

void Candidate::OnPersisted(MonoTime now, uint64_t ticket, AdmissionActions* out) {
  if (state_ != CandidateState::kAccepted || acceptance_->ticket != ticket) return;
  state_ = CandidateState::kKeyed;
  acceptance_->progress = now;
  announced_.clear();
  cookies_.clear();
  SendReceipt(ReceiptOf::kKeys, out);
}

void Candidate::SendReceipt(ReceiptOf what, AdmissionActions* out) {
  const uint32_t count = what == ReceiptOf::kRecords ? acceptance_->records.count() : 0;
  const ReceiptMessage receipt = acceptance_->keys.MakeReceipt(what, count);
  out->push_back(SendPayload{.to = acceptance_->offer.message.mac, .payload = WriteMessage(receipt)});
}

// --- Time

void Candidate::Tick(MonoTime now, AdmissionActions* out) {
  if (state_ == CandidateState::kKeyed) {
    if (acceptance_ && now >= acceptance_->progress + kKeyedMemory) acceptance_.reset();
    return;
  }
  if (now >= announced_.back().made + kEphemeralLife) Announce(now);
  std::erase_if(announced_, [&](const Announced& each) { return now >= each.made + kEphemeralLife * 2; });
  switch (state_) {
    case CandidateState::kBare:
      if (now >= next_candidate_) SendCandidate(now, out);
      return;
    case CandidateState::kChoose:
      JudgeProofs(now, out);
      if (now >= ask_at_) {
        AskForParts(out);
        ask_at_ = now + kAskProofInterval;
      }
      Choose(now, out);
      return;
    case CandidateState::kAmbiguous:
      if (now < choose_at_) return;
      GoBare(now);
      next_candidate_ = now;
      return;
    case CandidateState::kAccepted:
      TickAccepted(now, out);
      return;
    case CandidateState::kKeyed:
      return;
  }
}

void Candidate::TickAccepted(MonoTime now, AdmissionActions* out) {
  if (acceptance_->ticket != 0) return;  // it ends with OnPersisted
  if (now >= acceptance_->progress + kAcceptPatience || now >= acceptance_->since + kAcceptLongest) {
    Fail(now, "no answer", out);
    return;
  }
  if (now < acceptance_->repeat_at) return;
  out->push_back(SendPayload{.to = acceptance_->offer.message.mac, .payload = acceptance_->accept});
  acceptance_->repeat_at = now + acceptance_->repeat_after;
  acceptance_->repeat_after = acceptance_->repeat_after * 2;
}

MonoTime Candidate::NextDeadline() const {
  if (state_ == CandidateState::kKeyed) return acceptance_ ? acceptance_->progress + kKeyedMemory : kNever;
  const MonoTime renewal = announced_.back().made + kEphemeralLife;
  switch (state_) {
    case CandidateState::kBare:
      return std::min(renewal, next_candidate_);
    case CandidateState::kChoose:
      // A proof may also wait for the budget of checks: it is judged when parts are asked for.
      return std::min({renewal, ask_at_, choose_at_});
    case CandidateState::kAmbiguous:
      return std::min(renewal, choose_at_);
    case CandidateState::kAccepted:
      if (acceptance_->ticket != 0) return renewal;
      return std::min({renewal, acceptance_->repeat_at, acceptance_->progress + kAcceptPatience,
                       acceptance_->since + kAcceptLongest});
    case CandidateState::kKeyed:
      break;
  }
  return kNever;
}

}  // namespace qure::admission
