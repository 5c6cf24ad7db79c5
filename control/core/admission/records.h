// The signed records that the cluster rests on: who founded the cluster, who stays, who was admitted, who left, who is
// dead, which session key was made, which change of the configuration was numbered, who confirmed it, and which tokens
// are open. Each is signed by the identity that made it, a roster by the recovery key. A Record that exists is sound
// and its signature holds: only Read and Sign make one. What it is worth is said by view.h, session_keys.h and
// config/holder.h.
//
// Layout, version 1, integers big-endian, sizes in bytes; a text is its length (1) and so many bytes:
//
//   head     version 1, kind 1, cluster 16, hybrid time 8, uptime 8; of GENESIS: version 1, kind 1, hybrid time 8
//   GENESIS  head, cluster id 16, recovery key 32, founder: identity 32, node id 16
//   ROSTER   head, generation 4, made by 32, why, count 1, count × (identity 32, node id 16), ascending by identity
//   ADMIT    head, generation 4, signer 32, subject 32, its node id 16, flags 1, token id 8, name
//   LEAVE    head, subject 32
//   FORGET   head, signer 32, subject 32, its age 8
//   SESSION  head, signer 32, key id 4, number 8, digest of the rosters 32, digest of the key 32
//   CONFIG   head, signer 32, version 36, base: version 36, digest of the body 32, its size 4, confirm 1, timeout ms 4
//   CONFIRM  head, signer 32, version 36
//   INVITE   head, generation 4, signer 32, token id 8, key 32, uses 4, until 8
//   version: era 4, term epoch 8, holder 8, n 8, check 8
//   and then its signature 64
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "control/core/admission/codes.h"
#include "control/core/admission/signing.h"
#include "control/core/cluster/identity.h"
#include "proto/bytes.h"
#include "proto/cluster/node.h"

namespace qure::admission {

inline constexpr size_t kMaxMembers = 64;          // of a roster; and with so many members, none is admitted any more
inline constexpr size_t kMaxWhy = 64;              // bytes
inline constexpr size_t kMaxNodeName = 63;         // bytes, as `node.name` in the configuration
inline constexpr size_t kMaxRecord = 3'272;        // a roster of 64 with the longest reason
inline constexpr size_t kMaxConfigBody = 262'144;  // bytes of a configuration as the operator wrote it
inline constexpr uint32_t kMaxConfirmTimeoutMs = 86'400'000;  // a day
inline constexpr uint32_t kMaxTokenUses = 1'000;

// What ADMIT takes as a name: 1 to kMaxNodeName bytes, all of them printable.
bool IsNodeName(std::string_view name);

// The digest of all of it but the signature: one statement of one signer is one record, however often it was signed.
using RecordId = Digest;
// How the fingerprint of the cluster's genesis begins. It binds each record to its cluster.
using ClusterMark = std::array<uint8_t, 16>;

enum class RecordKind : uint8_t {
  kGenesis = 1,
  kRoster = 2,
  kAdmit = 3,
  kLeave = 4,
  kForget = 5,
  kSession = 6,
  kConfig = 7,
  kConfirm = 8,
  kInvite = 9,
};

// For display alone: neither time gives a record any authority.
struct RecordHead {
  ClusterMark cluster{};
  uint64_t time = 0;       // hybrid logical (HistoryEvent::time in stored.h)
  uint64_t uptime_ms = 0;  // of the cluster
  friend bool operator==(const RecordHead&, const RecordHead&) = default;
};

struct Listed {
  PublicKey identity{};
  NodeId node{};  // NodeIdOf(identity), or what it was before the cluster had identities
  friend auto operator<=>(const Listed&, const Listed&) = default;
};

// What a cluster begins with. Its founder is roster 0. The hash of this record is the cluster's fingerprint, for ever.
struct Genesis {
  uint64_t time = 0;
  ClusterId cluster{};
  PublicKey recovery{};  // signs this and all rosters
  Listed founder;
  friend bool operator==(const Genesis&, const Genesis&) = default;
};

// All who stay. It expels whom it does not list, and voids the admissions of generations before it.
struct Roster {
  RecordHead head;
  uint32_t generation = 0;  // 1, 2, …
  PublicKey made_by{};      // the node where the recovery code was typed
  std::string why;
  std::vector<Listed> members;  // ascending by identity, each once
  friend bool operator==(const Roster&, const Roster&) = default;
};

struct Admit {
  RecordHead head;
  uint32_t generation = 0;  // of the rosters that the signer knew
  PublicKey signer{};
  Listed subject;
  bool legacy = false;  // keeps the node id of before there were identities; in generation 0 only
  bool copy = false;    // its store was a copy of another node's
  TokenId token{};      // by which it was admitted
  std::string name;
  friend bool operator==(const Admit&, const Admit&) = default;
};

// Signed by its subject.
struct Leave {
  RecordHead head;
  PublicKey subject{};
  friend bool operator==(const Leave&, const Leave&) = default;
};

// Marks a dead node, until it boots with a greater age. It takes nothing from it.
struct Forget {
  RecordHead head;
  PublicKey signer{};
  PublicKey subject{};
  uint64_t age = 0;
  friend bool operator==(const Forget&, const Forget&) = default;
};

// Says who made a session key, and for which rosters. The key itself is given only to members.
struct Session {
  RecordHead head;
  PublicKey signer{};
  uint32_t key_id = 0;
  uint64_t number = 0;  // the greater one is used
  Digest rosters{};     // View::rosters as the signer had it
  Digest key{};         // DigestOf the key: one record never stands for two keys
  friend bool operator==(const Session&, const Session&) = default;
};

// The number of a change of the configuration: the greater one wins, whichever partition made it.
struct ConfigVersion {
  Term term;           // of the master that numbered it
  uint64_t n = 0;      // within the term: 1, 2, …
  uint64_t check = 0;  // how the hash of what it stands for begins: a number that is used twice is two versions
  friend auto operator<=>(const ConfigVersion&, const ConfigVersion&) = default;
};

// One change of the configuration, numbered by a master. Its body is kept apart, by its digest.
struct ConfigEntry {
  RecordHead head;
  PublicKey signer{};
  ConfigVersion version;  // `check` is CheckOf the entry
  ConfigVersion base;     // what it was made from; zero: nothing
  Digest body{};
  uint32_t size = 0;        // of the body, 1 to kMaxConfigBody
  bool confirm = false;     // it is rolled back unless it is confirmed in time
  uint32_t timeout_ms = 0;  // for that; 0 if it needs none, at most kMaxConfirmTimeoutMs
  friend bool operator==(const ConfigEntry&, const ConfigEntry&) = default;
};
uint64_t CheckOf(const ConfigEntry& entry);

// The operator confirmed a change, at the node that signs.
struct ConfigConfirm {
  RecordHead head;
  PublicKey signer{};
  ConfigVersion version;
  friend bool operator==(const ConfigConfirm&, const ConfigConfirm&) = default;
};

// Opens a token for so many nodes, until then; with no uses, closes it. Of several records of one token the least of
// each counts.
struct Invite {
  RecordHead head;
  uint32_t generation = 0;  // of the rosters that the signer knew: a later one closes the token
  PublicKey signer{};
  TokenId token{};
  PublicKey key{};            // of TokenSeed (codes.h)
  uint32_t uses = 0;          // at most kMaxTokenUses
  uint64_t until_uptime = 0;  // of the cluster, in ms
  friend bool operator==(const Invite&, const Invite&) = default;
};

using Statement = std::variant<Genesis, Roster, Admit, Leave, Forget, Session, ConfigEntry, ConfigConfirm, Invite>;

// The layout of a version, also where it is sent alone.
inline constexpr size_t kConfigVersionSize = 36;
std::vector<uint8_t> ToBytes(const ConfigVersion& version);
std::optional<ConfigVersion> ReadConfigVersion(ConstBytes bytes);

enum class RecordFault : uint8_t {
  kVersion,    // another one
  kUnsound,    // of a kind, size or content that no record has
  kSignature,  // not by the one who must have signed
};

class Record {
 public:
  // `recovery` is the cluster's recovery key; a genesis record has its own.
  static std::variant<Record, RecordFault> Read(ConstBytes bytes, const PublicKey& recovery);
  // The statement names `key` as its signer, and is within its bounds.
  static Record Sign(Statement statement, const SigningKey& key);

  const Statement& statement() const { return statement_; }
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&statement_);
  }
  const PublicKey& signer() const { return signer_; }
  const RecordId& id() const { return id_; }
  // As Read takes it.
  std::vector<uint8_t> Bytes() const;

 private:
  Record(Statement statement, const PublicKey& signer, const RecordId& id, const Signature& signature)
      : statement_(std::move(statement)), signer_(signer), id_(id), signature_(signature) {}

  Statement statement_;
  PublicKey signer_;
  RecordId id_;
  Signature signature_;
};

// Of a genesis record: what a token pins, and `cluster fingerprint` shows.
Fingerprint ClusterFingerprint(const Record& genesis);
ClusterMark MarkOf(const Fingerprint& cluster);

}  // namespace qure::admission
