#include "control/core/admission/roll.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <variant>

#include <sodium.h>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

using IdPrefix = std::array<uint8_t, 16>;

IdPrefix PrefixOf(const RecordId& id) {
  IdPrefix prefix;
  std::copy_n(id.begin(), prefix.size(), prefix.begin());
  return prefix;
}

std::optional<IdPrefix> ReadPrefix(std::string_view bytes) {
  IdPrefix prefix{};
  if (bytes.size() != prefix.size()) return std::nullopt;
  std::ranges::copy(bytes, prefix.begin());
  return prefix;
}

std::string Text(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

std::optional<PublicKey> IdentityOf(const wire::Hello& hello) {
  PublicKey key{};
  if (hello.identity().size() != key.size()) return std::nullopt;
  std::ranges::copy(hello.identity(), key.begin());
  return key;
}

// What is sent of a view in a HELLO. 0 stands for none.
uint64_t ShortOf(const Digest& digest) {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof(number); ++i) number = number << 8 | digest[i];
  return std::max<uint64_t>(number, 1);
}

// All records but the genesis, ascending by id.
std::map<RecordId, const Record*> AllOf(const RecordSet& records) {
  std::map<RecordId, const Record*> all;
  for (const auto& [id, record] : records.rosters()) all.emplace(id, &record);
  for (const auto& [id, record] : records.others()) all.emplace(id, &record);
  return all;
}

// As messages of at most kRecordPart bytes of it.
std::vector<wire::Message> PartsOf(const Record& record) {
  const std::string bytes = Text(record.Bytes());
  const size_t total = (bytes.size() + kRecordPart - 1) / kRecordPart;
  std::vector<wire::Message> messages(total);
  for (size_t i = 0; i < total; ++i) {
    wire::AdmissionPart* const part = messages[i].mutable_admission_part();
    part->set_id(Text(record.id()));
    part->set_index(static_cast<uint32_t>(i));
    part->set_total(static_cast<uint32_t>(total));
    part->set_part(bytes.substr(i * kRecordPart, kRecordPart));
  }
  return messages;
}

}  // namespace

Roll::Roll(const NodeId& self, const std::optional<Seed>& identity, const std::optional<CopyOf>& copy_of,
           const std::vector<std::vector<uint8_t>>& stored)
    : self_(self), copy_of_(copy_of) {
  if (identity) key_ = SigningKeyOf(*identity);
  for (const std::vector<uint8_t>& bytes : stored) {
    const std::variant<Record, RecordFault> read = Record::Read(bytes, {});
    const Record* const record = std::get_if<Record>(&read);
    if (record != nullptr && record->As<Genesis>() != nullptr && !records_) records_.emplace(*record);
  }
  for (const std::vector<uint8_t>& bytes : stored) {
    if (!records_) break;
    const std::variant<Record, RecordFault> read = Record::Read(bytes, records_->genesis().As<Genesis>()->recovery);
    const Record* const record = std::get_if<Record>(&read);
    const bool taken = record != nullptr && records_->Add(*record) != RecordSet::Added::kForeign;
    unreadable_ += taken ? 0 : 1;
  }
  if (!records_) unreadable_ = stored.size();
}

void Roll::Configure(const ClusterId& cluster, Actions* out) {
  if (cluster_ == cluster) return;
  if (!cluster_ && unreadable_ > 0) {
    out->push_back(MakeLog(LogLevel::kError, unreadable_, " records of who belongs to the cluster, in the store, are ",
                           "not valid: left out, and asked of the other nodes"));
  }
  cluster_ = cluster;
  usable_ = records_ && records_->genesis().As<Genesis>()->cluster == cluster;
  view_ = usable_ ? ViewOf(*records_) : View{};
  changed_ = true;
  if (records_ && !usable_) {
    out->push_back(MakeLog(LogLevel::kError, "the records of who belongs to the cluster are of a cluster with another ",
                           "name: they have no effect under this cluster.name"));
  }
}

RecordHead Roll::HeadFor(const Occasion& occasion) const {
  return {.cluster = MarkOf(records_->cluster()), .time = occasion.time, .uptime_ms = occasion.uptime_ms};
}

absl::Status Roll::Found(const RollView& view, const RecoveryCode& code, const Occasion& occasion, Actions* out) {
  if (!key_) {
    return absl::FailedPreconditionError(
        "this node has no signing key, since its store could not be written at the start: mend that, and start it "
        "again");
  }
  if (records_) {
    return absl::AlreadyExistsError(
        absl::StrCat("the cluster is founded already, as ", ToText(records_->cluster()),
                     usable_ ? "; `qurectl cluster` shows who belongs to it" : ", under another cluster.name"));
  }
  Seed seed = RecoverySeed(code, *cluster_);
  SigningKey recovery = SigningKeyOf(seed);
  records_.emplace(Record::Sign(Genesis{.time = occasion.time,
                                        .cluster = *cluster_,
                                        .recovery = recovery.public_key,
                                        .founder = {.identity = key_->public_key, .node = self_}},
                                recovery));
  sodium_memzero(seed.data(), seed.size());
  sodium_memzero(recovery.secret.data(), recovery.secret.size());
  usable_ = true;
  Enrol(*view.members, occasion);
  Changed(view, out);
  return absl::OkStatus();
}

absl::Status Roll::EnrolPresent(const RollView& view, const Occasion& occasion, Actions* out) {
  if (!usable_) return absl::FailedPreconditionError("the cluster is not founded: `qurectl cluster found` does that");
  if (!belongs()) {
    return absl::PermissionDeniedError("this node does not belong to the cluster itself; do it on one that does");
  }
  if (Enrol(*view.members, occasion)) Changed(view, out);
  return absl::OkStatus();
}

// Whether any was admitted.
bool Roll::Enrol(const Membership& members, const Occasion& occasion) {
  View known = ViewOf(*records_);
  // Only the founder is believed about the ids of before there were identities.
  const bool founder = records_->genesis().As<Genesis>()->founder.identity == key_->public_key;
  bool admitted = false;
  for (const auto& [node, member] : members.all()) {
    const std::optional<PublicKey> identity = IdentityOf(member.hello);
    if (!member.present() || !identity || known.members.contains(*identity) || !known.MayAdmit()) continue;
    const bool legacy = node != NodeIdOf(*identity);
    if (legacy && (!founder || known.generation != 0)) continue;
    const Admit admit{.head = HeadFor(occasion),
                      .generation = known.generation,
                      .signer = key_->public_key,
                      .subject = {.identity = *identity, .node = node},
                      .legacy = legacy,
                      .name = IsNodeName(member.hello.name()) ? member.hello.name() : ToHex(node)};
    if (records_->Add(Record::Sign(admit, *key_)) != RecordSet::Added::kNew) continue;
    known = ViewOf(*records_);
    admitted = true;
  }
  return admitted;
}

uint64_t Roll::Learn(const RollView& view, const Record& record, Actions* out) {
  QURE_CHECK(usable_);
  records_->Add(record);
  return Changed(view, out);
}

uint64_t Roll::Merge(const RollView& view, const RecordSet& records, Actions* out) {
  QURE_CHECK(usable_);
  records_->Merge(records);
  return Changed(view, out);
}

absl::StatusOr<Record> Roll::MakeRoster(const RecoveryCode& code, const std::set<Fingerprint>& gone,
                                        const std::string& why, const Occasion& occasion) const {
  if (!belongs()) return absl::PermissionDeniedError("this node does not belong to a cluster with records");
  if (gone.contains(FingerprintOf(key_->public_key))) {
    return absl::InvalidArgumentError(
        "a node does not revoke itself: `qurectl handover`, and do it on the next master");
  }
  Roster roster{.head = HeadFor(occasion),
                .generation = view_.generation + 1,
                .made_by = key_->public_key,
                .why = why,
                .members = {}};
  for (const auto& [identity, member] : view_.members) {
    if (!gone.contains(FingerprintOf(identity))) roster.members.push_back({.identity = identity, .node = member.node});
  }
  if (roster.members.size() > kMaxMembers) {
    return absl::ResourceExhaustedError(absl::StrCat("a roster holds ", kMaxMembers, " nodes; revoke more of them"));
  }
  Seed seed = RecoverySeed(code, *cluster_);
  SigningKey recovery = SigningKeyOf(seed);
  absl::StatusOr<Record> record =
      absl::PermissionDeniedError("this is not the recovery code of this cluster; nothing was changed");
  if (recovery.public_key == records_->genesis().signer()) record = Record::Sign(std::move(roster), recovery);
  sodium_memzero(seed.data(), seed.size());
  sodium_memzero(recovery.secret.data(), recovery.secret.size());
  return record;
}

// Also to those that a roster leaves out: an honest one stops serving before the others stop hearing it.
void Roll::Proclaim(const RollView& view, const Record& record, Actions* out) {
  for (const wire::Message& message : PartsOf(record)) view.transport->SendToAll(message, out);
  Learn(view, record, out);
}

void Roll::Leave(const RollView& view, const Occasion& occasion, Actions* out) {
  QURE_CHECK(belongs());
  Proclaim(view, Record::Sign(admission::Leave{.head = HeadFor(occasion), .subject = key_->public_key}, *key_), out);
}

void Roll::Forget(const RollView& view, const NodeId& node, uint64_t age, const Occasion& occasion, Actions* out) {
  if (!belongs()) return;
  const auto is_it = [&](const auto& each) { return each.second.node == node; };
  const auto member = std::ranges::find_if(view_.members, is_it);
  if (member == view_.members.end() || member->second.forgotten >= age) return;
  const admission::Forget forget{
      .head = HeadFor(occasion), .signer = key_->public_key, .subject = member->first, .age = age};
  Proclaim(view, Record::Sign(forget, *key_), out);
}

std::vector<NodeId> Roll::Behind(const Membership& members) const {
  std::vector<NodeId> behind;
  for (const auto& [node, member] : members.all()) {
    if (member.present() && Knows(member) && member.hello.admission_digest() != ShortOf(view_.digest)) {
      behind.push_back(node);
    }
  }
  return behind;
}

RollStatus Roll::Status(const Membership& members) const {
  RollStatus status;
  if (key_) status.own = FingerprintOf(key_->public_key);
  if (!usable_) return status;
  status.cluster = records_->cluster();
  status.expelled = expelled();
  status.generation = view_.generation;
  status.founded_otherwise = founded_otherwise_;
  for (const auto& [identity, member] : view_.members) {
    status.nodes.push_back({.identity = FingerprintOf(identity),
                            .node = member.node,
                            .name = member.name,
                            .forgotten = IsForgotten(member, members)});
  }
  for (const auto& [id, token] : view_.tokens) {
    RollStatus::OpenToken row{.id = id, .uses = token.uses, .used_by = {}, .until_uptime = token.until_uptime};
    for (const PublicKey& identity : token.used_by) {
      const auto member = view_.members.find(identity);
      row.used_by.push_back(member == view_.members.end() ? CodeOf(FingerprintOf(identity)) : member->second.name);
    }
    status.tokens.push_back(std::move(row));
  }
  for (const auto& [node, member] : members.all()) {
    if (member.present() && !Knows(member)) status.outside.push_back(node);
  }
  status.behind = Behind(members);
  return status;
}

bool IsForgotten(const MemberView& member, const Membership& members) {
  const Member* const heard = members.Find(member.node);
  return member.forgotten && (heard == nullptr || (!heard->present() && heard->hello.age() <= *member.forgotten));
}

// Who has the key can say that it is another: but not under another node id.
bool Roll::Knows(const Member& member) const {
  const std::optional<PublicKey> identity = IdentityOf(member.hello);
  const auto known = identity ? view_.members.find(*identity) : view_.members.end();
  return known != view_.members.end() && known->second.node == member.node;
}

void Roll::FillHello(wire::Hello* hello) const {
  if (key_) hello->set_identity(Text(key_->public_key));
  if (usable_) hello->set_admission_digest(ShortOf(view_.digest));
}

bool Roll::MayPull(MonoTime now, const NodeId& node) {
  if (next_pull_.size() > kMaxMembers) {
    std::erase_if(next_pull_, [&](const auto& entry) { return entry.second <= now; });
  }
  MonoTime& next = next_pull_[node];
  if (now < next) return false;
  next = now + kPullInterval;
  return true;
}

void Roll::OnHello(const RollView& view, const Member& member, Actions* out) {
  const uint64_t theirs = member.hello.admission_digest();
  if (theirs == 0 || (usable_ && theirs == ShortOf(view_.digest)) || (records_ && !usable_)) return;
  if (Mutated(Mutation::kPullNoRecords)) return;
  if (MayPull(view.now, member.node)) Pull(view, member.at, out);
}

// In messages of kIdsInPull ids, which together span all that there can be.
void Roll::Pull(const RollView& view, const PeerAddress& to, Actions* out) const {
  IdPrefix least{};
  IdPrefix greatest{};
  wire::Message message;
  const auto send = [&](const IdPrefix& until) {
    wire::AdmissionPull* const pull = message.mutable_admission_pull();
    if (usable_) pull->set_cluster(Text(records_->cluster()));
    pull->set_least(Text(least));
    pull->set_greatest(Text(until));
    view.transport->SendTo(to, message, out);
  };
  size_t count = 0;
  for (const auto& [id, record] : usable_ ? AllOf(*records_) : std::map<RecordId, const Record*>{}) {
    if (count == kIdsInPull) {
      send(greatest);
      message.Clear();
      least = greatest;
      count = 0;
    }
    greatest = PrefixOf(id);
    message.mutable_admission_pull()->mutable_have()->append(greatest.begin(), greatest.end());
    ++count;
  }
  greatest.fill(UINT8_MAX);
  send(greatest);
}

bool Roll::OnMessage(const RollView& view, const Incoming& incoming, Actions* out) {
  switch (incoming.message.body_case()) {
    case wire::Message::kAdmissionPull:
      OnPull(view, incoming, out);
      return true;
    case wire::Message::kAdmissionPart:
      OnPart(view, incoming, out);
      return true;
    default:
      return false;
  }
}

// Sends what has effect here and is not there: what has none here has none there.
void Roll::OnPull(const RollView& view, const Incoming& incoming, Actions* out) const {
  const wire::AdmissionPull& pull = incoming.message.admission_pull();
  const std::optional<IdPrefix> least = ReadPrefix(pull.least());
  const std::optional<IdPrefix> greatest = ReadPrefix(pull.greatest());
  if (!usable_ || !least || !greatest || pull.have().size() > kIdsInPull * sizeof(IdPrefix)) return;
  std::set<IdPrefix> have;
  for (size_t at = 0; at + sizeof(IdPrefix) <= pull.have().size(); at += sizeof(IdPrefix)) {
    have.insert(*ReadPrefix(std::string_view(pull.have()).substr(at, sizeof(IdPrefix))));
  }
  const bool of_ours = pull.cluster() == Text(records_->cluster());
  std::vector<wire::Message> answer;
  if (!of_ours) answer = PartsOf(records_->genesis());
  for (const auto& [id, record] : AllOf(*records_)) {
    if (!of_ours && !pull.cluster().empty()) break;  // founded otherwise: our records are nothing there
    const IdPrefix prefix = PrefixOf(id);
    if (prefix < *least || prefix > *greatest || have.contains(prefix)) continue;
    if (!std::ranges::binary_search(view_.in_effect, id)) continue;
    std::ranges::move(PartsOf(*record), std::back_inserter(answer));
    if (answer.size() >= kMaxRecordParts) break;
  }
  for (const wire::Message& message : answer) view.transport->SendTo(incoming.from, message, out);
}

void Roll::OnPart(const RollView& view, const Incoming& incoming, Actions* out) {
  if (records_ && !usable_) return;
  const std::optional<std::vector<uint8_t>> bytes = Assemble(incoming.message.admission_part());
  if (bytes && verified_.Take(view.now, kRecordCost, kRecordBurst)) Take(view, incoming.node, *bytes, out);
}

std::optional<std::vector<uint8_t>> Roll::Assemble(const wire::AdmissionPart& part) {
  constexpr size_t kMostParts = (kMaxRecord + kRecordPart - 1) / kRecordPart;
  if (part.id().size() != sizeof(RecordId) || part.part().size() > kRecordPart || part.total() == 0 ||
      part.total() > kMostParts || part.index() >= part.total()) {
    return std::nullopt;
  }
  RecordId id{};
  std::ranges::copy(part.id(), id.begin());
  if (records_ && (records_->rosters().contains(id) || records_->others().contains(id))) return std::nullopt;
  if (!pieces_.contains(part.id()) && pieces_.size() >= kMaxPiecedRecords) pieces_.erase(pieces_.begin());
  Pieces& pieces = pieces_[part.id()];
  if (pieces.total != part.total()) pieces = {.total = part.total(), .parts = {}};
  pieces.parts[part.index()] = part.part();
  if (pieces.parts.size() < pieces.total) return std::nullopt;
  std::vector<uint8_t> bytes;
  for (const auto& [index, piece] : pieces.parts) bytes.insert(bytes.end(), piece.begin(), piece.end());
  pieces_.erase(part.id());
  return bytes;
}

void Roll::Take(const RollView& view, const NodeId& from, const std::vector<uint8_t>& bytes, Actions* out) {
  const PublicKey recovery = records_ ? records_->genesis().As<Genesis>()->recovery : PublicKey{};
  const std::variant<Record, RecordFault> read = Record::Read(bytes, recovery);
  const Record* const record = std::get_if<Record>(&read);
  if (record == nullptr) return;
  const bool is_genesis = record->As<Genesis>() != nullptr;
  if (is_genesis ? TakeGenesis(from, *record, out) : records_ && records_->Add(*record) == RecordSet::Added::kNew) {
    Changed(view, out);
  }
}

bool Roll::TakeGenesis(const NodeId& from, const Record& genesis, Actions* out) {
  if (genesis.As<Genesis>()->cluster != cluster_) return false;
  if (!records_) {
    records_.emplace(genesis);
    usable_ = true;
    out->push_back(MakeLog(LogLevel::kInfo, "this cluster's fingerprint is ", ToText(records_->cluster())));
    return true;
  }
  if (genesis.id() == records_->genesis().id() || founded_otherwise_) return false;
  founded_otherwise_ = from;
  out->push_back(MakeLog(LogLevel::kError, "the cluster was founded twice: here as ", CodeOf(records_->cluster()),
                         "…, at node ", ToHex(from), " as ", CodeOf(ClusterFingerprint(genesis)), "…"));
  return false;
}

uint64_t Roll::Changed(const RollView& view, Actions* out) {
  changed_ = true;
  const std::map<PublicKey, MemberView> before = std::exchange(view_, ViewOf(*records_)).members;
  for (const auto& [identity, member] : view_.members) {
    if (before.contains(identity)) continue;
    const std::string name = member.name.empty() ? "" : absl::StrCat(" (", member.name, ")");
    out->push_back(MakeLog(LogLevel::kInfo, "node ", ToHex(member.node), name, " belongs to the cluster"));
  }
  StoreChange change{.records = {{records_->genesis().Bytes()}}};
  for (const auto& [id, record] : AllOf(*records_)) change.records->push_back(record->Bytes());
  return view.ledger->Store(std::move(change), out);
}

}  // namespace qure::admission
