// Who has stolen what a node keeps: a session key, or its whole disk. A thief follows no rule of the protocol but those
// of cryptography: it says what it likes under the keys that it has, takes whatever is given to it without a check, and
// offers membership in the name of the identity that it has stolen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/core/admission/admitter.h"
#include "control/core/admission/records.h"
#include "control/core/admission/session_keys.h"
#include "control/core/cluster/transport.h"
#include "control/core/stored.h"
#include "tests/sim/intruder.h"
#include "tests/sim/lan.h"
#include "tests/sim/random.h"
#include "tests/sim/strangers.h"

namespace qure::sim {

// What is on a stolen disk.
struct Loot {
  Keyring keyring;
  NodeId node{};
  std::optional<admission::SigningKey> identity;  // absent: the keys alone were stolen
  std::optional<admission::RecordSet> records;
};
Loot LootOf(const StoredState& disk);

class Thief : public Device {
 public:
  static constexpr MacAddress kMac{{0x02, 0, 0, 0, 0x77, 0x04}};
  static constexpr Ipv4Address kAddress{{198, 51, 100, 76}};
  // What it says of terms and eras tells when it was said first: by epoch and by second.
  static constexpr uint64_t kForgedEpoch = 1ULL << 40;
  static constexpr int kEpochsOfMs = 16;  // bits
  static constexpr uint32_t kForgedEra = 1000;
  static constexpr uint32_t kErasOfSecond = 16;

  Thief(const LanParts& parts, uint64_t seed);

  // `network`: what the cluster's nodes are configured with. What was stolen before stays known.
  void Steal(const Loot& loot, const TransportConfig& network);

  // From now on it speaks under the stolen keys: as nodes that it has invented, and as `others`. Reckless: also what
  // breaks the cluster for as long as the keys are good.
  void Speak(MonoTime now, const std::vector<NodeId>& others, bool reckless);
  // It comes for keys with the stolen identity, by broadcast.
  void ComeForKeys(MonoTime now);
  // It takes in all that ask, in the name of the stolen identity.
  void TakeIn(MonoTime now);
  // … into a cluster of its own, which has the name of the one it robs.
  void Found(MonoTime now, const TransportConfig& network);
  // It asks to be taken in under an identity of its own whose code begins as `code` does.
  void Resemble(MonoTime now, const std::string& code);
  // … or with the token, and what that has signed, of a node that it hears being taken in.
  void CopyToken(MonoTime now);
  // So many nodes that want to be taken in and are nobody, one message each `gap`.
  void FloodCandidates(MonoTime now, size_t count, Duration gap);
  void Stop();

  size_t port() const { return port_; }
  const NodeId& robbed() const { return loot_.node; }
  // All session keys that were given to it since it stole the disk.
  const std::vector<admission::SessionGrant>& given() const { return given_; }
  // Something was given to an identity that nobody has admitted.
  bool admitted() const { return admitted_; }
  bool IsInvented(const NodeId& node) const { return invented_.contains(node); }
  // Whom it has admitted, or tried to.
  const std::set<admission::Fingerprint>& accomplices() const { return accomplices_; }
  const std::optional<admission::Fingerprint>& own_cluster() const { return own_cluster_; }
  // When a term or an era that it has forged was first said; nothing: it is none.
  static std::optional<MonoTime> SaidAt(const Term& term);
  static std::optional<MonoTime> SaidAt(uint32_t era);

  void OnFrame(MonoTime now, FrameId frame) override;
  void OnTimer(MonoTime now, uint64_t value) override;
  // As a tap would: of anybody.
  void Hear(ConstBytes frame);

 private:
  struct Voice {
    Voice(const NodeId& node, const BootId& boot, Random& random) : id(node), transport(node, boot, random) {}
    NodeId id;
    Transport transport;
  };
  struct Seen {  // of a node, as its envelopes say
    BootId boot{};
    uint64_t counter = 0;
  };

  void AddVoice(const NodeId& id);
  void Wake(MonoTime now);
  void Say(MonoTime now);
  void SayAs(MonoTime now, const NodeId& node, const wire::Message& message);
  wire::Message Forge(MonoTime now, const NodeId& speaker);
  wire::Message ForgeOrder(MonoTime now, const NodeId& speaker);
  wire::Message ForgeHistory(MonoTime now, const NodeId& speaker);
  wire::Message ForgeRecord();
  wire::Message ForgeConfig(MonoTime now);
  wire::Hello ForgeHello(MonoTime now, const NodeId& speaker);
  admission::RecordHead Head() const;
  void Send(MonoTime now, const Actions& actions);
  void SendAdmission(MonoTime now, const MacAddress& from, const MacAddress& to, ConstBytes payload);
  void TakeGiven(Intruder* intruder, bool stolen);
  void Flood(MonoTime now);

  const LanParts parts_;
  Random random_;
  size_t port_ = 0;
  bool awake_ = false;
  bool reckless_ = false;
  Loot loot_;
  TransportConfig network_;
  std::vector<std::unique_ptr<Voice>> voices_;
  std::map<NodeId, Seen> seen_;
  std::set<NodeId> invented_;
  std::set<admission::Fingerprint> accomplices_;
  std::optional<Intruder> renewal_;
  std::vector<Intruder> newcomers_;
  bool copies_token_ = false;
  std::unique_ptr<FalseAdmitter> admitter_;
  std::optional<admission::Fingerprint> own_cluster_;
  std::vector<admission::SessionGrant> given_;
  bool admitted_ = false;
  std::vector<std::pair<MacAddress, std::vector<uint8_t>>> flooders_;  // CANDIDATEs, each of its own MAC
  size_t flood_left_ = 0;
  Duration flood_gap_;
};

}  // namespace qure::sim
