#include "control/core/admission/handshake.h"

#include <sodium.h>

#include <algorithm>
#include <string_view>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

static_assert(crypto_scalarmult_BYTES == sizeof(X25519Key) && crypto_scalarmult_SCALARBYTES == sizeof(X25519Key));
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kSealTag);

constexpr std::string_view kCandidateLabel = "qure candidate 1";
constexpr std::string_view kOfferLabel = "qure offer 1";
constexpr std::string_view kAcceptLabel = "qure accept 1";
constexpr std::string_view kRefusedLabel = "qure refused 1";
constexpr std::string_view kClusterLabel = "qure cluster 1";
constexpr std::string_view kCopyLabel = "qure copy 1";
constexpr std::string_view kTokenLabel = "qure token use 1";

// All that seals goes one way: receipts, which go the other, have codes of a key of their own.
constexpr uint8_t kToCandidate = 1;

// All of a message before its signature, which `after` bytes follow.
template <typename Message>
Digest DigestBeforeSignature(std::string_view label, const Message& message, size_t after = 0) {
  const std::vector<uint8_t> bytes = WriteMessage(message);
  return Hash(label, {ConstBytes(bytes).first(bytes.size() - sizeof(Signature) - after)});
}

using Nonce = std::array<uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;
Nonce NonceOf(MessageType type, uint32_t counter) {
  Nonce nonce{kToCandidate, static_cast<uint8_t>(type)};
  for (size_t i = 0; i < sizeof(counter); ++i) nonce[2 + i] = static_cast<uint8_t>(counter >> (24 - 8 * i));
  return nonce;
}

}  // namespace

void WipeBytes(MutableBytes bytes) {
  sodium_memzero(bytes.data(), bytes.size());
}

Secret Secret::Drawn(const DrawSecret& draw) {
  Secret secret;
  draw(secret.bytes_);
  return secret;
}

Secret Secret::Derived(std::string_view label, std::initializer_list<ConstBytes> parts) {
  Digest digest = Hash(label, parts);
  const Secret secret(digest);
  WipeBytes(digest);
  return secret;
}

void Secret::Wipe() {
  WipeBytes(bytes_);
}

Ephemeral DrawEphemeral(const DrawSecret& draw) {
  Ephemeral ephemeral{.secret = Secret::Drawn(draw)};
  crypto_scalarmult_base(ephemeral.public_key.data(), ephemeral.secret.bytes().data());
  return ephemeral;
}

Digest TranscriptOf(const CandidateMessage& candidate) {
  return DigestBeforeSignature(kCandidateLabel, candidate, sizeof(Cookie));
}
Digest TranscriptOf(const OfferMessage& offer) {
  return DigestBeforeSignature(kOfferLabel, offer);
}
Digest TranscriptOf(const AcceptMessage& accept) {
  return DigestBeforeSignature(kAcceptLabel, accept);
}

HandshakeMark MarkOfTranscript(const Digest& h3) {
  HandshakeMark mark;
  std::copy_n(h3.begin(), mark.size(), mark.begin());
  return mark;
}

void SignMessage(const SigningKey& identity, CandidateMessage* candidate) {
  candidate->signature = Sign(identity, kCandidateLabel, TranscriptOf(*candidate));
}
void SignMessage(const SigningKey& identity, OfferMessage* offer) {
  offer->signature = Sign(identity, kOfferLabel, TranscriptOf(*offer));
}
void SignMessage(const SigningKey& identity, AcceptMessage* accept) {
  accept->signature = Sign(identity, kAcceptLabel, TranscriptOf(*accept));
}
void SignMessage(const SigningKey& identity, RefusedMessage* refused) {
  refused->signature = Sign(identity, kRefusedLabel, DigestBeforeSignature(kRefusedLabel, *refused));
}
void SignMessage(const SigningKey& identity, ClusterMessage* cluster) {
  cluster->signature = Sign(identity, kClusterLabel, DigestBeforeSignature(kClusterLabel, *cluster));
}

bool VerifyMessage(const CandidateMessage& candidate) {
  const auto& copy = candidate.copy;
  return Verify(candidate.identity, kCandidateLabel, TranscriptOf(candidate), candidate.signature) &&
         (!copy || Verify(copy->identity, kCopyLabel, candidate.identity, copy->signature));
}
bool VerifyMessage(const OfferMessage& offer) {
  return Verify(offer.identity, kOfferLabel, TranscriptOf(offer), offer.signature);
}
bool VerifyMessage(const AcceptMessage& accept, const PublicKey& candidate) {
  return Verify(candidate, kAcceptLabel, TranscriptOf(accept), accept.signature);
}
bool VerifyMessage(const RefusedMessage& refused) {
  return Verify(refused.identity, kRefusedLabel, DigestBeforeSignature(kRefusedLabel, refused), refused.signature);
}
bool VerifyMessage(const ClusterMessage& cluster) {
  return Verify(cluster.identity, kClusterLabel, DigestBeforeSignature(kClusterLabel, cluster), cluster.signature);
}

Signature SignCopy(const SigningKey& old_identity, const PublicKey& new_identity) {
  return Sign(old_identity, kCopyLabel, new_identity);
}
Signature SignByToken(const SigningKey& key, const Digest& h2) {
  return Sign(key, kTokenLabel, Mutated(Mutation::kTokenForAll) ? Digest{} : h2);
}
bool VerifyByToken(const PublicKey& key, const AcceptMessage& accept) {
  return Verify(key, kTokenLabel, Mutated(Mutation::kTokenForAll) ? Digest{} : accept.h2, accept.token);
}

std::optional<HandshakeKeys> HandshakeKeys::Agree(const Ephemeral& own, const X25519Key& other, const Digest& h3) {
  std::array<uint8_t, crypto_scalarmult_BYTES> raw;
  const bool contributes = crypto_scalarmult(raw.data(), own.secret.bytes().data(), other.data()) == 0 &&
                           sodium_is_zero(raw.data(), raw.size()) == 0;
  const Secret shared(raw);
  WipeBytes(raw);
  if (!contributes) return std::nullopt;
  const Secret agreed = Secret::Derived("qure adopt 1", {shared.bytes(), h3});
  return HandshakeKeys(h3, Secret::Derived("qure adopt seal 1", {agreed.bytes()}),
                       Secret::Derived("qure adopt code 1", {agreed.bytes()}));
}

RecordsMessage HandshakeKeys::SealRecords(uint32_t counter, ConstBytes plain) const {
  return {.h3 = mark_, .counter = counter, .sealed = Seal(MessageType::kRecords, counter, plain)};
}
WelcomeMessage HandshakeKeys::SealWelcome(ConstBytes plain) const {
  return {.h3 = mark_, .counter = 0, .sealed = Seal(MessageType::kWelcome, 0, plain)};
}
ReceiptMessage HandshakeKeys::MakeReceipt(ReceiptOf what, uint32_t counter) const {
  ReceiptMessage receipt{.h3 = mark_, .counter = counter, .what = what};
  receipt.code = CodeOf(receipt);
  return receipt;
}

std::optional<std::vector<uint8_t>> HandshakeKeys::Open(const RecordsMessage& records) const {
  if (records.h3 != mark_) return std::nullopt;
  return OpenSealed(MessageType::kRecords, records.counter, records.sealed);
}
std::optional<std::vector<uint8_t>> HandshakeKeys::Open(const WelcomeMessage& welcome) const {
  if (welcome.h3 != mark_ || welcome.counter != 0) return std::nullopt;
  return OpenSealed(MessageType::kWelcome, welcome.counter, welcome.sealed);
}
bool HandshakeKeys::Verify(const ReceiptMessage& receipt) const {
  const Code expected = CodeOf(receipt);
  return receipt.h3 == mark_ && sodium_memcmp(expected.data(), receipt.code.data(), expected.size()) == 0;
}

std::vector<uint8_t> HandshakeKeys::Seal(MessageType type, uint32_t counter, ConstBytes plain) const {
  QURE_CHECK(plain.size() + kSealTag <= kMaxSealed, plain.size());
  std::vector<uint8_t> sealed(plain.size() + kSealTag);
  const Nonce nonce = NonceOf(type, counter);
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.data(), nullptr, plain.data(), plain.size(), h3_.data(), h3_.size(),
                                             nullptr, nonce.data(), seal_.bytes().data());
  return sealed;
}

std::optional<std::vector<uint8_t>> HandshakeKeys::OpenSealed(MessageType type, uint32_t counter,
                                                              ConstBytes sealed) const {
  if (sealed.size() < kSealTag) return std::nullopt;
  std::vector<uint8_t> plain(sealed.size() - kSealTag);
  const Nonce nonce = NonceOf(type, counter);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                 h3_.data(), h3_.size(), nonce.data(), seal_.bytes().data()) != 0) {
    return std::nullopt;
  }
  return plain;
}

Code HandshakeKeys::CodeOf(const ReceiptMessage& receipt) const {
  std::array<uint8_t, 1 + sizeof(receipt.counter)> said{static_cast<uint8_t>(receipt.what)};
  for (size_t i = 0; i < sizeof(receipt.counter); ++i) {
    said[1 + i] = static_cast<uint8_t>(receipt.counter >> (24 - 8 * i));
  }
  Code code;
  crypto_generichash_state state;
  crypto_generichash_init(&state, code_.bytes().data(), code_.bytes().size(), code.size());
  crypto_generichash_update(&state, h3_.data(), h3_.size());
  crypto_generichash_update(&state, said.data(), said.size());
  crypto_generichash_final(&state, code.data(), code.size());
  return code;
}

}  // namespace qure::admission
