#include "dataplane/pipeline/flow_rules.h"

namespace qure {
namespace {

void End(FlowEntry* entry) {
  entry->state = FlowState::kClosing;
  entry->remote_ended = entry->kernel_ended = true;
}

void EndIfBothHave(FlowEntry* entry) {
  if (entry->remote_ended && entry->kernel_ended) entry->state = FlowState::kClosing;
}

// A flow of another node. Its answers do not come this way, so nothing is proven, and a flow that its owner vouches for
// is not taken from it by what anybody can send.
void OnRemotePacketOfOthers(FlowSign sign, FlowEntry* entry) {
  if (entry->key.protocol != kProtocolTcp) {
    entry->state = FlowState::kDatagrams;
    return;
  }
  const bool ends = sign == FlowSign::kFinishes || sign == FlowSign::kResets;
  if (ends && !entry->pinned) entry->state = FlowState::kClosing;
  if (sign == FlowSign::kGoesOn && entry->state == FlowState::kOpening) entry->state = FlowState::kEstablished;
}

}  // namespace

void OnRemotePacket(FlowSign sign, FlowNumbers numbers, FlowEntry* entry, uint16_t* expected) {
  if (sign == FlowSign::kError || sign == FlowSign::kStray) return;
  if (entry->owner != kSelfSlot) return OnRemotePacketOfOthers(sign, entry);
  if (entry->key.protocol != kProtocolTcp) return;  // the kernel's answer makes it a flow
  const bool goes_on = sign == FlowSign::kGoesOn || sign == FlowSign::kFinishes;
  // Our SYN was acknowledged. If it was not ours, the kernel resets what it has just got.
  if (goes_on && entry->state == FlowState::kOpening && entry->answered) entry->state = FlowState::kEstablished;
  if (entry->state != FlowState::kEstablished) return;
  if (sign == FlowSign::kFinishes && !entry->remote_ended) {
    // Anybody can send one. It is the remote side's when the kernel acknowledges it.
    *expected = numbers.given;
    entry->finishing = true;
    entry->numbered = false;
  }
  // RFC 5961 §3.2: only the very number that is expected next.
  if (sign == FlowSign::kResets && entry->numbered && numbers.given == *expected) End(entry);
}

void OnKernelPacket(FlowSign sign, FlowNumbers numbers, FlowEntry* entry, uint16_t* expected) {
  if (entry->key.protocol != kProtocolTcp) {
    entry->state = FlowState::kDatagrams;
    return;
  }
  if (sign == FlowSign::kResets) {
    entry->state = FlowState::kClosing;
    return;
  }
  // The kernel resets what does not fit a connection that is being opened, and goes on opening it.
  const bool ended = entry->remote_ended && entry->kernel_ended;
  if (entry->state == FlowState::kClosing && ended) return;
  if (sign == FlowSign::kOpens) {
    entry->answered = true;
    if (entry->state != FlowState::kEstablished) entry->state = FlowState::kOpening;
  } else {
    entry->state = FlowState::kEstablished;
  }
  if (!entry->finishing || numbers.acknowledged == *expected) {
    entry->remote_ended |= entry->finishing;
    entry->finishing = false;
    entry->numbered = true;
    *expected = numbers.acknowledged;
  }
  if (sign == FlowSign::kFinishes) entry->kernel_ended = true;
  EndIfBothHave(entry);
}

}  // namespace qure
