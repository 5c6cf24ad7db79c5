// From messages to frames and back: seals, authenticates, separates fresh from replayed messages, and active boots from
// recordings. Nothing that comes out of Receive is forged, replayed or of another cluster.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/cluster/allowance.h"
#include "control/core/cluster/identity.h"
#include "control/core/cluster/strangers.h"
#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/cluster_peer.h"
#include "proto/cluster/datagram.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

// Why a datagram was not believed: the metric's label.
enum class Reject : uint8_t {
  kMalformed,    // not an envelope of ours, or its plain text is no message
  kUnknownKey,   // sealed with a key that we do not have
  kUnauthentic,  // of another cluster, or changed on the way
  kReplayed,     // counter seen before, or too old
  kUnknownBoot,  // authentic, but this boot has not answered a challenge yet
  kRelabelled,   // authentic, but in a frame whose source is not the sender's MAC
  kOwn,          // our own frame came back
  kTooMany,      // challenge limits reached
};
inline constexpr size_t kRejectCount = 8;
std::string_view NameOf(Reject reject);

inline constexpr size_t kSenderAddressSize = 17;  // of wire::Message::from, which every message carries
// The largest message that is sent, as protobuf and without `from`: the caller sizes what can grow by it (history
// chunks).
inline constexpr size_t kMaxMessage = kMaxDatagram - kEnvelopeOverhead - kSenderAddressSize;

struct TransportConfig {
  ClusterId cluster{};
  bool open = false;  // security = "open": a key that everyone knows
  Keyring keyring;
  uint16_t port = kDefaultClusterPort;
  Ipv4Address group;
  Ipv4Address address;  // ours; source of cluster frames
  MacAddress mac;       // our hop 0
};

// Where a node is reached, by its own sealed word.
struct PeerAddress {
  MacAddress mac;
  Ipv4Address address;
};

struct Incoming {
  NodeId node{};
  BootId boot{};
  PeerAddress from;
  Delivery delivery = Delivery::kUnicast;
  bool overtaken = false;  // a later message of this boot was received before: no sign of life, and `from` may be old
  wire::Message message;
};

class Transport {
 public:
  // `random` outlives the transport.
  Transport(const NodeId& node, const BootId& boot, absl::BitGenRef random);

  void Configure(const TransportConfig& config);
  const TransportConfig& config() const { return config_; }
  // False: no key and not open. Nothing is sent or received then.
  bool enabled() const;

  void SendToAll(const wire::Message& message, Actions* out);
  void SendTo(const PeerAddress& to, const wire::Message& message, Actions* out);
  // SendToAll goes to the group, to the limited broadcast address, or to both.
  enum class Way : uint8_t { kMulticast, kBroadcast, kBoth };
  void UseWay(Way way) { way_ = way; }

  // Authenticated, fresh, of a boot that has proven that it is active, in a frame from the MAC that the sealed message
  // names; or nothing. Challenges unknown boots and answers challenges by itself. Without a key it
  // believes nothing, and lets the others know that it is there.
  std::optional<Incoming> Receive(MonoTime now, const Datagram& datagram, Actions* out);

  // A boot that seems to be over: its frames are refused until it proves anew that it is active, as a clone's twin
  // does. How far it was heard is remembered.
  void Forget(const NodeId& node, const BootId& boot);

  // For the heartbeater: what we seal with, and what a peer's heartbeats may be sealed with.
  HeartbeatKey SendKey() const;
  std::vector<HeartbeatKey> KeysOf(const NodeId& node, const BootId& boot) const;

  // This process was restored from a snapshot: what was sealed under its session key since is not known to it. It must
  // become a new boot. Found here by what others have heard of this boot, or notified of by who knows it otherwise;
  // `why` is for the log.
  bool restored() const { return restored_; }
  void NoteRestored(std::string_view why, Actions* out);

  // The boots that have proven that they are active, and their keys, as they were last taken: not any more.
  bool peers_changed() const { return peers_changed_; }
  ClusterPeers TakePeers();

  // A boot speaks whose word has not counted yet: a recording, one whose challenge is still open, or one that has just
  // proven that it is active and has said nothing since.
  bool HearsUnproven(MonoTime now) const;

  const std::array<uint64_t, kRejectCount>& rejected() const { return rejected_; }
  const Strangers& strangers() const { return strangers_; }
  // Messages that were not sent because they are longer than kMaxMessage.
  uint64_t oversized() const { return oversized_; }

 private:
  // When the next answer to a boot that has not proven that it is active, or only repeats itself, is due.
  class Patience {
   public:
    bool Due(MonoTime now) const { return !next_ || now >= *next_; }
    bool first() const { return !next_; }
    // `longest`: of the pauses between the answers, in kChallengeInterval.
    void Answered(MonoTime now, int longest);

   private:
    std::optional<MonoTime> next_;
    int pause_ = 1;  // in kChallengeInterval
  };
  struct Session {  // one boot of one node
    bool proven = false;
    bool believed = false;            // it has said something since it was proven
    ReplayWindow window;              // in use while it is proven, and remembered afterwards …
    MacAddress mac;                   // … as is this: where it is by its newest word
    std::optional<HeartbeatKey> key;  // the one it last sealed with
    std::array<uint8_t, 16> nonce{};  // of the challenge under way
    std::optional<MonoTime> nonce_drawn;
    Patience challenges;
    Patience echoes;
    MonoTime heard;
  };
  using SessionId = std::pair<NodeId, BootId>;

  const StoredKey* FindKey(uint32_t id) const;
  HeartbeatKey Derive(const StoredKey& key, const SessionId& id) const;
  std::array<uint8_t, 16> Draw();
  Session& SessionOf(MonoTime now, const SessionId& id);
  void EvictOne();
  // Whether an answer to an unproven boot of `node` may be sent now. Notes it.
  bool MayAnswer(MonoTime now, const NodeId& node, Patience* patience);
  size_t Unproven(MonoTime now) const;

  void HearWithoutKey(MonoTime now, const Datagram& datagram, Actions* out);
  // Seals and frames one serialized message.
  void SendUnder(const HeartbeatKey& key, const MacAddress& mac, const Ipv4Address& address, const std::string& plain,
                 Actions* out);
  void Send(const MacAddress& mac, const Ipv4Address& address, const std::string& plain, Actions* out);
  bool Unlock(const Datagram& datagram, const StoredKey& key, const SessionId& id, Session* session,
              std::vector<uint8_t>* plain) const;
  static std::optional<Reject> Open(const Datagram& datagram, const std::vector<uint8_t>& plain, Incoming* incoming);
  std::nullopt_t Refuse(Reject reject);
  std::nullopt_t OnUnproven(MonoTime now, const SessionId& id, uint64_t counter, const PeerAddress& from,
                            const wire::Message& message, Actions* out);
  bool Proves(MonoTime now, const SessionId& id, uint64_t counter, const std::string& nonce);
  void Settle(const PeerAddress& from, Session* session);
  std::nullopt_t OnOwn(const Datagram& datagram, const EnvelopeHeader& header, Actions* out);
  void OnReplayed(MonoTime now, const SessionId& id, const Incoming& incoming, Session* session, Actions* out);
  void LookAtOwnCounter(const wire::Challenge& challenge, Actions* out);
  bool Answer(MonoTime now, const SessionId& id, const PeerAddress& from, const wire::Message& message, bool ask,
              Session* session, Actions* out);
  void Challenge(MonoTime now, const SessionId& id, Session* session, const PeerAddress& to, Actions* out);
  bool IsChallenged(const wire::Message& message) const;
  void Echo(const PeerAddress& to, const std::string& nonce, Actions* out);

  NodeId node_;
  BootId boot_;
  absl::BitGenRef random_;
  TransportConfig config_;
  std::optional<HeartbeatKey> send_key_;
  std::string sender_address_;  // wire::Message::from of our own, serialized
  Way way_ = Way::kMulticast;
  uint64_t counter_ = 0;
  // The last one to all, serialized: follows each echo, so that the challenger need not wait for the next.
  std::string last_hello_;
  std::map<SessionId, Session> sessions_;
  bool peers_changed_ = false;
  bool restored_ = false;
  Allowance first_answers_;
  Allowance repeated_answers_;
  std::array<Allowance, 256> answers_of_node_;  // by the first byte of its id
  std::array<uint64_t, kRejectCount> rejected_{};
  Strangers strangers_;
  MonoTime next_hint_;  // that this node is here and has no key
  uint64_t oversized_ = 0;
};

}  // namespace qure
