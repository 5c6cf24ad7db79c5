// Watches the simulated wire and checks the invariants of the design at every frame and step. It sees everything and
// touches nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "control/core/action.h"
#include "control/core/admission/codes.h"
#include "control/core/admission/signing.h"
#include "control/core/controller.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/lan.h"
#include "tests/sim/node.h"

namespace qure::sim {

class Thief;

enum class Invariant : uint8_t {
  kOneHolder,   // I1
  kTerms,       // I2
  kStall,       // I3
  kServed,      // I4
  kNoTakeover,  // I5
  kHistory,     // I6
  kUptime,      // I7
  kEnvelope,    // I8
  kRate,        // I9
  kForeign,     // I10
  kNoReset,     // I11
  kRevoked,     // I12
  kSameConfig,  // I14
  kInTime,      // I15
  kWanted,      // I17
  kAdoption,    // I18
  kCheck,       // a QURE_CHECK has failed: the run ends there
  kLiveness,    // all faults healed: one master, followed by all, served, histories equal
};
std::string_view NameOf(Invariant invariant);

struct Violation {
  MonoTime at;
  Invariant invariant = Invariant::kOneHolder;
  std::string text;
};

// Two nodes that claim at the same moment, both for good reason, hear of each other when their claims have crossed and
// both threads of each have woken: so long both may believe that they lead.
inline constexpr Duration kCrossing = Milliseconds(2);

// What a scenario may allow or demand.
struct Expectations {
  Duration served_within = Milliseconds(600);  // I4: after a disturbance, while a healthy node reaches the gateway
  Duration overlap = kCrossing;                // I1: more than none, where links lose what would end it
  bool check_served = true;
  bool check_rate = true;
  bool check_silent = true;         // I5: off where heartbeats arrive that cannot be believed
  bool claims_need_gateway = true;  // I4: off where it is not required
  bool can_learn = true;            // I2: off where a node forgot and no other knows its term
  uint64_t adoption_frames = 100;   // I18: of channel 3, a second and node
};

class Monitor {
 public:
  Monitor(FramePool* pool, Lan* lan) : pool_(pool), lan_(lan) {}

  void Watch(const std::vector<std::unique_ptr<Node>>* nodes, size_t gateway_port);
  void SetServiceAddresses(const std::vector<IpPrefix>& addresses, const ClusterId& cluster, bool interface_mac);
  Expectations expect;
  bool trace = false;

  // From the LAN.
  void OnWire(MonoTime now, size_t port, FrameId frame);

  // From nodes.
  void OnBoot(MonoTime now, const Node& node, const NodeFacts& facts);
  void OnEnd(MonoTime now, const Node& node);
  void OnNewIdentity(MonoTime now, const Node& node);
  void OnRestored(MonoTime now, const Node& node);
  void OnOpen(MonoTime now, const Node& node);
  void OnShut(MonoTime now, const Node& node);
  void OnPublish(MonoTime now, const Node& node);
  void OnRound(MonoTime now, const Node& node, Duration gap);
  void OnLinkBack(MonoTime now, const Node& node);
  void OnReceived(MonoTime now, const Node& node, FrameId frame);
  void OnHeartbeatSent(MonoTime now, const Node& node);
  void OnMasterSilent(MonoTime now, const Node& node);
  void OnTrapped(MonoTime now, const Node& node);
  void OnRefused(MonoTime now, const Node& node, const std::string& text);
  void OnLog(MonoTime now, const Node& node, const Log& log);

  // I12: what this one does has an effect on no node that knows that an identity of these is revoked.
  void WatchThief(const Thief* thief) { thief_ = thief; }
  void Revoke(const admission::PublicKey& identity) { revoked_.insert(identity); }
  // A member has named it: a thief's admission of it before does not matter.
  void TakeIn(const admission::Fingerprint& identity) { taken_in_.insert(identity); }

  // From the gateway and the scenario.
  void OnAnswer(MonoTime now, size_t port);
  void Disturbed(MonoTime now);                                          // something was broken, or mended
  void BeginForeign(const Ipv4Address& address) { foreign_ = address; }  // a foreign host had it first
  void EndForeign() { foreign_.reset(); }
  // Hosts of the LAN need a node that answers now.
  void DemandHolder(MonoTime now);
  // Each nonce is remembered with what it sealed: nodes may be restored.
  void WatchNonces() { watch_nonces_ = true; }
  void ForbidTakeovers(bool forbidden) { no_takeovers_ = forbidden; }

  // Every few milliseconds of world time.
  void Check(MonoTime now, bool gateway_up);
  void Violate(MonoTime now, Invariant invariant, std::string text);
  void Trace(MonoTime now, const std::string& text) const;

  const std::vector<Violation>& violations() const { return violations_; }
  uint64_t hash() const { return hash_; }
  uint64_t frames() const { return frames_; }
  uint64_t openings() const { return openings_; }
  // Frames of the cluster to groups, at rest: the most within ten seconds, a second.
  double group_rate() const {
    return static_cast<double>(busiest_control_) / static_cast<double>(control_frames_.size());
  }
  Duration longest_outage() const { return longest_outage_; }
  // Since when no node that belongs to the cluster opens what is sealed with a key that a revoked one has; kNever: one
  // does.
  MonoTime CleanSince() const;
  // Frames of channel 3 that one node has sent within a second, at most.
  uint64_t most_adoption_frames() const { return most_adoption_frames_; }
  size_t NodeOf(const NodeId& id) const;  // index, or nodes if none

 private:
  struct Tenure {
    Term term;
    uint64_t opening = 0;
    MonoTime first_frame = kNever;  // sourced from the service MAC
    MonoTime last_frame = kLongAgo;
  };
  struct NodeView {
    Tenure tenure;
    bool open = false;
    bool draining = false;  // its workers answer from the node MAC
    MonoTime opened = kLongAgo;
    // I3
    bool stalled = false;
    MonoTime stall_seen;
    bool trapped = false;
    int held_frames = 0;
    MonoTime heartbeat_after_stall = kNever;
    // I5
    std::optional<NodeId> follows;
    absl::flat_hash_map<size_t, MonoTime> heard;  // by port of the sender: when its newest heartbeat arrived
    absl::flat_hash_map<size_t, MonoTime> heard_sent;
    MonoTime own_stall = kLongAgo;  // as a deputy, for more than a third of its lease …
    Duration own_lease;             // … which was this
    // I8
    std::array<BootId, 2> sealing_boot{};  // by channel
    std::array<ReplayWindow, 2> sealed;
    // I7
    uint64_t lineage = 0;
    uint64_t uptime_ms = 0;
    uint64_t balance_epoch = 0;
    // I15, by the node's own clock
    std::map<clusterconfig::Version, MonoTime> open_until;
  };
  // I12: of a node.
  struct TrustView {
    std::optional<admission::Digest> rosters;  // that it knows, and which leave the revoked ones out
    MonoTime clean_by = kNever;                // when it must have no other keys than those made for these …
    MonoTime clean_since = kNever;             // … and since when it has none
    bool reported = false;
  };
  struct Apart {
    bool now = false;
    MonoTime until = kLongAgo;
  };

  void CheckService(MonoTime now, size_t node, FrameId frame, ConstBytes bytes);
  void CheckOneHolder(MonoTime now, size_t node);
  void CheckEnvelope(MonoTime now, size_t node, const EnvelopeHeader& header);
  void CheckNonce(MonoTime now, size_t node, ConstBytes datagram);
  void CountControl(MonoTime now);
  bool IsService(ConstBytes frame) const;
  std::optional<Ipv4Address> ClaimedAddress(ConstBytes frame) const;
  void CheckServed(MonoTime now, bool gateway_up);
  void CheckUptime(MonoTime now, size_t node);
  void CheckConfig(MonoTime now, size_t node);
  void CheckRevoked(MonoTime now);
  void NoteKeys();
  void FollowRosters(MonoTime now, size_t node);
  void CheckKeys(MonoTime now, size_t node);
  void CheckEffects(MonoTime now, size_t node);
  void CheckForged(MonoTime now, size_t node, const ControllerStatus& status);
  void CheckSecrets(MonoTime now);
  void CheckWanted(MonoTime now, size_t node);
  void CountAdoption(MonoTime now, size_t node);
  void UpdateApart(MonoTime now);
  size_t NodeAt(size_t port) const { return port < node_of_port_.size() ? node_of_port_[port] : SIZE_MAX; }
  std::string Name(size_t node) const;

  FramePool* const pool_;
  Lan* const lan_;
  const std::vector<std::unique_ptr<Node>>* nodes_ = nullptr;
  size_t gateway_port_ = 0;
  std::vector<size_t> node_of_port_;
  std::vector<MacAddress> service_macs_;
  std::vector<Ipv4Address> service_ips_;
  bool interface_mac_ = false;

  std::vector<NodeView> views_;
  std::vector<std::vector<Apart>> apart_;
  std::vector<MonoTime> gateway_away_;                 // by node: since when it does not reach the gateway
  std::map<Term, std::pair<size_t, uint64_t>> terms_;  // used: by which node in which boot
  std::map<NodeId, Term> last_term_;
  std::map<size_t, std::set<clusterconfig::Version>> open_before_;  // I15: by node, in boots before
  std::array<uint64_t, 10> control_frames_{};                       // I9: to groups, by second
  uint64_t busiest_control_ = 0;                                    // the most in so many seconds, with all at rest
  int64_t control_second_ = 0;

  const Thief* thief_ = nullptr;
  bool thief_reported_ = false;
  std::set<admission::PublicKey> revoked_;
  std::vector<TrustView> trust_;
  std::map<std::pair<uint32_t, ClusterKey>, admission::Digest> made_for_;  // by session key: its rosters
  std::set<admission::Digest> rosters_since_;                              // that leave the revoked ones out
  std::set<admission::Fingerprint> taken_in_;                              // by those who belong to the cluster
  std::vector<std::pair<int64_t, uint64_t>> adoption_frames_;              // I18: by node: second, how many
  uint64_t most_adoption_frames_ = 0;

  MonoTime disturbed_;
  MonoTime last_answer_;
  MonoTime serviceable_since_ = kNever;
  bool served_once_ = false;
  bool outage_told_ = false;
  Duration longest_outage_;
  std::optional<Ipv4Address> foreign_;
  bool no_takeovers_ = false;
  bool watch_nonces_ = false;
  absl::flat_hash_map<uint64_t, uint64_t> sealed_;  // hash of key and nonce -> of the text; looked up only

  std::vector<Violation> violations_;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t frames_ = 0;
  uint64_t openings_ = 0;
};

}  // namespace qure::sim
