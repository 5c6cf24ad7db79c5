// Stands in for libsodium's XChaCha20-Poly1305 in the simulator, by link order: tag and cipher depend on key, nonce,
// additional data and text, so that a flipped bit or another key is found, but nothing is secret. It costs a tenth. The
// envelope around it (proto/cluster/envelope.cc) is the production code; the primitive itself is proven elsewhere.
#include <sodium.h>

#include <cstdint>
#include <cstring>

namespace {

__extension__ using Wide = unsigned __int128;

struct Sponge {
  uint64_t a = 0x243f6a8885a308d3;
  uint64_t b = 0x13198a2e03707344;

  void Absorb(uint64_t word) {
    const auto product = static_cast<Wide>(a ^ word) * (b | 1);
    a = static_cast<uint64_t>(product) + 0x9e3779b97f4a7c15;
    b = (static_cast<uint64_t>(product >> 64) ^ b) + word;
  }
  void Absorb(const unsigned char* bytes, size_t length) {
    uint64_t word = 0;
    for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
      std::memcpy(&word, bytes, sizeof(word));
      Absorb(word);
    }
    word = length;
    std::memcpy(&word, bytes, length);
    Absorb(word ^ uint64_t{length} << 56);
  }
};

// Key and nonce.
Sponge Begin(const unsigned char* key, const unsigned char* nonce) {
  Sponge sponge;
  sponge.Absorb(key, crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  sponge.Absorb(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  return sponge;
}

void Mask(Sponge stream, const unsigned char* in, size_t length, unsigned char* out) {
  for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
    stream.Absorb(i);
    const size_t part = length - i < sizeof(uint64_t) ? length - i : sizeof(uint64_t);
    uint64_t word = 0;
    std::memcpy(&word, in + i, part);
    word ^= stream.a;
    std::memcpy(out + i, &word, part);
  }
}

void Tag(Sponge sponge, const unsigned char* ad, size_t ad_length, const unsigned char* cipher, size_t length,
         unsigned char* tag) {
  sponge.Absorb(ad, ad_length);
  sponge.Absorb(cipher, length);
  sponge.Absorb(length);
  std::memcpy(tag, &sponge.a, sizeof(sponge.a));
  std::memcpy(tag + sizeof(sponge.a), &sponge.b, sizeof(sponge.b));
}

}  // namespace

extern "C" {

int crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char* c, unsigned long long* clen_p, const unsigned char* m,
                                               unsigned long long mlen, const unsigned char* ad,
                                               unsigned long long adlen, const unsigned char*,
                                               const unsigned char* npub, const unsigned char* k) {
  const Sponge sponge = Begin(k, npub);
  Mask(sponge, m, mlen, c);
  Tag(sponge, ad, adlen, c, mlen, c + mlen);
  if (clen_p != nullptr) *clen_p = mlen + crypto_aead_xchacha20poly1305_ietf_ABYTES;
  return 0;
}

int crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char* m, unsigned long long* mlen_p, unsigned char*,
                                               const unsigned char* c, unsigned long long clen, const unsigned char* ad,
                                               unsigned long long adlen, const unsigned char* npub,
                                               const unsigned char* k) {
  if (clen < crypto_aead_xchacha20poly1305_ietf_ABYTES) return -1;
  const size_t length = clen - crypto_aead_xchacha20poly1305_ietf_ABYTES;
  const Sponge sponge = Begin(k, npub);
  unsigned char tag[crypto_aead_xchacha20poly1305_ietf_ABYTES];
  Tag(sponge, ad, adlen, c, length, tag);
  if (std::memcmp(tag, c + length, sizeof(tag)) != 0) return -1;
  Mask(sponge, c, length, m);
  if (mlen_p != nullptr) *mlen_p = length;
  return 0;
}

}  // extern "C"
