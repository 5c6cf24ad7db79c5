// What the records of admission rest on: signatures (Ed25519, RFC 8032) and hashes (BLAKE2b, RFC 7693), both with a
// label, so that the same bytes never mean the same in two places.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "proto/bytes.h"
#include "proto/cluster/node.h"

namespace qure::admission {

using Digest = std::array<uint8_t, 32>;
using PublicKey = std::array<uint8_t, 32>;
using Seed = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

// Of an identity or, over its genesis record, of a cluster.
using Fingerprint = Digest;

// BLAKE2b-256 of `label`, a zero byte and `parts`.
Digest Hash(std::string_view label, std::initializer_list<ConstBytes> parts);

// Signs as `public_key`. The secret half is what libsodium works with: the seed, then the public key.
struct SigningKey {
  PublicKey public_key{};
  std::array<uint8_t, 64> secret{};
};
SigningKey SigningKeyOf(const Seed& seed);

// Over `label`, a zero byte and `digest`.
Signature Sign(const SigningKey& key, std::string_view label, const Digest& digest);
bool Verify(const PublicKey& signer, std::string_view label, const Digest& digest, const Signature& signature);

// The identity whose store another one's is a copy of, and its signature over the other one (SignCopy).
struct CopyOf {
  PublicKey identity{};
  Signature signature{};
  friend bool operator==(const CopyOf&, const CopyOf&) = default;
};

// The node id of an identity: nobody can choose that of another node.
NodeId NodeIdOf(const PublicKey& identity);

}  // namespace qure::admission
