// Which nodes there are: a table with the last HELLO of each, suspicion, direct query, death. A pure state machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/cluster/transport.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

enum class MemberState : uint8_t {
  kAlive,
  kSuspect,  // silent for kSuspectAfterIntervals hello intervals: asked directly
  kDown,     // did not answer
  kLeft,     // sent GOODBYE
};
std::string_view NameOf(MemberState state);

// Higher is better: priority, then balance weight, then node id (design: the incumbent stays whatever its rank).
struct Rank {
  int32_t priority = 0;
  uint32_t weight = 0;
  NodeId node{};
  friend auto operator<=>(const Rank&, const Rank&) = default;
};

struct Member {
  NodeId node{};
  BootId boot{};
  PeerAddress at;
  MemberState state = MemberState::kAlive;
  wire::Hello hello;                 // the last one heard of this boot
  MonoTime first_heard;              // of this boot
  MonoTime last_message;             // authentic and not overtaken
  MonoTime last_heard;               // the same, or a heartbeat
  MonoTime next_clone;               // another boot beside this one is reported again
  MonoTime last_multicast;           // last HELLO that came by multicast
  MonoTime last_broadcast;           // last HELLO that came by broadcast
  MonoTime gone_at;                  // kDown, kLeft: since
  std::vector<BootId> boots_before;  // of this node, the newest first; the last few
  int pings = 0;                     // unanswered, while suspect
  MonoTime next_ping = kNever;

  bool present() const { return state == MemberState::kAlive || state == MemberState::kSuspect; }
  Rank rank() const;
};

struct MemberChange {
  enum class Kind : uint8_t {
    kJoined,    // first heard, or heard again after kDown or kLeft
    kRebooted,  // another boot id under a known node id: the old boot is over
    kDown,
    kLeft,
    kClone,  // two boots of one node id speak by turns; or somebody has our own node id
  };
  Kind kind;
  NodeId node{};
  BootId over{};  // kRebooted: the boot that ended, for Transport::Forget
};

class Membership {
 public:
  explicit Membership(const NodeId& self) : self_(self) {}

  // Any authentic message that was not overtaken proves life; a HELLO (also within PONG and CLAIM) renews what is
  // known. Returns what changed. A node whose boot is unknown is only taken up by a HELLO.
  std::vector<MemberChange> OnMessage(MonoTime now, const Incoming& incoming, const wire::Hello* hello);
  // `boot` is the sender's: a GOODBYE of an earlier boot, or of a clone, is not the present one's. Without it, the
  // present one.
  std::vector<MemberChange> OnGoodbye(MonoTime now, const NodeId& node, const BootId& boot);

  // This node's heartbeats are accepted: it is alive, for kHeartbeatLife after its last message at the longest.
  void OnHeartbeats(MonoTime now, const NodeId& node);

  // Suspects, asks (pings go out through `transport`) and buries the silent.
  std::vector<MemberChange> Tick(MonoTime now, Transport* transport, Actions* out);
  // One that is not present is known no more. False: it is present, or was not known.
  bool Forget(const NodeId& node);
  // Ask this one now: something else than its silence is suspicious.
  void Suspect(MonoTime now, const NodeId& node);
  // After a stall of ours: silence meanwhile means nothing. The clocks of all members start anew.
  void Pardon(MonoTime now);
  MonoTime deadline() const;

  const Member* Find(const NodeId& node) const;
  const std::map<NodeId, Member>& all() const { return members_; }  // without this node
  size_t present_count() const;                                     // with this node
  // Hello interval of a node: max(100 ms, N × 16 ms), the master's 40 ms: below 100 frames a second whatever N is.
  Duration HelloInterval(bool master) const;
  // How SendToAll has to go so that everyone hears it, and whether we ourselves miss somebody's multicast.
  Transport::Way NextWay(MonoTime now);  // of the next HELLO to all
  bool MissesMulticast(MonoTime now) const;
  uint64_t refused() const { return refused_; }  // HELLOs of nodes that found the table full

 private:
  std::vector<MemberChange> OnUnknownNode(MonoTime now, const Incoming& incoming, const wire::Hello* hello);
  std::vector<MemberChange> OnKnownBoot(MonoTime now, const Incoming& incoming, const wire::Hello* hello,
                                        Member* member);
  std::vector<MemberChange> OnOtherBoot(MonoTime now, const Incoming& incoming, const wire::Hello* hello,
                                        Member* member);
  bool MakeRoom();
  MonoTime SuspectAt(const Member& member, Duration interval) const;

  NodeId self_;
  uint64_t hellos_ = 0;  // to all
  uint64_t refused_ = 0;
  std::map<NodeId, Member> members_;
};

}  // namespace qure
