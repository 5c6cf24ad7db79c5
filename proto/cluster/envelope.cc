#include "proto/cluster/envelope.h"

#include <sodium.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace qure {
namespace {

using Nonce = std::array<uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;
static_assert(sizeof(Nonce) == sizeof(EnvelopeHeader::counter) + sizeof(EnvelopeHeader::salt));
static_assert(kEnvelopeTag == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(sizeof(SessionKey) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

constexpr std::string_view kSessionKeyDomain{"qure session key 1\0", 19};  // the zero ends it: no domain begins another

Nonce NonceOf(const EnvelopeHeader& header) {
  Nonce nonce;
  std::memcpy(nonce.data(), &header.counter, sizeof(header.counter));
  std::memcpy(nonce.data() + sizeof(header.counter), header.salt.data(), header.salt.size());
  return nonce;
}

constexpr uint64_t kWordBits = 64;

}  // namespace

SessionKey DeriveSessionKey(const ClusterKey& key, const std::array<uint8_t, 16>& cluster, const NodeId& node,
                            const BootId& boot) {
  // Lets libsodium choose the code for this processor. There is no envelope without a session key, so here is enough.
  [[maybe_unused]] static const int chosen = sodium_init();
  SessionKey session;
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), session.size());
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(kSessionKeyDomain.data()),
                            kSessionKeyDomain.size());
  for (const auto* part : {&cluster, &node, &boot}) crypto_generichash_update(&state, part->data(), part->size());
  crypto_generichash_final(&state, session.data(), session.size());
  return session;
}

void Seal(const SessionKey& key, const EnvelopeHeader& header, ConstBytes plain, std::vector<uint8_t>* out) {
  out->resize(kEnvelopeOverhead + plain.size());
  SealInto(key, header, plain, *out);
}

void SealInto(const SessionKey& key, const EnvelopeHeader& header, ConstBytes plain, MutableBytes out) {
  std::memcpy(out.data(), &header, sizeof(header));
  const Nonce nonce = NonceOf(header);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + sizeof(header), nullptr, plain.data(), plain.size(),
                                             out.data(), sizeof(header), nullptr, nonce.data(), key.data());
}

const EnvelopeHeader* PeekEnvelope(ConstBytes datagram) {
  if (datagram.size() < kEnvelopeOverhead) return nullptr;
  const auto* header = HeaderAt<EnvelopeHeader>(datagram, 0);
  const bool known_channel = header->channel == static_cast<uint8_t>(Channel::kControl) ||
                             header->channel == static_cast<uint8_t>(Channel::kHeartbeat);
  const bool ours = header->magic.value() == kEnvelopeMagic && header->version == kEnvelopeVersion && known_channel;
  return ours ? header : nullptr;
}

bool IsAdmissionDatagram(ConstBytes datagram) {
  struct Head {
    Be16 magic;
    uint8_t version;
    uint8_t channel;
  };
  static_assert(sizeof(Head) == offsetof(EnvelopeHeader, key_id), "as an envelope begins");
  const auto* const head = HeaderAt<Head>(datagram, 0);
  return head != nullptr && head->magic.value() == kEnvelopeMagic && head->version == kEnvelopeVersion &&
         head->channel == static_cast<uint8_t>(Channel::kAdmission);
}

bool Unseal(const SessionKey& key, ConstBytes datagram, MutableBytes out) {
  if (datagram.size() < kEnvelopeOverhead || out.size() != datagram.size() - kEnvelopeOverhead) return false;
  const auto* header = HeaderAt<EnvelopeHeader>(datagram, 0);
  const ConstBytes sealed = datagram.subspan(sizeof(EnvelopeHeader));
  const Nonce nonce = NonceOf(*header);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                    datagram.data(), sizeof(EnvelopeHeader), nonce.data(),
                                                    key.data()) == 0;
}

bool ReplayWindow::IsNew(uint64_t counter) const {
  if (counter > highest_) return true;
  if (counter == 0 || highest_ - counter >= kSize) return false;
  return (seen_[counter / kWordBits % seen_.size()] >> counter % kWordBits & 1) == 0;
}

// A word more than the window has, so that whole words are cleared as it moves (RFC 6479 §2).
bool ReplayWindow::Accept(uint64_t counter) {
  if (!IsNew(counter)) return false;
  if (counter > highest_) {
    const uint64_t words = std::min<uint64_t>(counter / kWordBits - highest_ / kWordBits, seen_.size());
    for (uint64_t i = 0; i < words; ++i) seen_[(counter / kWordBits - i) % seen_.size()] = 0;
    highest_ = counter;
  }
  seen_[counter / kWordBits % seen_.size()] |= uint64_t{1} << counter % kWordBits;
  return true;
}

void ReplayWindow::StartAfter(uint64_t counter) {
  highest_ = std::max(highest_, counter);
  seen_.fill(~uint64_t{0});
  // Of the word that `highest_` lies in, what is above it is still to come.
  seen_[highest_ / kWordBits % seen_.size()] = ~uint64_t{0} >> (kWordBits - 1 - highest_ % kWordBits);
}

}  // namespace qure
