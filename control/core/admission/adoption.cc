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

constexpr uint64_t kBegun = 0;     // a ticket that is none of Admitter's or Candidate's, which begin at 1
constexpr uint32_t kFirstKey = 1;  // id of the key that a cluster begins with

// The key in use with its record, if that is sound and of this cluster.
std::optional<SessionGrant> GrantOf(const StoredKey& key, const RecordSet& records) {
  if (key.record.empty()) return std::nullopt;
  const auto read = Record::Read(key.record, records.genesis().As<Genesis>()->recovery);
  const Record* const record = std::get_if<Record>(&read);
  if (record == nullptr || record->As<Session>() == nullptr) return std::nullopt;
  return SessionGrant(*record, key.key);
}

// The grants as a node keeps them; the greatest is the one that it seals with.
Keyring KeyringOf(const std::vector<SessionGrant>& grants) {
  Keyring keyring;
  uint64_t greatest = 0;
  for (const SessionGrant& grant : grants) {
    const Session& session = grant.session();
    keyring.keys.push_back({.id = session.key_id, .key = grant.key, .record = grant.record.Bytes()});
    if (std::exchange(greatest, std::max(greatest, session.number)) < session.number) keyring.use = session.key_id;
  }
  return keyring;
}

std::vector<std::vector<uint8_t>> BytesOf(const RecordSet& records) {
  std::vector<std::vector<uint8_t>> bytes = {records.genesis().Bytes()};
  for (const auto* part : {&records.rosters(), &records.others()}) {
    for (const auto& [id, record] : *part) bytes.push_back(record.Bytes());
  }
  return bytes;
}

}  // namespace

DrawSecret Adoption::Draw() const {
  return [random = random_](MutableBytes bytes) mutable {
    for (uint8_t& byte : bytes) byte = absl::Uniform<uint8_t>(random);
  };
}

void Adoption::TakeKeys(const AdoptionView& view) {
  keys_ = SessionKeys();
  if (!roll_->belongs()) return;
  keys_.Follow(roll_->view(), roll_->key()->public_key, view.now);
  for (const StoredKey& key : view.keyring->keys) {
    if (const std::optional<SessionGrant> grant = GrantOf(key, *roll_->records())) keys_.Take(*grant);
  }
}

void Adoption::Configure(const AdoptionView& view, Actions* out) {
  admits_ = roll_->belongs() && !view.keyring->keys.empty();
  TakeKeys(view);
  const std::optional<JoinConfig> before =
      std::exchange(seeks_, view.keyring->keys.empty() ? view.config->network.join : std::nullopt);
  if (!seeks_) return candidate_.reset();
  if (seeks_ == before) return;
  if (roll_->key() == nullptr || view.facts->node_id != NodeIdOf(roll_->key()->public_key)) {
    out->push_back(MakeLog(LogLevel::kError, "this node cannot be taken in: it has no signing key, or an id of before ",
                           "there were such keys; with a new, empty data_directory it has both"));
    return candidate_.reset();
  }
  candidate_.emplace(
      CandidateConfig{
          .identity = *roll_->key(),
          .node = view.facts->node_id,
          .boot = view.facts->boot_id,
          .mac = view.mac,
          .revision = view.facts->revision.substr(0, kMaxRevision),
          .name = view.facts->name,
          .cluster_id = seeks_->any_name ? std::nullopt : std::optional(ClusterIdFromName(view.config->name)),
          .want = seeks_->cluster},
      Draw(), random_, view.now);
}

std::optional<Keyring> Adoption::Recorded(const AdoptionView& view) const {
  if (!admits_) return std::nullopt;
  Keyring keyring = *view.keyring;
  const auto used = std::ranges::find(keyring.keys, keyring.use, &StoredKey::id);
  if (used == keyring.keys.end()) return std::nullopt;
  const RecordHead head = {
      .cluster = MarkOf(roll_->records()->cluster()), .time = view.occasion.time, .uptime_ms = view.occasion.uptime_ms};
  const std::optional<SessionGrant> made = keys_.Make(*roll_->key(), head, used->key, used->id);
  if (!made) return std::nullopt;
  used->record = made->record.Bytes();
  return keyring;
}

AdmitterFacts Adoption::Facts(const AdoptionView& view) const {
  return {.identity = *roll_->key(),
          .node = view.facts->node_id,
          .mac = view.mac,
          .rank = view.rank,
          .records = *roll_->records(),
          .view = roll_->view(),
          .keys = keys_,
          .head = {.cluster = MarkOf(roll_->records()->cluster()),
                   .time = view.occasion.time,
                   .uptime_ms = view.occasion.uptime_ms},
          .cluster_name = view.config->name,
          .lineage = view.lineage,
          .era = view.era,
          .port = view.config->network.port,
          .group = view.group};
}

bool Adoption::OnDatagram(const AdoptionView& view, const Datagram& datagram, Actions* out) {
  if (!IsAdmissionDatagram(datagram.payload)) return false;
  AdmissionActions actions;
  if (candidate_) {
    candidate_->OnDatagram(view.now, datagram.mac, datagram.payload, &actions);
  } else if (admits_) {
    admitter_.OnDatagram(view.now, datagram.mac, datagram.payload, Facts(view), &actions);
  }
  Execute(view, actions, out);
  return true;
}

void Adoption::OnPersisted(const AdoptionView& view, uint64_t ticket, bool ok, Actions* out) {
  const auto waiting = tickets_.find(ticket);
  if (waiting == tickets_.end()) return;
  const uint64_t own = waiting->second;
  tickets_.erase(waiting);
  if (!ok) {  // nothing is said then: the cluster's side gives up, and this node begins anew
    if (seeks_) {
      seeks_.reset();
      Configure(view, out);
    }
    return;
  }
  AdmissionActions actions;
  if (own == kBegun) {
    new_boot_ = view.now;
  } else if (candidate_) {
    candidate_->OnPersisted(view.now, own, &actions);
    new_boot_ = view.now + kJoinedWait;
  } else if (admits_) {
    admitter_.OnPersisted(view.now, own, Facts(view), &actions);
  }
  Execute(view, actions, out);
}

void Adoption::Tick(const AdoptionView& view, Actions* out) {
  AdmissionActions actions;
  if (candidate_) {
    candidate_->Tick(view.now, &actions);
  } else if (admits_) {
    keys_.Tick(view.now);
    admitter_.Tick(view.now, Facts(view), &actions);
  }
  Execute(view, actions, out);
  if (view.now < new_boot_) return;
  new_boot_ = kNever;
  out->push_back(MakeLog(LogLevel::kInfo, "this node is in a cluster now: it starts again, as a member"));
  out->push_back(BecomeNewBoot{});
}

MonoTime Adoption::deadline() const {
  if (candidate_) return std::min(candidate_->NextDeadline(), new_boot_);
  return admits_ ? admitter_.NextDeadline() : new_boot_;
}

absl::Status Adoption::Admit(const AdoptionView& view, const std::string& typed, Actions* out) {
  if (!admits_) {
    return absl::FailedPreconditionError(
        "this node has no key to give, or does not belong to a cluster with records: `qurectl cluster found` begins "
        "them");
  }
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

absl::Status Adoption::Begin(const AdoptionView& view, const std::string& name, const std::string& first,
                             Actions* out) {
  if (!candidate_) {
    return absl::FailedPreconditionError(
        "this node has a key, or may not be taken in by a cluster: it is in a cluster, or its file says how it finds "
        "one");
  }
  StoredKey key{.id = kFirstKey, .key = {}, .record = {}};
  Draw()(key.key);
  StoreChange change;
  change.life = StoredLife{};
  change.drop_events_before_era = kEraLimit;
  change.keyring = Keyring{.keys = {key}, .use = key.id};
  change.joined = {.name = name,
                   .port = view.config->network.port,
                   .group = view.config->network.group.value_or(GroupFor(ClusterIdFromName(name))),
                   .first = first};
  candidate_.reset();  // a cluster that would take this node in now comes too late
  tickets_[view.roll.ledger->Store(std::move(change), out)] = kBegun;
  return absl::OkStatus();
}

AdoptionStatus Adoption::Status() const {
  AdoptionStatus status;
  for (const auto& [identity, candidate] : admitter_.listed().all()) status.candidates.push_back(candidate);
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
  tickets_[roll_->Learn(view.roll, action.record, out)] = action.ticket;
}

void Adoption::Do(const AdoptionView& view, const LearnAdmission& action, Actions* out) {
  roll_->Learn(view.roll, action.record, out);
}

void Adoption::Do(const AdoptionView&, const Adopted& action, Actions* out) {
  out->push_back(
      MakeLog(LogLevel::kInfo, "the node ", CodeOf(FingerprintOf(action.identity)), " was taken in, and has the key"));
}

void Adoption::Do(const AdoptionView& view, const PersistMembership& action, Actions* out) {
  StoreChange change;
  // What this node has lived through alone is no part of the cluster's life: it comes as one that never ran.
  change.life = StoredLife{};
  change.drop_events_before_era = kEraLimit;
  change.keyring = KeyringOf(action.grants);
  change.joined = {.name = action.name, .port = action.port, .group = action.group, .first = ""};
  change.records = BytesOf(action.records);
  tickets_[view.roll.ledger->Store(std::move(change), out)] = action.ticket;
}

void Adoption::Do(const AdoptionView&, const ShowAmbiguous& action, Actions* out) {
  ambiguous_ = action.clusters;
  std::string all;
  for (const auto& offering : action.clusters) absl::StrAppend(&all, " ", ToText(offering.cluster));
  out->push_back(MakeLog(LogLevel::kWarning, "several clusters would take this node in:", all,
                         "; give the right one as cluster.join"));
}

void Adoption::Do(const AdoptionView&, const ShowRefused& action, Actions* out) {
  out->push_back(MakeLog(LogLevel::kWarning, "the node ", CodeOf(FingerprintOf(action.by)),
                         " does not take this one in: ", std::string(NameOf(action.why))));
}

void Adoption::Do(const AdoptionView&, const Log& action, Actions* out) {
  out->push_back(action);
}

}  // namespace qure::admission
