#include "dataplane/pipeline/forwarder.h"

#include "dataplane/pipeline/flow_rules.h"
#include "dataplane/pipeline/host_delivery.h"
#include "proto/net/ethernet.h"

namespace qure {
namespace {

// Who gets a packet, on which hop, and the reason for it.
struct Choice {
  NodeSlot node = kSelfSlot;
  bool second = false;  // on hop 1
  Reason reason = Reason::host_service;
  NodeSlot silent = kSelfSlot;  // the node that leaves this request unanswered; kSelfSlot: none
};

constexpr Choice kOthers{.reason = Reason::other_owner};

class Forwarder {
 public:
  Forwarder(const Snapshot& snapshot, const WorkerMemory& memory)
      : snapshot_(snapshot),
        balance_(*snapshot.balance),
        flows_(memory.flows),
        table_(memory.flows.table),
        now_(memory.now) {}

  Choice Choose(const FlowFacts& facts, uint64_t hash) const {
    FlowEntry* const entry = table_->Find(facts.key, hash, now_);
    if (facts.sign == FlowSign::kLaterFragment) return FollowFirst(facts, entry);
    Choice choice;
    switch (facts.entrance) {
      case Entrance::kService:
        choice = FromGateway(facts, hash, entry);
        break;
      case Entrance::kGroup:
      case Entrance::kGroupHeld:
        choice = FromGroup(facts, hash, entry);
        break;
      case Entrance::kHop0:
        choice = FromMaster(facts, hash, entry);
        break;
      case Entrance::kHop1:
        choice = Keep(facts, hash, entry, Reason::host_second_chance);
        break;
    }
    if (facts.first_fragment && choice.reason != Reason::other_owner) RememberFirst(facts, choice);
    return choice;
  }

 private:
  bool Reachable(NodeSlot node) const {
    return (node == kSelfSlot || balance_.nodes[node].present) && !balance_.nodes[node].given_up;
  }

  const Service& ServiceOf(const FlowFacts& facts) const { return snapshot_.services->services[facts.service - 1]; }

  void NoteHeavyHitter(const FlowFacts& facts) const {
    if (facts.sign != FlowSign::kOpens || flows_.heavy_hitters == nullptr) return;
    if (ServiceOf(facts).affinity == Affinity::kAdaptive) flows_.heavy_hitters->Note(facts.key.remote);
  }

  // Whether it is the first packet of a flow, even of a socket that had another one before, or one that leaves its
  // owner.
  bool Begins(const FlowFacts& facts, const FlowEntry* entry) const {
    if (facts.sign != FlowSign::kOpens) return false;
    return entry == nullptr || entry->state == FlowState::kClosing || LeavesItsOwner(balance_, facts.service, *entry);
  }

  // This node where no other is named that can be reached.
  NodeSlot OwnerBy(const EpochTables& epoch, const FlowFacts& facts) const {
    const NodeSlot node = OwnerIn(balance_, epoch, *snapshot_.services, facts.service, facts.key);
    return Reachable(node) ? node : kSelfSlot;
  }

  Choice FromGateway(const FlowFacts& facts, uint64_t hash, FlowEntry* entry) const {
    if (entry != nullptr && !Begins(facts, entry) && Reachable(entry->owner)) {
      Touch(facts, entry);
      return {.node = entry->owner, .reason = Reason::forward_flow};
    }
    const NodeSlot owner = OwnerBy(balance_.current, facts);
    if (facts.sign == FlowSign::kOpens) {
      NoteHeavyHitter(facts);
      Enter(facts, hash, owner);
      return {.node = owner, .reason = Reason::forward_new};
    }
    // The owner by the table may not know the flow, and pass it on: this node cannot know whose it is.
    if (owner != kSelfSlot) return {.node = owner, .reason = Reason::forward_table};
    return SecondChance(facts, hash, entry, Reason::host_service);
  }

  Choice FromGroup(const FlowFacts& facts, uint64_t hash, FlowEntry* entry) const {
    const bool held = facts.entrance == Entrance::kGroupHeld;
    if (!ServiceOf(facts).multicast) return held ? FromGateway(facts, hash, entry) : kOthers;
    if (held) NoteHeavyHitter(facts);
    const bool shared = balance_.current.services[facts.service - 1] != nullptr;
    const NodeSlot owner = OwnerIn(balance_, balance_.current, *snapshot_.services, facts.service, facts.key);
    if (owner != kSelfSlot || !balance_.ready || (!shared && !held)) return LeaveTo(owner, facts, hash, entry);
    const bool begins = Begins(facts, entry);
    if (begins && !balance_.settled) {
      const NodeSlot before = OwnerBy(balance_.previous, facts);
      const bool works = !balance_.IsUnhealthy(facts.service, before);
      if (before != kSelfSlot && works) return HandOn(before, facts, hash);
    }
    if (begins || entry == nullptr || entry->owner == kSelfSlot || !Reachable(entry->owner)) {
      return FromMaster(facts, hash, entry);
    }
    Touch(facts, entry);
    return {.node = entry->owner, .second = true, .reason = Reason::forward_second_chance};
  }

  // A new flow to the previous owner. This node is asked for it again, also when there is another previous owner.
  Choice HandOn(NodeSlot before, const FlowFacts& facts, uint64_t hash) const {
    if (FlowEntry* const entry = Enter(facts, hash, before)) entry->pinned = true;
    return {.node = before, .second = true, .reason = Reason::forward_second_chance};
  }

  // A flow of another node. If that does not answer, the master hands it the flow as if the gateway sent to the master
  // alone: frames to all may not reach it. A pinned flow that `owner` has reported is left to it.
  Choice LeaveTo(NodeSlot owner, const FlowFacts& facts, uint64_t hash, FlowEntry* entry) const {
    const bool held = facts.entrance == Entrance::kGroupHeld;
    if (held && entry != nullptr && !entry->pinned && entry->owner != kSelfSlot) {
      if (Begins(facts, entry)) {
        table_->Remove(entry);  // the socket's next flow may reach its owner without help
      } else if (Reachable(entry->owner)) {
        Touch(facts, entry);
        return {.node = entry->owner, .reason = Reason::forward_unanswered};
      }
    }
    const bool request = facts.id != 0 && facts.sign == FlowSign::kOpens && !facts.first_fragment;
    const bool again = request && flows_.requests != nullptr && flows_.requests->Repeated(hash, facts.id, now_);
    if (!again) return kOthers;
    if (!held || !Reachable(owner)) return {.reason = Reason::other_owner, .silent = owner};
    Enter(facts, hash, owner);
    return {.node = owner, .reason = Reason::forward_unanswered, .silent = owner};
  }

  Choice FromMaster(const FlowFacts& facts, uint64_t hash, FlowEntry* entry) const {
    if (facts.sign == FlowSign::kOpens) return Keep(facts, hash, entry, Reason::host_owner);
    if (entry == nullptr) return SecondChance(facts, hash, entry, Reason::host_owner);
    if (entry->owner == kSelfSlot || !Reachable(entry->owner)) return Keep(facts, hash, entry, Reason::host_owner);
    return {.node = entry->owner, .second = true, .reason = Reason::forward_second_chance};
  }

  // To the owner by the previous epoch. If the current one does not name us either, the sender has a newer one, and its
  // previous one is our current.
  Choice SecondChance(const FlowFacts& facts, uint64_t hash, FlowEntry* entry, Reason kept) const {
    NodeSlot before = OwnerBy(balance_.current, facts);
    if (before == kSelfSlot) before = OwnerBy(balance_.previous, facts);
    if (before == kSelfSlot) return Keep(facts, hash, entry, kept);
    return {.node = before, .second = true, .reason = Reason::forward_second_chance};
  }

  // The flow is ours from now on, if it is one.
  Choice Keep(const FlowFacts& facts, uint64_t hash, FlowEntry* entry, Reason reason) const {
    if (entry != nullptr && entry->owner == kSelfSlot && !Begins(facts, entry)) {
      Touch(facts, entry);
    } else if (facts.sign != FlowSign::kError && facts.sign != FlowSign::kResets && facts.sign != FlowSign::kStray) {
      Enter(facts, hash, kSelfSlot);
    }
    return {.node = kSelfSlot, .reason = reason};
  }

  // Null: no room; forwarded all the same, by the Maglev lookup table.
  FlowEntry* Enter(const FlowFacts& facts, uint64_t hash, NodeSlot owner) const {
    FlowEntry* const entry = table_->Insert(facts.key, hash, now_);
    if (entry == nullptr) return nullptr;
    entry->Begin(owner, now_);
    Touch(facts, entry);
    return entry;
  }

  void Touch(const FlowFacts& facts, FlowEntry* entry) const {
    if (IsNews(facts.sign, *entry)) {
      OnRemotePacket(facts.sign, {.given = static_cast<uint16_t>(facts.id)}, entry, table_->NoteOf(entry));
    }
    if (entry->seen != now_) entry->seen = now_;  // rarely true: the cache line stays clean
  }

  void RememberFirst(const FlowFacts& facts, const Choice& choice) const {
    const FlowKey key = FragmentKey(facts.key, facts.id);
    FlowEntry* const entry = table_->Insert(key, table_->HashOf(key), now_);
    if (entry == nullptr) return;
    entry->owner = choice.node;
    entry->state = FlowState::kFragments;
    entry->pinned = choice.second;
    entry->seen = now_;
  }

  Choice FollowFirst(const FlowFacts& facts, const FlowEntry* entry) const {
    if (entry != nullptr && entry->owner != kSelfSlot && facts.entrance != Entrance::kHop1) {
      return {.node = entry->owner, .second = entry->pinned, .reason = Reason::forward_fragment};
    }
    if (entry == nullptr && facts.entrance == Entrance::kGroup) return kOthers;
    return {.node = kSelfSlot, .reason = Reason::host_fragment};
  }

  const Snapshot& snapshot_;
  const Balance& balance_;
  const FlowMemory& flows_;
  FlowTable* const table_;
  const FlowTime now_;
};

Reason SendToPeer(const Snapshot& snapshot, const Choice& choice, FlowSign sign, Frame* frame) {
  const BalanceNode& peer = snapshot.balance->nodes[choice.node];
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  ethernet->destination = choice.second ? peer.hop1 : peer.hop0;
  ethernet->source = snapshot.node_mac;
  return sign == FlowSign::kError ? Reason::forward_error : choice.reason;
}

}  // namespace

void ForwardFlows(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch) {
  std::array<uint8_t, kBurst> indexes;
  std::array<uint64_t, kBurst> hashes;
  size_t count = 0;
  const FlowTable& table = *memory.flows.table;
  for (size_t i = 0; i < batch->count; ++i) {
    if (batch->lanes[i] != Lane::kFlow) continue;
    hashes[count] = table.HashOf(batch->flows[i].key);
    table.PrefetchTags(hashes[count]);
    indexes[count++] = static_cast<uint8_t>(i);
  }
  for (size_t i = 0; i < count; ++i) table.PrefetchEntry(hashes[i]);

  const Forwarder forwarder(snapshot, memory);
  for (size_t i = 0; i < count; ++i) {
    const size_t index = indexes[i];
    const FlowFacts& facts = batch->flows[index];
    const Choice choice = forwarder.Choose(facts, hashes[i]);
    if (choice.silent != kSelfSlot) {
      batch->Emit({.kind = EventKind::kUnanswered, .slot = choice.silent, .ip = AddressOf(facts.key.remote)});
    }
    if (choice.reason == Reason::other_owner) {
      batch->reasons[index] = choice.reason;
      continue;
    }
    const bool ours = choice.node == kSelfSlot;
    const bool from_gateway = facts.entrance == Entrance::kService || IsGroup(facts.entrance);
    const Reason to_kernel = VerdictOf(choice.reason) == Verdict::kHost ? choice.reason
                             : from_gateway                             ? Reason::host_service
                                                                        : Reason::host_owner;
    batch->reasons[index] = ours ? DeliverToHost(snapshot, index, to_kernel, batch)
                                 : SendToPeer(snapshot, choice, facts.sign, &batch->frames[index]);
  }
}

}  // namespace qure
