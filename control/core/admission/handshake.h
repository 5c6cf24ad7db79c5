// The keys of one adoption. Both sides draw an X25519 key for it (RFC 7748) and sign what they send with their
// identities over all that came before (the transcripts h1, h2, h3); so both have one key exactly when they saw the
// same messages, and it opens nothing that was recorded before or after. The seals are XChaCha20-Poly1305
// (draft-irtf-cfrg-xchacha-03), receipts have a keyed BLAKE2b code (RFC 7693).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "control/core/admission/messages.h"
#include "control/core/admission/signing.h"
#include "proto/bytes.h"

namespace qure::admission {

// Fills with bytes that nobody can predict. Not the generator that spreads timers.
using DrawSecret = std::function<void(MutableBytes)>;

// Overwrites bytes that held a secret.
void WipeBytes(MutableBytes bytes);

// 32 secret bytes, overwritten when they go.
class Secret {
 public:
  Secret() = default;
  explicit Secret(const std::array<uint8_t, 32>& bytes) : bytes_(bytes) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { Wipe(); }

  static Secret Drawn(const DrawSecret& draw);
  // Hash of signing.h.
  static Secret Derived(std::string_view label, std::initializer_list<ConstBytes> parts);
  void Wipe();
  const std::array<uint8_t, 32>& bytes() const { return bytes_; }
  std::array<uint8_t, 32>* mutable_bytes() { return &bytes_; }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::array<uint8_t, 32> bytes_{};
};

// Of one side, for one handshake (an offer) or a minute (a candidate).
struct Ephemeral {
  Secret secret;
  X25519Key public_key{};
};
Ephemeral DrawEphemeral(const DrawSecret& draw);

// Over the whole message but signature and cookie: h1.
Digest TranscriptOf(const CandidateMessage& candidate);
// h2, of the offer to the candidate of OfferMessage::h1.
Digest TranscriptOf(const OfferMessage& offer);
// h3, of the acceptance of AcceptMessage::h2.
Digest TranscriptOf(const AcceptMessage& accept);
HandshakeMark MarkOfTranscript(const Digest& h3);

// Each signs the transcript of its own message; the signature stands in the message.
void SignMessage(const SigningKey& identity, CandidateMessage* candidate);
void SignMessage(const SigningKey& identity, OfferMessage* offer);
void SignMessage(const SigningKey& identity, AcceptMessage* accept);
void SignMessage(const SigningKey& identity, RefusedMessage* refused);
void SignMessage(const SigningKey& identity, ClusterMessage* cluster);
// Of a candidate also the one of CopyOf.
bool VerifyMessage(const CandidateMessage& candidate);
bool VerifyMessage(const OfferMessage& offer);
// An acceptance does not name its signer.
bool VerifyMessage(const AcceptMessage& accept, const PublicKey& candidate);
bool VerifyMessage(const RefusedMessage& refused);
bool VerifyMessage(const ClusterMessage& cluster);

// What CopyOf::signature signs: the old identity yields to the new one.
Signature SignCopy(const SigningKey& old_identity, const PublicKey& new_identity);
// What AcceptMessage::token signs. `key` is of the token (TokenSeed in codes.h).
Signature SignByToken(const SigningKey& key, const Digest& h2);
bool VerifyByToken(const PublicKey& key, const AcceptMessage& accept);

inline constexpr size_t kSealTag = 16;  // bytes

// The key of one handshake, used by it alone, and what is done with it. Messages of one side, type and counter are
// sealed once: who sends one again sends the same bytes.
class HandshakeKeys {
 public:
  // Nothing if the other's key contributes nothing (RFC 7748 §6.1: the all-zero result).
  static std::optional<HandshakeKeys> Agree(const Ephemeral& own, const X25519Key& other, const Digest& h3);

  const HandshakeMark& mark() const { return mark_; }

  // By the cluster's side. `plain` is at most kMaxSealed less kSealTag.
  RecordsMessage SealRecords(uint32_t counter, ConstBytes plain) const;
  WelcomeMessage SealWelcome(ConstBytes plain) const;
  // By the candidate's.
  ReceiptMessage MakeReceipt(ReceiptOf what, uint32_t counter) const;

  // Nothing if it is not of this handshake, or was changed.
  std::optional<std::vector<uint8_t>> Open(const RecordsMessage& records) const;
  std::optional<std::vector<uint8_t>> Open(const WelcomeMessage& welcome) const;
  bool Verify(const ReceiptMessage& receipt) const;

 private:
  HandshakeKeys(const Digest& h3, const Secret& seal, const Secret& code)
      : h3_(h3), mark_(MarkOfTranscript(h3)), seal_(seal), code_(code) {}

  std::vector<uint8_t> Seal(MessageType type, uint32_t counter, ConstBytes plain) const;
  std::optional<std::vector<uint8_t>> OpenSealed(MessageType type, uint32_t counter, ConstBytes sealed) const;
  Code CodeOf(const ReceiptMessage& receipt) const;

  Digest h3_;
  HandshakeMark mark_;
  Secret seal_;
  Secret code_;
};
}  // namespace qure::admission
