#include "control/core/cluster/membership.h"

#include <algorithm>

#include "control/core/timers.h"

namespace qure {
namespace {

using Kind = MemberChange::Kind;

constexpr size_t kBootsRemembered = 4;  // more clones of one node look like a node that reboots

// What others call themselves goes to terminals and into JSON.
void Tame(std::string* text) {
  std::ranges::replace_if(
      *text, [](char c) { return static_cast<uint8_t>(c) < ' ' || c == '\x7f'; }, '?');
}

bool SaidByMaster(const Member& member) {
  const std::string& master = member.hello.master();
  return master.size() == member.node.size() &&
         std::ranges::equal(master, member.node, [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

// What was overtaken may have been kept back and repeated by anybody: it says neither that the node is alive nor where.
void Renew(MonoTime now, const Incoming& incoming, const wire::Hello* hello, Member* member) {
  if (incoming.delivery == Delivery::kMulticast) member->last_multicast = now;
  if (incoming.delivery == Delivery::kBroadcast) member->last_broadcast = now;
  // A HELLO that was overtaken by a later one must not take back what that reported.
  if (hello != nullptr && hello->node_uptime_ms() >= member->hello.node_uptime_ms()) {
    member->hello = *hello;
    Tame(member->hello.mutable_name());
    Tame(member->hello.mutable_revision());
  }
  if (incoming.overtaken) return;
  member->at = incoming.from;
  member->last_heard = member->last_message = now;
  member->pings = 0;
  member->next_ping = kNever;
  member->state = MemberState::kAlive;
}

// A boot that was not known.
void Take(MonoTime now, const Incoming& incoming, const wire::Hello& hello, Member* member) {
  member->node = incoming.node;
  member->boot = incoming.boot;
  member->first_heard = now;
  member->last_multicast = member->last_broadcast = now;
  Renew(now, incoming, &hello, member);
}

}  // namespace

std::string_view NameOf(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kDown:
      return "down";
    case MemberState::kLeft:
      return "left";
  }
  return "";
}

Rank Member::rank() const {
  return {.priority = hello.priority(), .weight = hello.weight(), .node = node};
}

std::vector<MemberChange> Membership::OnMessage(MonoTime now, const Incoming& incoming, const wire::Hello* hello) {
  if (incoming.node == self_) return {{Kind::kClone, self_}};
  if (incoming.overtaken) hello = nullptr;
  const auto found = members_.find(incoming.node);
  if (found == members_.end()) return OnUnknownNode(now, incoming, hello);
  if (found->second.boot == incoming.boot) return OnKnownBoot(now, incoming, hello, &found->second);
  return OnOtherBoot(now, incoming, hello, &found->second);
}

std::vector<MemberChange> Membership::OnUnknownNode(MonoTime now, const Incoming& incoming, const wire::Hello* hello) {
  if (hello == nullptr) return {};
  if (!MakeRoom()) {
    ++refused_;
    return {};
  }
  Take(now, incoming, *hello, &members_[incoming.node]);
  return {{Kind::kJoined, incoming.node}};
}

// The one that is gone for longest makes room.
bool Membership::MakeRoom() {
  if (members_.size() < kMaxMembers) return true;
  const auto absence = [](const auto& entry) { return entry.second.present() ? kNever : entry.second.gone_at; };
  const auto longest = std::ranges::min_element(members_, {}, absence);
  if (longest->second.present()) return false;
  members_.erase(longest);
  return true;
}

std::vector<MemberChange> Membership::OnKnownBoot(MonoTime now, const Incoming& incoming, const wire::Hello* hello,
                                                  Member* member) {
  const bool present = member->present();
  if (!present && hello == nullptr) return {};
  // Overtaken by its goodbye.
  if (member->state == MemberState::kLeft && now - member->gone_at < kLateFrames) return {};
  Renew(now, incoming, hello, member);
  if (present) return {};
  return {{Kind::kJoined, incoming.node}};
}

// A boot takes over from another when that one has fallen silent; if both speak, there are two machines, and the one we
// know stays. A boot that was followed by another may be heard late. If it goes on speaking beside its successor, it is
// another machine, too; if its successor is gone by then, that one was.
std::vector<MemberChange> Membership::OnOtherBoot(MonoTime now, const Incoming& incoming, const wire::Hello* hello,
                                                  Member* member) {
  if (hello == nullptr) return {};
  const bool followed = std::ranges::find(member->boots_before, incoming.boot) != member->boots_before.end();
  if (followed && now - member->first_heard < kLateFrames) return {};
  if (member->present() && (followed || now - member->last_heard < kRebootQuiet)) {
    if (now < member->next_clone) return {};
    member->next_clone = now + kCloneMemory;
    return {{Kind::kClone, incoming.node}};
  }
  const BootId over = member->boot;
  std::vector<BootId> before = std::move(member->boots_before);
  std::erase(before, incoming.boot);
  before.insert(before.begin(), over);
  if (before.size() > kBootsRemembered) before.pop_back();
  *member = {};
  member->boots_before = std::move(before);
  Take(now, incoming, *hello, member);
  return {{Kind::kRebooted, incoming.node, over}};
}

std::vector<MemberChange> Membership::OnGoodbye(MonoTime now, const NodeId& node, const BootId& boot) {
  const auto found = members_.find(node);
  if (found == members_.end() || found->second.boot != boot) return {};
  Member& member = found->second;
  const bool present = member.present();
  member.state = MemberState::kLeft;
  member.gone_at = now;
  member.next_ping = kNever;
  if (!present) return {};
  return {{Kind::kLeft, node}};
}

void Membership::OnHeartbeats(MonoTime now, const NodeId& node) {
  const auto found = members_.find(node);
  if (found == members_.end()) return;
  Member& member = found->second;
  if (!member.present() || now - member.last_message > kHeartbeatLife) return;
  member.last_heard = now;
  member.pings = 0;
  member.next_ping = kNever;
  member.state = MemberState::kAlive;
}

std::vector<MemberChange> Membership::Tick(MonoTime now, Transport* transport, Actions* out) {
  const Duration interval = HelloInterval(/*master=*/false);
  std::vector<MemberChange> changes;
  for (auto& [node, member] : members_) {
    if (member.state == MemberState::kAlive && now >= SuspectAt(member, interval)) Suspect(now, node);
    if (member.state != MemberState::kSuspect || now < member.next_ping) continue;
    if (member.pings == kPings) {
      member.state = MemberState::kDown;
      member.gone_at = now;
      member.next_ping = kNever;
      changes.push_back({Kind::kDown, node});
      continue;
    }
    ++member.pings;
    member.next_ping = now + kPingInterval;
    wire::Message ping;
    ping.mutable_ping()->set_nonce(static_cast<uint64_t>(now.ns));
    transport->SendTo(member.at, ping, out);
  }
  std::erase_if(members_, [now](const auto& entry) {
    return !entry.second.present() && now - entry.second.gone_at >= kForgetDown;
  });
  return changes;
}

bool Membership::Forget(const NodeId& node) {
  const auto found = members_.find(node);
  if (found == members_.end() || found->second.present()) return false;
  members_.erase(found);
  return true;
}

void Membership::Suspect(MonoTime now, const NodeId& node) {
  const auto found = members_.find(node);
  if (found == members_.end() || found->second.state != MemberState::kAlive) return;
  found->second.state = MemberState::kSuspect;
  found->second.pings = 0;
  found->second.next_ping = now;
}

void Membership::Pardon(MonoTime now) {
  for (auto& [node, member] : members_) {
    if (!member.present()) continue;
    member.last_heard = now;
    member.state = MemberState::kAlive;
  }
}

MonoTime Membership::SuspectAt(const Member& member, Duration interval) const {
  return member.last_heard + (SaidByMaster(member) ? kHelloMaster : interval) * kSuspectAfterIntervals;
}

MonoTime Membership::deadline() const {
  const Duration interval = HelloInterval(/*master=*/false);
  MonoTime next = kNever;
  for (const auto& [node, member] : members_) {
    if (member.state == MemberState::kAlive) next = std::min(next, SuspectAt(member, interval));
    if (member.state == MemberState::kSuspect) next = std::min(next, member.next_ping);
    if (!member.present()) next = std::min(next, member.gone_at + kForgetDown);
  }
  return next;
}

const Member* Membership::Find(const NodeId& node) const {
  const auto found = members_.find(node);
  return found == members_.end() ? nullptr : &found->second;
}

size_t Membership::present_count() const {
  return 1 +
         static_cast<size_t>(std::ranges::count_if(members_, [](const auto& entry) { return entry.second.present(); }));
}

Duration Membership::HelloInterval(bool master) const {
  if (master) return kHelloMaster;
  return std::max(kHelloLeast, kHelloPerNode * static_cast<int64_t>(present_count()));
}

// Both copies of a HELLO come together, the multicast one first, so some HELLOs by multicast alone must be missed too.
bool Membership::MissesMulticast(MonoTime now) const {
  const Duration patience = std::max(kMulticastMissing, HelloInterval(/*master=*/false) * kBroadcastEvery);
  return std::ranges::any_of(members_, [&](const auto& entry) {
    const Member& member = entry.second;
    return member.present() && member.last_broadcast > member.last_multicast && now - member.last_multicast > patience;
  });
}

// When somebody misses multicast, both: broadcast reaches it, and multicast shows when it passes again.
Transport::Way Membership::NextWay(MonoTime now) {
  const bool both =
      ++hellos_ % kBroadcastEvery == 0 || MissesMulticast(now) || std::ranges::any_of(members_, [](const auto& entry) {
        return entry.second.present() && entry.second.hello.multicast_missing();
      });
  return both ? Transport::Way::kBoth : Transport::Way::kMulticast;
}

}  // namespace qure
