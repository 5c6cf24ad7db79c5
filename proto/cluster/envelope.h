// The sealed envelope around every message between nodes: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a key
// of the sender's boot. Nothing inside is parsed before it is authenticated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/bytes.h"
#include "proto/cluster/node.h"
#include "proto/endian.h"

namespace qure {

inline constexpr uint16_t kEnvelopeMagic = 0x5152;  // "QR"
inline constexpr uint8_t kEnvelopeVersion = 1;
inline constexpr size_t kEnvelopeTag = 16;
inline constexpr size_t kMaxDatagram = 1400;  // of sealed UDP payload: fits the least MTU in use with its headers
inline constexpr uint16_t kDefaultClusterPort = 7873;

// Each sealed channel of a sender has its own counter and, at each receiver, its own replay window.
enum class Channel : uint8_t {
  kControl = 1,    // protobuf, made and read by the control core
  kHeartbeat = 2,  // Heartbeat, made and read by a worker
  kAdmission = 3,  // without an envelope: control/core/admission/messages.h
};

struct EnvelopeHeader {
  Be16 magic;
  uint8_t version;
  uint8_t channel;
  Be32 key_id;
  NodeId sender;
  BootId boot;
  Be64 counter;                  // strictly grows per boot and channel; with `salt` it is the nonce
  std::array<uint8_t, 16> salt;  // random: a nonce is unique even if a restored snapshot repeats a counter
};
static_assert(sizeof(EnvelopeHeader) == 64 && alignof(EnvelopeHeader) == 1);
inline constexpr size_t kEnvelopeOverhead = sizeof(EnvelopeHeader) + kEnvelopeTag;

using ClusterKey = std::array<uint8_t, 32>;
using SessionKey = std::array<uint8_t, 32>;

// The key of one boot of one node, from the cluster's key. The cluster's id is part of it: another cluster's frames
// do not authenticate even under the same key (two clusters in open mode).
SessionKey DeriveSessionKey(const ClusterKey& key, const std::array<uint8_t, 16>& cluster, const NodeId& node,
                            const BootId& boot);

// `out` gets header, ciphertext, tag. The header is authenticated with it.
void Seal(const SessionKey& key, const EnvelopeHeader& header, ConstBytes plain, std::vector<uint8_t>* out);
// The same into a caller's buffer of kEnvelopeOverhead + plain.size() bytes: no allocation, for workers.
void SealInto(const SessionKey& key, const EnvelopeHeader& header, ConstBytes plain, MutableBytes out);

// The header of a datagram, unauthenticated: for choosing a key and nothing else. Null if it is too short, of another
// magic or version, or not of a sealed channel.
const EnvelopeHeader* PeekEnvelope(ConstBytes datagram);

// Whether a datagram says that it is of Channel::kAdmission: by the bytes that it has in common with an envelope.
bool IsAdmissionDatagram(ConstBytes datagram);

// The plain text, in `out` (datagram.size() - kEnvelopeOverhead bytes); false if it does not authenticate.
bool Unseal(const SessionKey& key, ConstBytes datagram, MutableBytes out);

// RFC 6479: a sliding bitmap over the counters of one boot and channel.
class ReplayWindow {
 public:
  static constexpr uint64_t kSize = 1024;
  // True once for each counter that is not older than the window.
  bool Accept(uint64_t counter);
  // Whether Accept would.
  bool IsNew(uint64_t counter) const;
  uint64_t highest() const { return highest_; }
  // From now on only counters above `counter` are accepted.
  void StartAfter(uint64_t counter);

 private:
  uint64_t highest_ = 0;  // 0: nothing accepted yet; counters begin at 1
  std::array<uint64_t, kSize / 64 + 1> seen_{};
};

}  // namespace qure
