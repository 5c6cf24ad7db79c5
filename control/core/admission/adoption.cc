#include "control/core/admission/adoption.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/admission/codes.h"
#include "control/core/timers.h"
#include "proto/cluster/envelope.h"
#include "proto/net/udp_frame.h"

namespace qure::admission {
namespace {

constexpr uint32_t kFirstKey = 1;  // id of the key that a cluster begins with

std::vector<std::vector<uint8_t>> BytesOf(const RecordSet& records) {
  std::vector<std::vector<uint8_t>> bytes = {records.genesis().Bytes()};
  for (const auto* part : {&records.rosters(), &records.others()}) {
    for (const auto& [id, record] : *part) bytes.push_back(record.Bytes());
  }
  return bytes;
}

// What a node has lived through alone, or with one that was expelled, is no part of the cluster's life: it comes as one
// that never ran.
StoreChange NewLife(Keyring keyring, const RecordSet& records) {
  StoreChange change;
  change.life = StoredLife{};
  change.drop_events_before_era = kEraLimit;
  change.keyring = std::move(keyring);
  change.records = BytesOf(records);
  return change;
}

}  // namespace

absl::Status NothingToGive() {
  return absl::FailedPreconditionError(
      "this node has no key to give, or does not belong to a cluster with records: `qurectl cluster found` begins "
      "them");
}

DrawSecret Adoption::Draw() const {
  return [random = random_](MutableBytes bytes) mutable {
    for (uint8_t& byte : bytes) byte = absl::Uniform<uint8_t>(random);
  };
}

void Adoption::TakeInvitations(const AdoptionView& view) {
  if (std::exchange(generation_, roll_->view().generation) < roll_->view().generation) {
    admitter_.invitations().ForgetExpected();
  }
  std::vector<InvitedToken> open;
  for (const auto& [id, token] : roll_->view().tokens) {
    if (token.until_uptime <= view.occasion.uptime_ms) continue;
    const auto left = static_cast<int64_t>(token.until_uptime - view.occasion.uptime_ms);
    open.push_back({.id = id, .key = token.key, .uses = token.uses, .until = view.now + Milliseconds(left)});
  }
  admitter_.invitations().SetTokens(open);
  admitter_.invitations().SetAuto(view.config->auto_admit);
}

void Adoption::Configure(const AdoptionView& view, Actions* out) {
  admits_ = roll_->belongs() && !view.keyring->keys.empty();
  TakeKeys(view);
  RecordKey(view);
  TakeInvitations(view);
  LeaveIfExpelled(view, out);
  const std::optional<JoinConfig> before = std::exchange(seeks_, Seeks(view));
  if (!seeks_) return candidate_.reset();
  if (seeks_ == before) return;
  if (roll_->key() == nullptr || view.facts->node_id != NodeIdOf(roll_->key()->public_key)) {
    out->push_back(MakeLog(LogLevel::kError, "this node cannot be taken in: it has no signing key, or an id of before ",
                           "there were such keys; with a new, empty data_directory it has both"));
    return candidate_.reset();
  }
  candidate_.emplace(CandidateConfig{.identity = *roll_->key(),
                                     .node = view.facts->node_id,
                                     .boot = view.facts->boot_id,
                                     .mac = view.mac,
                                     .revision = view.facts->revision.substr(0, kMaxRevision),
                                     .name = view.facts->name,
                                     .cluster_name = seeks_->any_name ? std::nullopt : std::optional(view.config->name),
                                     .want = seeks_->cluster,
                                     .token = seeks_->token,
                                     .copy = roll_->copy_of(),
                                     .known = roll_->must_ask() ? std::optional(*roll_->records()) : std::nullopt},
                     Draw(), random_, view.now);
  if (roll_->copy_of()) {
    out->push_back(MakeLog(LogLevel::kWarning, "this node was a copy of another one, and is to be admitted as ",
                           CodeOf(FingerprintOf(roll_->key()->public_key))));
  }
}

std::optional<JoinConfig> Adoption::Seeks(const AdoptionView& view) const {
  if (!view.keyring->keys.empty()) return std::nullopt;
  if (!roll_->must_ask()) return view.config->network.join;
  return JoinConfig{.cluster = roll_->records()->cluster(), .any_name = false, .token = std::nullopt};
}

AdmitterFacts Adoption::Facts(const AdoptionView& view) const {
  return {.identity = *roll_->key(),
          .node = view.facts->node_id,
          .mac = view.mac,
          // Others come for a key that this node has made: it answers at once.
          .rank = change_.coming() != 0 ? 0 : view.rank,
          .records = *roll_->records(),
          .view = roll_->view(),
          .keys = keys_,
          .head = roll_->HeadFor(view.occasion),
          .cluster_name = view.config->name,
          .lineage = view.lineage,
          .era = view.era,
          .port = view.config->network.port,
          .group = view.group};
}

bool Adoption::OnDatagram(const AdoptionView& view, const Datagram& datagram, Actions* out) {
  if (!IsAdmissionDatagram(datagram.payload)) return false;
  if (IsClusterMessage(datagram.payload)) clusters_.OnDatagram(view.now, datagram.mac, datagram.payload);
  AdmissionActions actions;
  if (candidate_) {
    candidate_->OnDatagram(view.now, datagram.mac, datagram.payload, &actions);
  } else if (admits_) {
    if (renewal_) renewal_->OnDatagram(view.now, datagram.mac, datagram.payload, &actions);
    admitter_.OnDatagram(view.now, datagram.mac, datagram.payload, Facts(view), &actions);
  }
  Execute(view, actions, out);
  return true;
}

void Adoption::OnPersisted(const AdoptionView& view, uint64_t ticket, bool ok, Actions* out) {
  const auto waiting = tickets_.find(ticket);
  if (waiting == tickets_.end()) return;
  const auto [waits, own] = waiting->second;
  tickets_.erase(waiting);
  if (!ok) return OnNotPersisted(view, waits, out);
  AdmissionActions actions;
  switch (waits) {
    case Waits::kBegun:
      out->push_back(MakeLog(LogLevel::kInfo, "this node has begun a cluster: it starts again, as its first member"));
      new_boot_ = view.now;
      break;
    case Waits::kExpelled:
      out->push_back(MakeLog(LogLevel::kInfo, "this node starts again, outside the cluster"));
      new_boot_ = view.now;
      break;
    case Waits::kCandidate:
      out->push_back(MakeLog(LogLevel::kInfo, "this node is in a cluster now: it starts again, as a member"));
      if (candidate_) candidate_->OnPersisted(view.now, own, &actions);
      new_boot_ = view.now + kJoinedWait;
      break;
    case Waits::kRejoin:
      new_boot_ = view.now + kJoinedWait;
      [[fallthrough]];
    case Waits::kRenewal:
      if (renewal_) renewal_->OnPersisted(view.now, own, &actions);
      break;
    case Waits::kAdmitter:
      if (admits_) admitter_.OnPersisted(view.now, own, Facts(view), &actions);
      break;
  }
  Execute(view, actions, out);
}

// Nothing is said then: the cluster's side gives up, and this node begins anew.
void Adoption::OnNotPersisted(const AdoptionView& view, Waits waits, Actions* out) {
  if (waits == Waits::kExpelled) expelled_ = false;
  if (waits == Waits::kRenewal || waits == Waits::kRejoin) renewal_.reset();
  if (!seeks_) return;
  seeks_.reset();
  Configure(view, out);
}

void Adoption::Tick(const AdoptionView& view, Actions* out) {
  AdmissionActions actions;
  clusters_.Tick(view.now);
  if (candidate_) {
    candidate_->Tick(view.now, &actions);
  } else if (admits_) {
    TickKeys(view, out);
    if (renewal_) renewal_->Tick(view.now, &actions);
    admitter_.Tick(view.now, Facts(view), &actions);
  }
  Execute(view, actions, out);
  if (view.now < new_boot_) return;
  new_boot_ = kNever;
  out->push_back(BecomeNewBoot{});
}

MonoTime Adoption::deadline() const {
  if (candidate_) return std::min(candidate_->NextDeadline(), new_boot_);
  if (!admits_) return new_boot_;
  const MonoTime renewal = renewal_ ? std::min(renewal_->NextDeadline(), renewal_ends_) : kNever;
  return std::min({new_boot_, renewal, renew_at_, make_key_at_, ask_at_, change_.deadline(), admitter_.NextDeadline()});
}

absl::Status Adoption::Admit(const AdoptionView& view, const std::string& typed, Actions* out) {
  if (!admits_) return NothingToGive();
  const absl::StatusOr<std::string> digits = ParseCode(typed);
  if (!digits.ok()) return digits.status();
  const std::vector<ListedCandidate> fit = admitter_.Expect(view.now, *digits, view.now + kExpected);
  if (fit.size() > 1) {
    std::string all;
    for (const ListedCandidate& candidate : fit) {
      absl::StrAppend(&all, " ", ToText(FingerprintOf(candidate.identity)), " (", candidate.name, ")");
    }
    return absl::InvalidArgumentError(absl::StrCat("more than one node has this code; give more digits of:", all));
  }
  out->push_back(MakeLog(LogLevel::kInfo, "the node with the code ", typed, " will be taken in",
                         fit.empty() ? ", once it is heard" : "", ", by command"));
  Tick(view, out);
  return absl::OkStatus();
}

absl::Status Adoption::AdmitAll(const AdoptionView& view, Duration lifetime, Actions* out) {
  if (!admits_) return NothingToGive();
  admitter_.ExpectAll(view.now, view.now + lifetime);
  out->push_back(MakeLog(LogLevel::kWarning, "every node without a key that asks is taken in for ",
                         lifetime.ns / Seconds(1).ns, " s, by command"));
  Tick(view, out);
  return absl::OkStatus();
}

absl::Status Adoption::Open(const AdoptionView& view, const OpenToken& open, Actions* out) {
  if (!admits_) return NothingToGive();
  const Fingerprint& cluster = roll_->records()->cluster();
  const SigningKey key = SigningKeyOf(TokenSeed(MakeToken(cluster, open.id, open.secret), cluster));
  const Invite invite = {
      .head = roll_->HeadFor(view.occasion),
      .generation = roll_->view().generation,
      .signer = roll_->key()->public_key,
      .token = open.id,
      .key = key.public_key,
      .uses = open.uses,
      .until_uptime = view.occasion.uptime_ms + static_cast<uint64_t>(open.lifetime.ns / Milliseconds(1).ns)};
  absl::Status opened = Sign(view, invite, out);
  if (opened.ok()) {
    out->push_back(MakeLog(LogLevel::kInfo, "the token ", ToText(open.id), " takes in ", open.uses, " nodes, for ",
                           open.lifetime.ns / Seconds(1).ns, " s, by command"));
  }
  return opened;
}

absl::Status Adoption::Close(const AdoptionView& view, const TokenId& token, Actions* out) {
  if (!admits_) return NothingToGive();
  const auto found = roll_->view().tokens.find(token);
  if (found == roll_->view().tokens.end()) {
    return absl::NotFoundError("no such token is open; `qurectl invite list` shows those that are");
  }
  return Sign(view,
              {.head = roll_->HeadFor(view.occasion),
               .generation = roll_->view().generation,
               .signer = roll_->key()->public_key,
               .token = token,
               .key = found->second.key,
               .uses = 0,
               .until_uptime = found->second.until_uptime},
              out);
}

absl::Status Adoption::Sign(const AdoptionView& view, const Invite& invite, Actions* out) {
  const Record record = Record::Sign(invite, *roll_->key());
  roll_->Learn(view.roll, record, out);
  if (roll_->records()->others().contains(record.id())) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("this node has signed as many records as the cluster keeps of one, ",
                                                   kMaxRecordsOfSigner, "; do it on another node"));
}

absl::Status Adoption::Begin(const AdoptionView& view, const std::string& name, const std::string& first,
                             Actions* out) {
  if (!candidate_) {
    return absl::FailedPreconditionError(
        "this node has a key, or may not be taken in by a cluster: it is in a cluster, or its file says how it finds "
        "one");
  }
  StoredKey key{.id = kFirstKey, .key = {}, .record = {}};
  Draw()(key.key);
  ClusterId id{};
  Draw()(id);
  StoreChange change;
  change.life = StoredLife{};
  change.drop_events_before_era = kEraLimit;
  change.keyring = Keyring{.keys = {key}, .use = key.id};
  change.joined = {.name = name,
                   .id = id,
                   .port = view.config->network.port,
                   .group = view.config->network.group.value_or(GroupFor(id)),
                   .first = first};
  candidate_.reset();  // a cluster that would take this node in now comes too late
  tickets_[view.roll.ledger->StoreLast(std::move(change), out)] = {Waits::kBegun, 0};
  return absl::OkStatus();
}

AdoptionStatus Adoption::Status() const {
  AdoptionStatus status;
  for (const auto& [identity, candidate] : admitter_.listed().all()) status.candidates.push_back(candidate);
  status.clusters = clusters_.all();
  status.all_until = admitter_.invitations().all_until();
  if (candidate_) {
    status.joining = candidate_->state();
    if (candidate_->state() == CandidateState::kAmbiguous) status.ambiguous = ambiguous_;
  }
  return status;
}

void Adoption::Execute(const AdoptionView& view, const AdmissionActions& actions, Actions* out) {
  for (const AdmissionAction& action : actions) {
    std::visit([&](const auto& each) { Do(view, each, out); }, action);
  }
}

void Adoption::Do(const AdoptionView& view, const SendPayload& action, Actions* out) {
  SendFrame frame{.bytes = std::vector<uint8_t>(kUdpFrameHeaders + action.payload.size())};
  // All that is known of a node without a key is its MAC.
  WriteUdpFrame({.ethernet_source = view.mac,
                 .ethernet_destination = action.to,
                 .source = view.address,
                 .destination = kLimitedBroadcast,
                 .source_port = view.config->network.port,
                 .destination_port = view.config->network.port},
                action.payload, frame.bytes);
  out->push_back(std::move(frame));
}

void Adoption::Do(const AdoptionView& view, const PersistAdmission& action, Actions* out) {
  tickets_[roll_->Learn(view.roll, action.record, out)] = {Waits::kAdmitter, action.ticket};
}

void Adoption::Do(const AdoptionView& view, const LearnAdmission& action, Actions* out) {
  roll_->Learn(view.roll, action.record, out);
}

void Adoption::Do(const AdoptionView&, const Adopted& action, Actions* out) {
  out->push_back(
      MakeLog(LogLevel::kInfo, "the node ", CodeOf(FingerprintOf(action.identity)), " was taken in, and has the key"));
}

void Adoption::Do(const AdoptionView& view, const PersistMembership& action, Actions* out) {
  if (!candidate_) {  // a member has come for a key
    if (WasAway(view, action.records)) {
      out->push_back(MakeLog(LogLevel::kWarning,
                             "this node was away while a node was expelled from the cluster: what it has heard since "
                             "does not count, and it starts again as a new member"));
      StoreChange change = NewLife(With({}, action.grants), action.records);
      tickets_[view.roll.ledger->StoreLast(std::move(change), out)] = {Waits::kRejoin, action.ticket};
      return;
    }
    tickets_[roll_->Merge(view.roll, action.records, out)] = {Waits::kRenewal, action.ticket};
    TakeGrants(view, action.grants);
    return;
  }
  StoreChange change = NewLife(With({}, action.grants), action.records);
  change.joined = {
      .name = action.name, .id = action.cluster_id, .port = action.port, .group = action.group, .first = ""};
  tickets_[view.roll.ledger->StoreLast(std::move(change), out)] = {Waits::kCandidate, action.ticket};
}

void Adoption::Do(const AdoptionView& view, const LearnRecords& action, Actions* out) {
  if (!WasAway(view, action.records)) roll_->Merge(view.roll, action.records, out);
}

void Adoption::Do(const AdoptionView&, const ShowAmbiguous& action, Actions* out) {
  ambiguous_ = action.clusters;
  std::string all;
  for (const auto& offering : action.clusters) absl::StrAppend(&all, " ", ToText(offering.cluster));
  out->push_back(MakeLog(LogLevel::kWarning, "several clusters would take this node in:", all,
                         "; give the right one as cluster.join"));
}

void Adoption::Do(const AdoptionView& view, const ShowRefused& action, Actions* out) {
  // A roster without this node, or its own word that it left.
  if (action.record && roll_->records() != nullptr) roll_->Learn(view.roll, *action.record, out);
  out->push_back(MakeLog(LogLevel::kWarning, "the node ", CodeOf(FingerprintOf(action.by)),
                         " does not take this one in: ", std::string(NameOf(action.why))));
}

void Adoption::Do(const AdoptionView&, const Log& action, Actions* out) {
  out->push_back(action);
}

}  // namespace qure::admission
