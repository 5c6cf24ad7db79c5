#include "control/core/admission/signing.h"

#include <sodium.h>

#include <algorithm>
#include <vector>

namespace qure::admission {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == sizeof(PublicKey) && crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_SEEDBYTES == sizeof(Seed) && crypto_sign_BYTES == sizeof(Signature));

std::vector<uint8_t> Signed(std::string_view label, const Digest& digest) {
  std::vector<uint8_t> bytes(label.begin(), label.end());
  bytes.push_back(0);
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  return bytes;
}

}  // namespace

Digest Hash(std::string_view label, std::initializer_list<ConstBytes> parts) {
  constexpr uint8_t kEndOfLabel = 0;
  Digest digest;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, digest.size());
  crypto_generichash_update(&state, AsBytes(label).data(), label.size());
  crypto_generichash_update(&state, &kEndOfLabel, 1);
  for (const ConstBytes part : parts) crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, digest.data(), digest.size());
  return digest;
}

SigningKey SigningKeyOf(const Seed& seed) {
  SigningKey key;
  crypto_sign_seed_keypair(key.public_key.data(), key.secret.data(), seed.data());
  return key;
}

Signature Sign(const SigningKey& key, std::string_view label, const Digest& digest) {
  const std::vector<uint8_t> bytes = Signed(label, digest);
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, bytes.data(), bytes.size(), key.secret.data());
  return signature;
}

bool Verify(const PublicKey& signer, std::string_view label, const Digest& digest, const Signature& signature) {
  const std::vector<uint8_t> bytes = Signed(label, digest);
  return crypto_sign_verify_detached(signature.data(), bytes.data(), bytes.size(), signer.data()) == 0;
}

NodeId NodeIdOf(const PublicKey& identity) {
  const Digest digest = Hash("qure node id 2", {identity});
  NodeId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

}  // namespace qure::admission
