#include "control/core/config/wire.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/core/wire.h"

namespace qure::clusterconfig {
namespace {

constexpr size_t kMaxConfigRecord = 300;  // bytes of a CONFIG or CONFIRM record

std::string Text(const std::vector<uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}
std::string Text(const Digest& digest) {
  return {digest.begin(), digest.end()};
}
std::string Text(const Version& version) {
  return Text(admission::ToBytes(version));
}

// No longer than `most` bytes, and no part of a character of UTF-8 at the end.
std::string Cut(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<uint8_t>(text[most]) & 0xc0) == 0x80) --most;
  return std::string(text.substr(0, most));
}

wire::ConfigFinding FindingOf(const Finding& finding) {
  wire::ConfigFinding out;
  out.set_where(Cut(finding.where, kMaxFindingText));
  out.set_reason(Cut(finding.reason, kMaxFindingText));
  out.set_remedy(Cut(finding.remedy, kMaxFindingText));
  return out;
}

class Writer {
 public:
  explicit Writer(wire::Message* out) : out_(*out) {}

  void operator()(const ForwardMessage& from) const {
    wire::ConfigForward& to = *out_.mutable_config_forward();
    to.set_id(from.id);
    to.set_body(Text(from.body));
    to.set_size(from.size);
    to.set_timeout_ms(from.timeout_ms);
    to.set_no_canary(!from.canary);
    to.set_dry_run(from.dry_run);
    to.set_by(Cut(from.by, kMaxBy));
    if (from.base) to.set_base(Text(*from.base));
  }
  void operator()(const AnswerMessage& from) const {
    wire::ConfigAnswer& to = *out_.mutable_config_answer();
    to.set_id(from.id);
    to.set_version(Text(from.version));
    if (from.node) to.set_node(WriteId(*from.node));
    if (from.refusal) *to.mutable_refusal() = FindingOf(*from.refusal);
  }
  void operator()(const PrepareMessage& from) const {
    out_.mutable_config_prepare()->set_entry(Text(from.entry));
    out_.mutable_config_prepare()->set_dry_run(from.dry_run);
  }
  void operator()(const VoteMessage& from) const {
    out_.mutable_config_vote()->set_version(Text(from.version));
    if (from.objection) *out_.mutable_config_vote()->mutable_objection() = FindingOf(*from.objection);
  }
  void operator()(const TrialMessage& from) const { out_.mutable_config_trial()->set_version(Text(from.version)); }
  void operator()(const CheckedMessage& from) const {
    out_.mutable_config_checked()->set_version(Text(from.version));
    if (from.objection) *out_.mutable_config_checked()->mutable_objection() = FindingOf(*from.objection);
  }
  void operator()(const OpenMessage& from) const {
    out_.mutable_config_open()->set_version(Text(from.version));
    out_.mutable_config_open()->set_left_ms(from.left_ms);
  }
  void operator()(const ConfirmedMessage& from) const {
    out_.mutable_config_confirmed()->set_confirm(Text(from.confirm));
  }
  void operator()(const AbortMessage& from) const { out_.mutable_config_abort()->set_version(Text(from.version)); }
  void operator()(const MapMessage& from) const {
    wire::ConfigMap& to = *out_.mutable_config_map();
    for (const MapMessage::Entry& each : from.entries) {
      wire::ConfigMap::Entry& entry = *to.add_entries();
      entry.set_version(Text(each.version));
      entry.set_stage(static_cast<uint32_t>(each.stage));
      entry.set_left_ms(each.left_ms);
    }
    if (from.rest) to.set_rest(*from.rest);
  }
  void operator()(const PullRestMessage&) const { out_.mutable_config_pull()->set_rest(true); }
  void operator()(const PullEntryMessage& from) const { out_.mutable_config_pull()->set_version(Text(from.version)); }
  void operator()(const PullBodyMessage& from) const {
    out_.mutable_config_pull()->mutable_parts()->set_body(Text(from.body));
    out_.mutable_config_pull()->mutable_parts()->set_first(from.first);
  }
  void operator()(const EntryMessage& from) const {
    out_.mutable_config_entry()->set_entry(Text(from.entry));
    out_.mutable_config_entry()->set_confirm(Text(from.confirm));
  }
  void operator()(const PartMessage& from) const {
    wire::ConfigPart& to = *out_.mutable_config_part();
    to.set_body(Text(from.body));
    to.set_index(from.index);
    to.set_part(from.part);
  }

 private:
  wire::Message& out_;
};

// Reads field after field; the first one that does not fit makes the whole message unsound.
class Reader {
 public:
  Version TakeVersion(const std::string& bytes) {
    const std::optional<Version> version = admission::ReadConfigVersion(AsBytes(bytes));
    ok_ = ok_ && version;
    return version.value_or(Version{});
  }
  std::optional<Version> TakeVersionIfAny(const std::string& bytes) {
    return bytes.empty() ? std::nullopt : std::optional(TakeVersion(bytes));
  }
  Digest TakeDigest(const std::string& bytes) {
    Digest digest{};
    ok_ = ok_ && bytes.size() == digest.size();
    if (ok_) std::ranges::copy(bytes, digest.begin());
    return digest;
  }
  std::vector<uint8_t> TakeRecord(const std::string& bytes, bool may_be_empty = false) {
    ok_ = ok_ && bytes.size() <= kMaxConfigRecord && (may_be_empty || !bytes.empty());
    return {bytes.begin(), bytes.end()};
  }
  std::string TakeText(const std::string& text, size_t most) {
    ok_ = ok_ && text.size() <= most;
    return text;
  }
  uint32_t TakeNumber(uint32_t number, uint32_t least, uint32_t most) {
    ok_ = ok_ && number >= least && number <= most;
    return number;
  }
  std::optional<Finding> TakeFinding(bool present, const wire::ConfigFinding& finding) {
    if (!present) return std::nullopt;
    return Finding{.where = TakeText(finding.where(), kMaxFindingText),
                   .reason = TakeText(finding.reason(), kMaxFindingText),
                   .remedy = TakeText(finding.remedy(), kMaxFindingText)};
  }
  std::optional<NodeId> TakeNode(const std::string& bytes) {
    if (bytes.empty()) return std::nullopt;
    const std::optional<NodeId> node = ReadId(bytes);
    ok_ = ok_ && node;
    return node;
  }
  std::optional<Message> Done(Message message) const { return ok_ ? std::optional(std::move(message)) : std::nullopt; }
  bool ok() const { return ok_; }

 private:
  bool ok_ = true;
};

constexpr uint32_t kMostParts = admission::kMaxConfigBody / kBodyPart;

std::optional<Message> ReadForward(const wire::ConfigForward& from) {
  Reader in;
  return in.Done(ForwardMessage{.id = from.id(),
                                .body = in.TakeDigest(from.body()),
                                .size = in.TakeNumber(from.size(), 1, admission::kMaxConfigBody),
                                .timeout_ms = in.TakeNumber(from.timeout_ms(), 0, admission::kMaxConfirmTimeoutMs),
                                .canary = !from.no_canary(),
                                .dry_run = from.dry_run(),
                                .by = in.TakeText(from.by(), kMaxBy),
                                .base = in.TakeVersionIfAny(from.base())});
}

std::optional<Message> ReadAnswer(const wire::ConfigAnswer& from) {
  Reader in;
  return in.Done(AnswerMessage{.id = from.id(),
                               .version = in.TakeVersion(from.version()),
                               .node = in.TakeNode(from.node()),
                               .refusal = in.TakeFinding(from.has_refusal(), from.refusal())});
}

std::optional<Message> ReadMap(const wire::ConfigMap& from) {
  Reader in;
  MapMessage map;
  in.TakeNumber(static_cast<uint32_t>(from.entries_size()), 0, kMapEntries);
  if (!in.ok()) return std::nullopt;
  for (const wire::ConfigMap::Entry& each : from.entries()) {
    map.entries.push_back({.version = in.TakeVersion(each.version()),
                           .stage = static_cast<Stage>(in.TakeNumber(each.stage(), 1, kLastStage)),
                           .left_ms = in.TakeNumber(each.left_ms(), 0, admission::kMaxConfirmTimeoutMs)});
  }
  if (from.has_rest()) map.rest = from.rest();
  return in.Done(std::move(map));
}

std::optional<Message> ReadPull(const wire::ConfigPull& from) {
  Reader in;
  switch (from.what_case()) {
    case wire::ConfigPull::kRest:
      return in.Done(PullRestMessage{});
    case wire::ConfigPull::kVersion:
      return in.Done(PullEntryMessage{.version = in.TakeVersion(from.version())});
    case wire::ConfigPull::kParts:
      return in.Done(PullBodyMessage{.body = in.TakeDigest(from.parts().body()),
                                     .first = in.TakeNumber(from.parts().first(), 0, kMostParts - 1)});
    case wire::ConfigPull::WHAT_NOT_SET:
      break;
  }
  return std::nullopt;
}

std::optional<Message> ReadPart(const wire::ConfigPart& from) {
  Reader in;
  return in.Done(PartMessage{.body = in.TakeDigest(from.body()),
                             .index = in.TakeNumber(from.index(), 0, kMostParts - 1),
                             .part = in.TakeText(from.part(), kBodyPart)});
}

// Those that are a version, and an objection at most.
std::optional<Message> ReadVerdict(const wire::Message& message) {
  Reader in;
  switch (message.body_case()) {
    case wire::Message::kConfigVote: {
      const wire::ConfigVote& from = message.config_vote();
      return in.Done(VoteMessage{.version = in.TakeVersion(from.version()),
                                 .objection = in.TakeFinding(from.has_objection(), from.objection())});
    }
    case wire::Message::kConfigChecked: {
      const wire::ConfigChecked& from = message.config_checked();
      return in.Done(CheckedMessage{.version = in.TakeVersion(from.version()),
                                    .objection = in.TakeFinding(from.has_objection(), from.objection())});
    }
    case wire::Message::kConfigTrial:
      return in.Done(TrialMessage{.version = in.TakeVersion(message.config_trial().version())});
    case wire::Message::kConfigOpen: {
      const wire::ConfigOpen& from = message.config_open();
      return in.Done(OpenMessage{.version = in.TakeVersion(from.version()),
                                 .left_ms = in.TakeNumber(from.left_ms(), 0, admission::kMaxConfirmTimeoutMs)});
    }
    case wire::Message::kConfigAbort:
      return in.Done(AbortMessage{.version = in.TakeVersion(message.config_abort().version())});
    default:
      return std::nullopt;
  }
}

}  // namespace

void Write(const Message& message, wire::Message* out) {
  std::visit(Writer(out), message);
}

std::optional<Message> Read(const wire::Message& message) {
  Reader in;
  switch (message.body_case()) {
    case wire::Message::kConfigForward:
      return ReadForward(message.config_forward());
    case wire::Message::kConfigAnswer:
      return ReadAnswer(message.config_answer());
    case wire::Message::kConfigPrepare:
      return in.Done(PrepareMessage{.entry = in.TakeRecord(message.config_prepare().entry()),
                                    .dry_run = message.config_prepare().dry_run()});
    case wire::Message::kConfigConfirmed:
      return in.Done(ConfirmedMessage{.confirm = in.TakeRecord(message.config_confirmed().confirm())});
    case wire::Message::kConfigMap:
      return ReadMap(message.config_map());
    case wire::Message::kConfigPull:
      return ReadPull(message.config_pull());
    case wire::Message::kConfigEntry:
      return in.Done(EntryMessage{.entry = in.TakeRecord(message.config_entry().entry()),
                                  .confirm = in.TakeRecord(message.config_entry().confirm(), true)});
    case wire::Message::kConfigPart:
      return ReadPart(message.config_part());
    default:
      return ReadVerdict(message);
  }
}

}  // namespace qure::clusterconfig
