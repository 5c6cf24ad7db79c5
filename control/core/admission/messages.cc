#include "control/core/admission/messages.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "control/core/admission/codec.h"
#include "proto/check.h"

namespace qure::admission {

std::string_view NameOf(RefusedWhy why) {
  switch (why) {
    case RefusedWhy::kNotInRoster:
      return "it was expelled";
    case RefusedWhy::kLeft:
      return "it has left";
    case RefusedWhy::kFull:
      return "the cluster is full";
    case RefusedWhy::kProtocol:
      return "it speaks another protocol";
  }
  return "?";
}
namespace {

constexpr uint8_t kRenew = 1;
constexpr uint8_t kCopy = 2;
constexpr size_t kTypes = std::variant_size_v<AdmissionMessage>;
static_assert(static_cast<size_t>(MessageType::kCluster) == kTypes);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(MessageType::kReceipt) - 1, AdmissionMessage>,
                   ReceiptMessage>);

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNodeName && IsPrintable(text);
}
bool IsUnicast(const MacAddress& mac) {
  return !mac.is_zero() && !mac.is_multicast();
}
template <typename Enum>
bool IsWithin(Enum value, Enum last) {
  return value >= static_cast<Enum>(1) && value <= last;
}

// The rules of each type that its layout does not enforce.
bool IsSound(const CandidateMessage& candidate) {
  return IsUnicast(candidate.mac) && candidate.least_protocol <= candidate.most_protocol && IsName(candidate.name) &&
         candidate.revision.size() <= kMaxRevision && IsPrintable(candidate.revision) &&
         (!candidate.renew || candidate.renew->admit.size() <= kMaxAdmitRecord);
}
bool IsSound(const CookieMessage&) {
  return true;
}
bool IsSound(const OfferMessage& offer) {
  return IsUnicast(offer.mac) && IsName(offer.name) && IsWithin(offer.reason, AdmitReason::kMember) &&
         offer.proof_size > 0 && offer.proof_size <= kMaxProof;
}
bool IsSound(const ProofMessage& proof) {
  if (proof.total > kMaxProofParts || proof.index >= proof.total) return false;
  const bool last = proof.index + 1 == proof.total;
  return last ? !proof.part.empty() && proof.part.size() <= kProofPart : proof.part.size() == kProofPart;
}
bool IsSound(const AcceptMessage&) {
  return true;
}
bool IsSound(const RecordsMessage& records) {
  return records.sealed.size() <= kMaxSealed;
}
bool IsSound(const WelcomeMessage& welcome) {
  return welcome.sealed.size() <= kMaxSealed;
}
bool IsSound(const ReceiptMessage& receipt) {
  return IsWithin(receipt.what, ReceiptOf::kKeys) && (receipt.what == ReceiptOf::kRecords || receipt.counter == 0);
}
bool IsSound(const RefusedMessage& refused) {
  if (!IsWithin(refused.why, RefusedWhy::kProtocol) || refused.total > kMaxRefusedParts) return false;
  if (refused.total == 0) return refused.index == 0 && refused.part.empty();
  return refused.index < refused.total && !refused.part.empty() && refused.part.size() <= kProofPart;
}
bool IsSound(const ClusterMessage& cluster) {
  return IsName(cluster.name);
}

void Encode(const CandidateMessage& candidate, Writer* out) {
  out->Bytes(candidate.identity);
  out->Bytes(candidate.node);
  out->Bytes(candidate.boot);
  out->Bytes(candidate.ephemeral);
  out->Bytes(candidate.want);
  out->Bytes(candidate.token);
  out->Bytes(candidate.mac.bytes);
  out->Integer(candidate.least_protocol);
  out->Integer(candidate.most_protocol);
  out->Text(candidate.revision);
  out->Text(candidate.name);
  if (candidate.copy) {
    out->Bytes(candidate.copy->identity);
    out->Bytes(candidate.copy->signature);
  }
  if (candidate.renew) out->Block(candidate.renew->admit);
  out->Bytes(candidate.signature);
  out->Bytes(candidate.cookie);
}
void Encode(const CookieMessage& cookie, Writer* out) {
  out->Bytes(cookie.h1);
  out->Bytes(cookie.cookie);
}
void Encode(const OfferMessage& offer, Writer* out) {
  out->Bytes(offer.h1);
  out->Bytes(offer.cluster_id);
  out->Bytes(offer.cluster);
  out->Bytes(offer.identity);
  out->Bytes(offer.node);
  out->Bytes(offer.ephemeral);
  out->Bytes(offer.mac.bytes);
  out->Integer(offer.port);
  out->Integer(static_cast<uint8_t>(offer.reason));
  out->Integer(offer.nodes);
  out->Integer(offer.proof_size);
  out->Bytes(offer.proof);
  out->Text(offer.name);
  out->Bytes(offer.signature);
}
void Encode(const ProofMessage& proof, Writer* out) {
  out->Bytes(proof.h2);
  out->Integer(proof.index);
  out->Integer(proof.total);
  out->Bytes(proof.part);
}
void Encode(const AcceptMessage& accept, Writer* out) {
  out->Bytes(accept.h2);
  out->Bytes(accept.token);
  out->Integer(accept.missing);
  out->Bytes(accept.signature);
}
template <typename Sealed>
void EncodeSealed(const Sealed& message, Writer* out) {
  out->Bytes(message.h3);
  out->Integer(message.counter);
  out->Bytes(message.sealed);
}
void Encode(const RecordsMessage& records, Writer* out) {
  EncodeSealed(records, out);
}
void Encode(const WelcomeMessage& welcome, Writer* out) {
  EncodeSealed(welcome, out);
}
void Encode(const ReceiptMessage& receipt, Writer* out) {
  out->Bytes(receipt.h3);
  out->Integer(receipt.counter);
  out->Integer(static_cast<uint8_t>(receipt.what));
  out->Bytes(receipt.code);
}
void Encode(const RefusedMessage& refused, Writer* out) {
  out->Bytes(refused.h1);
  out->Integer(static_cast<uint8_t>(refused.why));
  out->Integer(refused.index);
  out->Integer(refused.total);
  out->Bytes(refused.identity);
  out->Block(refused.part);
  out->Bytes(refused.signature);
}
void Encode(const ClusterMessage& cluster, Writer* out) {
  out->Bytes(cluster.cluster_id);
  out->Bytes(cluster.cluster);
  out->Bytes(cluster.identity);
  out->Integer(cluster.port);
  out->Bytes(cluster.group.bytes);
  out->Integer(cluster.nodes);
  out->Text(cluster.name);
  out->Bytes(cluster.signature);
}

std::vector<uint8_t> Copied(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

CandidateMessage DecodeCandidate(uint8_t flags, Reader* in) {
  CandidateMessage candidate;
  in->Bytes(&candidate.identity);
  in->Bytes(&candidate.node);
  in->Bytes(&candidate.boot);
  in->Bytes(&candidate.ephemeral);
  in->Bytes(&candidate.want);
  in->Bytes(&candidate.token);
  in->Bytes(&candidate.mac.bytes);
  in->Integer(&candidate.least_protocol);
  in->Integer(&candidate.most_protocol);
  in->Text(kMaxRevision, &candidate.revision);
  in->Text(kMaxNodeName, &candidate.name);
  if ((flags & kCopy) != 0) {
    candidate.copy.emplace();
    in->Bytes(&candidate.copy->identity);
    in->Bytes(&candidate.copy->signature);
  }
  if ((flags & kRenew) != 0) candidate.renew = RenewClaim{.admit = Copied(in->Block(kMaxAdmitRecord))};
  in->Bytes(&candidate.signature);
  in->Bytes(&candidate.cookie);
  return candidate;
}
CookieMessage DecodeCookie(Reader* in) {
  CookieMessage cookie;
  in->Bytes(&cookie.h1);
  in->Bytes(&cookie.cookie);
  return cookie;
}
OfferMessage DecodeOffer(Reader* in) {
  OfferMessage offer;
  in->Bytes(&offer.h1);
  in->Bytes(&offer.cluster_id);
  in->Bytes(&offer.cluster);
  in->Bytes(&offer.identity);
  in->Bytes(&offer.node);
  in->Bytes(&offer.ephemeral);
  in->Bytes(&offer.mac.bytes);
  in->Integer(&offer.port);
  in->Integer(&offer.reason);
  in->Integer(&offer.nodes);
  in->Integer(&offer.proof_size);
  in->Bytes(&offer.proof);
  in->Text(kMaxNodeName, &offer.name);
  in->Bytes(&offer.signature);
  return offer;
}
ProofMessage DecodeProof(Reader* in) {
  ProofMessage proof;
  in->Bytes(&proof.h2);
  in->Integer(&proof.index);
  in->Integer(&proof.total);
  proof.part = Copied(in->Rest(kProofPart));
  return proof;
}
AcceptMessage DecodeAccept(Reader* in) {
  AcceptMessage accept;
  in->Bytes(&accept.h2);
  in->Bytes(&accept.token);
  in->Integer(&accept.missing);
  in->Bytes(&accept.signature);
  return accept;
}
template <typename Sealed>
Sealed DecodeSealed(Reader* in) {
  Sealed message;
  in->Bytes(&message.h3);
  in->Integer(&message.counter);
  message.sealed = Copied(in->Rest(kMaxSealed));
  return message;
}
ReceiptMessage DecodeReceipt(Reader* in) {
  ReceiptMessage receipt;
  in->Bytes(&receipt.h3);
  in->Integer(&receipt.counter);
  in->Integer(&receipt.what);
  in->Bytes(&receipt.code);
  return receipt;
}
RefusedMessage DecodeRefused(Reader* in) {
  RefusedMessage refused;
  in->Bytes(&refused.h1);
  in->Integer(&refused.why);
  in->Integer(&refused.index);
  in->Integer(&refused.total);
  in->Bytes(&refused.identity);
  refused.part = Copied(in->Block(kProofPart));
  in->Bytes(&refused.signature);
  return refused;
}
ClusterMessage DecodeCluster(Reader* in) {
  ClusterMessage cluster;
  in->Bytes(&cluster.cluster_id);
  in->Bytes(&cluster.cluster);
  in->Bytes(&cluster.identity);
  in->Integer(&cluster.port);
  in->Bytes(&cluster.group.bytes);
  in->Integer(&cluster.nodes);
  in->Text(kMaxNodeName, &cluster.name);
  in->Bytes(&cluster.signature);
  return cluster;
}

uint8_t FlagsOf(const AdmissionMessage& message) {
  const auto* candidate = std::get_if<CandidateMessage>(&message);
  if (candidate == nullptr) return 0;
  return static_cast<uint8_t>((candidate->renew ? kRenew : 0) | (candidate->copy ? kCopy : 0));
}

std::optional<AdmissionMessage> Decode(MessageType type, uint8_t flags, Reader* in) {
  switch (type) {
    case MessageType::kCandidate:
      return DecodeCandidate(flags, in);
    case MessageType::kCookie:
      return DecodeCookie(in);
    case MessageType::kOffer:
      return DecodeOffer(in);
    case MessageType::kProof:
      return DecodeProof(in);
    case MessageType::kAccept:
      return DecodeAccept(in);
    case MessageType::kRecords:
      return DecodeSealed<RecordsMessage>(in);
    case MessageType::kWelcome:
      return DecodeSealed<WelcomeMessage>(in);
    case MessageType::kReceipt:
      return DecodeReceipt(in);
    case MessageType::kRefused:
      return DecodeRefused(in);
    case MessageType::kCluster:
      return DecodeCluster(in);
  }
  return std::nullopt;
}

bool IsSoundMessage(const AdmissionMessage& message) {
  return std::visit([](const auto& each) { return IsSound(each); }, message);
}

}  // namespace

MessageType TypeOf(const AdmissionMessage& message) {
  return static_cast<MessageType>(message.index() + 1);
}

bool IsClusterMessage(ConstBytes datagram) {
  constexpr size_t kTypeAt = 4;  // behind magic, version and channel
  return datagram.size() > kTypeAt && datagram[kTypeAt] == static_cast<uint8_t>(MessageType::kCluster);
}

std::variant<AdmissionMessage, MessageFault> ReadMessage(ConstBytes datagram) {
  if (datagram.size() > kMaxDatagram) return MessageFault::kSize;
  Reader in(datagram);
  uint16_t magic = 0;
  uint8_t version = 0;
  uint8_t channel = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  uint16_t size = 0;
  in.Integer(&magic);
  in.Integer(&version);
  in.Integer(&channel);
  in.Integer(&type);
  in.Integer(&flags);
  in.Integer(&size);
  if (magic != kEnvelopeMagic || channel != static_cast<uint8_t>(Channel::kAdmission)) return MessageFault::kForeign;
  if (version != kEnvelopeVersion) return MessageFault::kVersion;
  if (!in.ok() || datagram.size() != kMessageHead + size) return MessageFault::kSize;
  std::optional<AdmissionMessage> message = Decode(static_cast<MessageType>(type), flags, &in);
  if (!message || !in.done() || FlagsOf(*message) != flags || !IsSoundMessage(*message)) return MessageFault::kUnsound;
  return *std::move(message);
}

std::vector<uint8_t> WriteMessage(const AdmissionMessage& message) {
  QURE_CHECK(IsSoundMessage(message), TypeOf(message));
  Writer body;
  std::visit([&](const auto& each) { Encode(each, &body); }, message);
  const std::vector<uint8_t> bytes = body.Take();
  QURE_CHECK(kMessageHead + bytes.size() <= kMaxDatagram, bytes.size());
  Writer out;
  out.Integer(kEnvelopeMagic);
  out.Integer(kEnvelopeVersion);
  out.Integer(static_cast<uint8_t>(Channel::kAdmission));
  out.Integer(static_cast<uint8_t>(TypeOf(message)));
  out.Integer(FlagsOf(message));
  out.Block(bytes);
  return out.Take();
}

}  // namespace qure::admission
