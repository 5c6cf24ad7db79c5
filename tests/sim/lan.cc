#include "tests/sim/lan.h"

#include "proto/cluster/envelope.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp_frame.h"

namespace qure::sim {
namespace {

uint64_t KeyOf(const MacAddress& mac) {
  return uint64_t{mac.high()} << 16 | mac.low();
}

const EthernetHeader& HeaderOf(ConstBytes frame) {
  return *reinterpret_cast<const EthernetHeader*>(frame.data());
}

}  // namespace

bool IsClusterFrame(ConstBytes frame) {
  constexpr size_t kProtocolAt = 23;
  constexpr size_t kPortAt = 36;
  return frame.size() > kUdpFrameHeaders && HeaderOf(frame).ether_type.value() == kEtherTypeIpv4 &&
         frame[kProtocolAt] == kProtocolUdp && (frame[kPortAt] << 8 | frame[kPortAt + 1]) == kDefaultClusterPort;
}

size_t Lan::Plug(Device* device, const MacAddress& mac) {
  ports_.push_back({.device = device, .mac = mac});
  return ports_.size() - 1;
}

void Lan::Transmit(MonoTime now, size_t port, ConstBytes bytes, FrameMark mark) {
  if (bytes.size() < sizeof(EthernetHeader)) return;
  mark.sender = static_cast<uint16_t>(port);
  mark.sent_at = now;
  const FrameId frame = pool_->Make(bytes, mark);
  if (on_wire) on_wire(now, port, frame);
  Carry(now, ports_[port].up, Happening::kSwitchFrame, port, frame);
  pool_->Drop(frame);
}

// Along one direction of a link, with what may happen there.
void Lan::Carry(MonoTime now, const LinkFaults& link, Happening what, size_t port, FrameId frame) {
  const MacAddress& destination = HeaderOf(pool_->bytes(frame)).destination;
  const bool broadcast = destination == kBroadcastMac;
  const bool refused =
      (link.no_broadcast && broadcast) || (link.no_multicast && destination.is_multicast() && !broadcast);
  if (link.down || refused || (link.no_cluster && IsClusterFrame(pool_->bytes(frame))) || random_.Chance(link.loss)) {
    ++lost_;
    return;
  }
  const int copies = random_.Chance(link.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay =
        link.delay + Duration{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(link.jitter.ns) + 1))};
    if (random_.Chance(link.reorder)) delay = delay + random_.Between(Duration{}, link.reorder_by);
    pool_->Hold(frame);
    queue_->Add(now + delay, what, port, frame);
  }
}

void Lan::OnSwitch(MonoTime now, size_t port, FrameId frame) {
  const EthernetHeader& header = HeaderOf(pool_->bytes(frame));
  const Port& in = ports_[port];
  if (secure_ && header.source != in.mac) return;
  auto& table = tables_[in.group];
  // Recordings come with the source that they had: what a switch makes of a stolen MAC is another matter.
  const bool learns = !header.source.is_multicast() && !pool_->mark(frame).recording;
  if (learns) table[KeyOf(header.source)] = {.port = port, .seen = now};
  if (!header.destination.is_multicast()) {
    const auto known = table.find(KeyOf(header.destination));
    if (known != table.end() && now - known->second.seen < kAgeing)
      return Deliver(now, port, known->second.port, frame);
  }
  for (size_t to = 0; to < ports_.size(); ++to) Deliver(now, port, to, frame);
  if (!random_.Chance(loop_) || pool_->mark(frame).recording) return;
  FrameMark mark = pool_->mark(frame);
  mark.recording = true;
  const FrameId again = pool_->Make(pool_->bytes(frame), mark);
  for (size_t to = 0; to < ports_.size(); ++to) {
    Carry(now + Milliseconds(2), ports_[to].down, Happening::kArrival, to, again);
  }
  pool_->Drop(again);
}

void Lan::Deliver(MonoTime now, size_t from, size_t to, FrameId frame) {
  if (from == to || ports_[to].device == nullptr || !Passes(from, to)) return;
  Carry(now, ports_[to].down, Happening::kArrival, to, frame);
}

bool Lan::Passes(size_t from, size_t to) const {
  return !blocked_[from][to] && ports_[from].group == ports_[to].group;
}

void Lan::Heal() {
  for (Port& port : ports_) {
    port.up = port.down = {};
    port.group = 0;
  }
  blocked_ = {};
  secure_ = false;
  loop_ = 0;
}

bool Lan::PassesBelow(double loss, size_t from, size_t to) const {
  const LinkFaults& up = ports_[from].up;
  const LinkFaults& down = ports_[to].down;
  return Passes(from, to) && !up.down && !down.down && up.loss < loss && down.loss < loss;
}

}  // namespace qure::sim
