#include "control/core/admission/records.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "control/core/admission/codec.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kLegacy = 1;
constexpr uint8_t kCopy = 2;
constexpr std::string_view kRecordLabel = "qure record 1";

void Put(const RecordHead& head, Writer* out) {
  out->Bytes(head.cluster);
  out->Integer(head.time);
  out->Integer(head.uptime_ms);
}
void Get(Reader* in, RecordHead* out) {
  in->Bytes(&out->cluster);
  in->Integer(&out->time);
  in->Integer(&out->uptime_ms);
}
void Get(Reader* in, Listed* out) {
  in->Bytes(&out->identity);
  in->Bytes(&out->node);
}
void Put(const ConfigVersion& version, Writer* out) {
  out->Integer(version.term.era);
  out->Integer(version.term.epoch);
  out->Integer(version.term.holder);
  out->Integer(version.n);
  out->Integer(version.check);
}
void Get(Reader* in, ConfigVersion* out) {
  in->Integer(&out->term.era);
  in->Integer(&out->term.epoch);
  in->Integer(&out->term.holder);
  in->Integer(&out->n);
  in->Integer(&out->check);
}

// The rules of each kind that its layout does not enforce.
bool IsSound(const Genesis&) {
  return true;
}
bool IsSound(const Roster& roster) {
  const bool bounded = !roster.members.empty() && roster.members.size() <= kMaxMembers && roster.why.size() <= kMaxWhy;
  const auto not_ascending = [](const Listed& a, const Listed& b) { return a.identity >= b.identity; };
  return bounded && roster.generation > 0 && IsPrintable(roster.why) &&
         std::ranges::adjacent_find(roster.members, not_ascending) == roster.members.end();
}
bool IsSound(const Admit& admit) {
  if (!IsNodeName(admit.name)) return false;
  return admit.legacy ? admit.generation == 0 : admit.subject.node == NodeIdOf(admit.subject.identity);
}
bool IsSound(const Leave&) {
  return true;
}
bool IsSound(const Forget&) {
  return true;
}
bool IsSound(const Session& session) {
  return session.number > 0;
}
bool IsSound(const ConfigEntry& entry) {
  const bool timed = entry.confirm == (entry.timeout_ms > 0) && entry.timeout_ms <= kMaxConfirmTimeoutMs;
  return timed && entry.size > 0 && entry.size <= kMaxConfigBody && entry.version.n > 0 && entry.base < entry.version &&
         entry.version.check == CheckOf(entry);
}
bool IsSound(const ConfigConfirm& confirm) {
  return confirm.version.n > 0;
}
bool IsSound(const Invite& invite) {
  return invite.token != TokenId{} && invite.uses <= kMaxTokenUses;
}

void Encode(const Genesis& genesis, Writer* out) {
  out->Integer(genesis.time);
  out->Bytes(genesis.cluster);
  out->Bytes(genesis.recovery);
  out->Bytes(genesis.founder.identity);
  out->Bytes(genesis.founder.node);
}
void Encode(const Roster& roster, Writer* out) {
  Put(roster.head, out);
  out->Integer(roster.generation);
  out->Bytes(roster.made_by);
  out->Text(roster.why);
  out->Integer(static_cast<uint8_t>(roster.members.size()));
  for (const Listed& member : roster.members) {
    out->Bytes(member.identity);
    out->Bytes(member.node);
  }
}
void Encode(const Admit& admit, Writer* out) {
  Put(admit.head, out);
  out->Integer(admit.generation);
  out->Bytes(admit.signer);
  out->Bytes(admit.subject.identity);
  out->Bytes(admit.subject.node);
  out->Integer(static_cast<uint8_t>((admit.legacy ? kLegacy : 0) | (admit.copy ? kCopy : 0)));
  out->Bytes(admit.token);
  out->Text(admit.name);
}
void Encode(const Leave& leave, Writer* out) {
  Put(leave.head, out);
  out->Bytes(leave.subject);
}
void Encode(const Forget& forget, Writer* out) {
  Put(forget.head, out);
  out->Bytes(forget.signer);
  out->Bytes(forget.subject);
  out->Integer(forget.age);
}
void Encode(const Session& session, Writer* out) {
  Put(session.head, out);
  out->Bytes(session.signer);
  out->Integer(session.key_id);
  out->Integer(session.number);
  out->Bytes(session.rosters);
  out->Bytes(session.key);
}
// What its version is checked against.
void EncodeContent(const ConfigEntry& entry, Writer* out) {
  Put(entry.base, out);
  out->Bytes(entry.body);
  out->Integer(entry.size);
  out->Integer(static_cast<uint8_t>(entry.confirm ? 1 : 0));
  out->Integer(entry.timeout_ms);
}
void Encode(const ConfigEntry& entry, Writer* out) {
  Put(entry.head, out);
  out->Bytes(entry.signer);
  Put(entry.version, out);
  EncodeContent(entry, out);
}
void Encode(const ConfigConfirm& confirm, Writer* out) {
  Put(confirm.head, out);
  out->Bytes(confirm.signer);
  Put(confirm.version, out);
}
void Encode(const Invite& invite, Writer* out) {
  Put(invite.head, out);
  out->Integer(invite.generation);
  out->Bytes(invite.signer);
  out->Bytes(invite.token);
  out->Bytes(invite.key);
  out->Integer(invite.uses);
  out->Integer(invite.until_uptime);
}

Genesis DecodeGenesis(Reader* in) {
  Genesis genesis;
  in->Integer(&genesis.time);
  in->Bytes(&genesis.cluster);
  in->Bytes(&genesis.recovery);
  Get(in, &genesis.founder);
  return genesis;
}
Roster DecodeRoster(Reader* in) {
  Roster roster;
  Get(in, &roster.head);
  in->Integer(&roster.generation);
  in->Bytes(&roster.made_by);
  in->Text(kMaxWhy, &roster.why);
  uint8_t count = 0;
  in->Integer(&count);
  for (; count > 0 && in->ok(); --count) Get(in, &roster.members.emplace_back());
  return roster;
}
// No record at all if it has a flag that is unknown.
std::optional<Statement> DecodeAdmit(Reader* in) {
  Admit admit;
  Get(in, &admit.head);
  in->Integer(&admit.generation);
  in->Bytes(&admit.signer);
  Get(in, &admit.subject);
  uint8_t flags = 0;
  in->Integer(&flags);
  in->Bytes(&admit.token);
  in->Text(kMaxNodeName, &admit.name);
  if ((flags & ~(kLegacy | kCopy)) != 0) return std::nullopt;
  admit.legacy = (flags & kLegacy) != 0;
  admit.copy = (flags & kCopy) != 0;
  return admit;
}
Leave DecodeLeave(Reader* in) {
  Leave leave;
  Get(in, &leave.head);
  in->Bytes(&leave.subject);
  return leave;
}
Forget DecodeForget(Reader* in) {
  Forget forget;
  Get(in, &forget.head);
  in->Bytes(&forget.signer);
  in->Bytes(&forget.subject);
  in->Integer(&forget.age);
  return forget;
}
Session DecodeSession(Reader* in) {
  Session session;
  Get(in, &session.head);
  in->Bytes(&session.signer);
  in->Integer(&session.key_id);
  in->Integer(&session.number);
  in->Bytes(&session.rosters);
  in->Bytes(&session.key);
  return session;
}

// No record at all if it has a flag that is unknown.
std::optional<Statement> DecodeConfigEntry(Reader* in) {
  ConfigEntry entry;
  Get(in, &entry.head);
  in->Bytes(&entry.signer);
  Get(in, &entry.version);
  Get(in, &entry.base);
  in->Bytes(&entry.body);
  in->Integer(&entry.size);
  uint8_t confirm = 0;
  in->Integer(&confirm);
  in->Integer(&entry.timeout_ms);
  if (confirm > 1) return std::nullopt;
  entry.confirm = confirm == 1;
  return entry;
}
ConfigConfirm DecodeConfigConfirm(Reader* in) {
  ConfigConfirm confirm;
  Get(in, &confirm.head);
  in->Bytes(&confirm.signer);
  Get(in, &confirm.version);
  return confirm;
}

Invite DecodeInvite(Reader* in) {
  Invite invite;
  Get(in, &invite.head);
  in->Integer(&invite.generation);
  in->Bytes(&invite.signer);
  in->Bytes(&invite.token);
  in->Bytes(&invite.key);
  in->Integer(&invite.uses);
  in->Integer(&invite.until_uptime);
  return invite;
}

std::optional<Statement> Decode(RecordKind kind, Reader* in) {
  switch (kind) {
    case RecordKind::kGenesis:
      return DecodeGenesis(in);
    case RecordKind::kRoster:
      return DecodeRoster(in);
    case RecordKind::kAdmit:
      return DecodeAdmit(in);
    case RecordKind::kLeave:
      return DecodeLeave(in);
    case RecordKind::kForget:
      return DecodeForget(in);
    case RecordKind::kSession:
      return DecodeSession(in);
    case RecordKind::kConfig:
      return DecodeConfigEntry(in);
    case RecordKind::kConfirm:
      return DecodeConfigConfirm(in);
    case RecordKind::kInvite:
      return DecodeInvite(in);
  }
  return std::nullopt;
}

RecordKind KindOf(const Statement& statement) {
  return static_cast<RecordKind>(statement.index() + 1);
}
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(RecordKind::kInvite) - 1, Statement>, Invite>);

// All but the signature.
std::vector<uint8_t> BodyOf(const Statement& statement) {
  Writer out;
  out.Integer(kVersion);
  out.Integer(static_cast<uint8_t>(KindOf(statement)));
  std::visit([&](const auto& stated) { Encode(stated, &out); }, statement);
  return out.Take();
}

const PublicKey& SignerOf(const Genesis& genesis, const PublicKey&) {
  return genesis.recovery;
}
const PublicKey& SignerOf(const Roster&, const PublicKey& recovery) {
  return recovery;
}
const PublicKey& SignerOf(const Leave& leave, const PublicKey&) {
  return leave.subject;
}
template <typename T>
const PublicKey& SignerOf(const T& stated, const PublicKey&) {
  return stated.signer;
}

}  // namespace

bool IsNodeName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNodeName && IsPrintable(name);
}

uint64_t CheckOf(const ConfigEntry& entry) {
  Writer content;
  EncodeContent(entry, &content);
  const Digest digest = Hash("qure config 1", {content.Take()});
  uint64_t check = 0;
  Reader(digest).Integer(&check);
  return check;
}

std::vector<uint8_t> ToBytes(const ConfigVersion& version) {
  Writer out;
  Put(version, &out);
  return out.Take();
}

std::optional<ConfigVersion> ReadConfigVersion(ConstBytes bytes) {
  ConfigVersion version;
  Reader in(bytes);
  Get(&in, &version);
  return in.done() ? std::optional(version) : std::nullopt;
}

std::variant<Record, RecordFault> Record::Read(ConstBytes bytes, const PublicKey& recovery) {
  if (bytes.size() < sizeof(Signature) || bytes.size() > kMaxRecord) return RecordFault::kUnsound;
  const ConstBytes body = bytes.first(bytes.size() - sizeof(Signature));
  Signature signature;
  std::ranges::copy(bytes.last(sizeof(Signature)), signature.begin());

  Reader in(body);
  uint8_t version = 0;
  uint8_t kind = 0;
  in.Integer(&version);
  in.Integer(&kind);
  if (in.ok() && version != kVersion) return RecordFault::kVersion;
  std::optional<Statement> statement = Decode(static_cast<RecordKind>(kind), &in);
  if (!statement || !in.done() || !std::visit([](const auto& stated) { return IsSound(stated); }, *statement)) {
    return RecordFault::kUnsound;
  }
  const PublicKey signer = std::visit([&](const auto& stated) { return SignerOf(stated, recovery); }, *statement);
  const RecordId id = Hash(kRecordLabel, {body});
  const bool unproven = Mutated(Mutation::kForeignLeave) && std::holds_alternative<Leave>(*statement);
  if (!unproven && !Verify(signer, kRecordLabel, id, signature)) return RecordFault::kSignature;
  return Record(*std::move(statement), signer, id, signature);
}

Record Record::Sign(Statement statement, const SigningKey& key) {
  QURE_CHECK(std::visit([](const auto& stated) { return IsSound(stated); }, statement));
  QURE_CHECK(std::visit([&](const auto& stated) { return SignerOf(stated, key.public_key); }, statement) ==
             key.public_key);
  const RecordId id = Hash(kRecordLabel, {BodyOf(statement)});
  return Record(std::move(statement), key.public_key, id, admission::Sign(key, kRecordLabel, id));
}

std::vector<uint8_t> Record::Bytes() const {
  std::vector<uint8_t> bytes = BodyOf(statement_);
  bytes.insert(bytes.end(), signature_.begin(), signature_.end());
  return bytes;
}

Fingerprint ClusterFingerprint(const Record& genesis) {
  return Hash("qure genesis 1", {BodyOf(genesis.statement())});
}

ClusterMark MarkOf(const Fingerprint& cluster) {
  ClusterMark mark;
  std::copy_n(cluster.begin(), mark.size(), mark.begin());
  return mark;
}

}  // namespace qure::admission
