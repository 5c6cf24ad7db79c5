// The messages by which a node is adopted, link-local and without an envelope: their sender has no key yet. Read
// believes nothing but the layout; signatures, cookies and seals are judged by candidate.h and admitter.h. Write of
// what Read returned gives the same bytes, so a signature may be checked over what was read.
//
// Layout, version 1, integers big-endian, sizes in bytes; a text is its length (1) and so many bytes, a block its
// length (2) and so many bytes:
//
//   head       magic "QR", version 1, channel 3 (Channel::kAdmission), type 1, flags 1, size of what follows 2
//   CANDIDATE  identity 32, node id 16, boot 16, ephemeral 32, wanted cluster 32, token id 8, MAC 6, least and most
//              protocol 1 + 1, revision, name, [flag copy: old identity 32, its signature 64], [flag renew: its ADMIT
//              record, a block, empty if a roster lists it], signature 64, cookie 16
//   COOKIE     h1 32, cookie 16
//   OFFER      h1 32, cluster id 16, cluster 32, identity 32, node id 16, ephemeral 32, MAC 6, port 2, reason 1, nodes
//   1,
//              size of the proof 4, its digest 32, name of the cluster, signature 64
//   PROOF      h2 32, index 2, parts in all 2, part: the rest
//   ACCEPT     h2 32, signature by the token 64, missing parts of the proof 8, signature 64
//   RECORDS    h3 8, counter 4, sealed: the rest
//   WELCOME    h3 8, counter 4, sealed: the rest
//   RECEIPT    h3 8, counter 4, what 1, code 16
//   REFUSED    h1 32, why 1, index 1, parts in all 1, identity 32, part of a record: a block, signature 64
//   CLUSTER    cluster id 16, cluster 32, identity 32, port 2, group 4, nodes 1, name, signature 64
//
// h1, h2, h3: transcripts, see handshake.h; where 8 bytes of one stand, they are its first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/cluster/identity.h"
#include "proto/bytes.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure::admission {

inline constexpr uint8_t kAdmissionProtocol = 1;  // what this program speaks, least and most
inline constexpr size_t kMessageHead = 8;         // bytes
inline constexpr size_t kMaxRevision = 24;        // bytes
inline constexpr size_t kMaxAdmitRecord = 255;    // bytes: one with the longest name
inline constexpr size_t kProofPart = 1'024;       // bytes, but for the last
inline constexpr size_t kMaxProofParts = 64;      // one bit each in AcceptMessage::missing
inline constexpr size_t kMaxSealed = 1'300;       // bytes, with the tag
inline constexpr size_t kMaxRefusedParts = 4;     // of kProofPart: a roster of kMaxRecord
inline constexpr size_t kMaxProof = kMaxProofParts * kProofPart;
static_assert(kMaxRecord <= kMaxRefusedParts * kProofPart);

using X25519Key = std::array<uint8_t, 32>;
using Cookie = std::array<uint8_t, 16>;  // zero: none
using HandshakeMark = std::array<uint8_t, 8>;
using Code = std::array<uint8_t, 16>;

enum class MessageType : uint8_t {
  kCandidate = 1,
  kCookie = 2,
  kOffer = 3,
  kProof = 4,
  kAccept = 5,
  kRecords = 6,
  kWelcome = 7,
  kReceipt = 8,
  kRefused = 9,
  kCluster = 10,
};

// Why a cluster takes a candidate.
enum class AdmitReason : uint8_t {
  kNamed = 1,   // an operator named its code or fingerprint
  kToken = 2,   // it holds a token
  kAuto = 3,    // the cluster takes such candidates by itself
  kMember = 4,  // it is a member, and has no key or an old one
};

// A member that asks for the keys anew.
struct RenewClaim {
  std::vector<uint8_t> admit;  // its ADMIT record; empty: a roster or the genesis lists it
  friend bool operator==(const RenewClaim&, const RenewClaim&) = default;
};

// A node without keys: here I am. To broadcast.
struct CandidateMessage {
  PublicKey identity{};
  NodeId node{};
  BootId boot{};
  X25519Key ephemeral{};  // its nonce, too
  Fingerprint want{};     // the only cluster that it accepts; zero: any
  TokenId token{};
  MacAddress mac;
  uint8_t least_protocol = kAdmissionProtocol;
  uint8_t most_protocol = kAdmissionProtocol;
  std::string revision;
  std::string name;
  std::optional<CopyOf> copy;
  std::optional<RenewClaim> renew;
  Signature signature{};
  Cookie cookie{};  // not signed
  friend bool operator==(const CandidateMessage&, const CandidateMessage&) = default;
};

// Send it again, with this: who you are is not looked at before you have shown that you receive at your MAC.
struct CookieMessage {
  Digest h1{};
  Cookie cookie{};
  friend bool operator==(const CookieMessage&, const CookieMessage&) = default;
};

struct OfferMessage {
  Digest h1{};
  ClusterId cluster_id{};
  Fingerprint cluster{};
  PublicKey identity{};
  NodeId node{};
  X25519Key ephemeral{};
  MacAddress mac;
  uint16_t port = 0;
  AdmitReason reason = AdmitReason::kNamed;
  uint8_t nodes = 0;
  uint32_t proof_size = 0;
  Digest proof{};  // ProofDigest of the bytes that the PROOF parts carry
  std::string name;
  Signature signature{};
  friend bool operator==(const OfferMessage&, const OfferMessage&) = default;
};

struct ProofMessage {
  Digest h2{};
  uint16_t index = 0;
  uint16_t total = 0;
  std::vector<uint8_t> part;
  friend bool operator==(const ProofMessage&, const ProofMessage&) = default;
};

// Accepts an offer. Or, if `missing` is not zero, asks for these parts of the proof and accepts nothing.
struct AcceptMessage {
  Digest h2{};
  Signature token{};  // by the token's key over h2; zero: none
  uint64_t missing = 0;
  Signature signature{};
  friend bool operator==(const AcceptMessage&, const AcceptMessage&) = default;
};

struct RecordsMessage {
  HandshakeMark h3{};
  uint32_t counter = 0;
  std::vector<uint8_t> sealed;
  friend bool operator==(const RecordsMessage&, const RecordsMessage&) = default;
};

struct WelcomeMessage {
  HandshakeMark h3{};
  uint32_t counter = 0;
  std::vector<uint8_t> sealed;
  friend bool operator==(const WelcomeMessage&, const WelcomeMessage&) = default;
};

enum class ReceiptOf : uint8_t {
  kRecords = 1,  // `counter` parts are here, without a gap
  kKeys = 2,     // all is durable; `counter` is zero
};
struct ReceiptMessage {
  HandshakeMark h3{};
  uint32_t counter = 0;
  ReceiptOf what = ReceiptOf::kRecords;
  Code code{};
  friend bool operator==(const ReceiptMessage&, const ReceiptMessage&) = default;
};

enum class RefusedWhy : uint8_t {
  kNotInRoster = 1,  // the record is the roster
  kLeft = 2,         // the record is its LEAVE
  kFull = 3,
  kProtocol = 4,
};
std::string_view NameOf(RefusedWhy why);

struct RefusedMessage {
  Digest h1{};
  RefusedWhy why = RefusedWhy::kFull;
  uint8_t index = 0;
  uint8_t total = 0;  // 0: no record
  PublicKey identity{};
  std::vector<uint8_t> part;
  Signature signature{};
  friend bool operator==(const RefusedMessage&, const RefusedMessage&) = default;
};

// Shown, and a prompt to candidates; never believed. To broadcast.
struct ClusterMessage {
  ClusterId cluster_id{};
  Fingerprint cluster{};
  PublicKey identity{};
  uint16_t port = 0;
  Ipv4Address group;
  uint8_t nodes = 0;
  std::string name;
  Signature signature{};
  friend bool operator==(const ClusterMessage&, const ClusterMessage&) = default;
};

using AdmissionMessage = std::variant<CandidateMessage, CookieMessage, OfferMessage, ProofMessage, AcceptMessage,
                                      RecordsMessage, WelcomeMessage, ReceiptMessage, RefusedMessage, ClusterMessage>;

enum class MessageFault : uint8_t {
  kForeign,  // not of this channel
  kVersion,  // another one
  kSize,     // longer than kMaxDatagram, or not as long as its head says
  kUnsound,  // of a type, flag, size or content that no message has
};

std::variant<AdmissionMessage, MessageFault> ReadMessage(ConstBytes datagram);
// By its head alone; ReadMessage may still refuse it.
bool IsClusterMessage(ConstBytes datagram);
// The message is within its bounds.
std::vector<uint8_t> WriteMessage(const AdmissionMessage& message);
MessageType TypeOf(const AdmissionMessage& message);

}  // namespace qure::admission
