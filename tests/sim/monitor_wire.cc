// The part of the monitor that looks into frames.
#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp_frame.h"
#include "tests/sim/monitor.h"

#include "tests/sim/random.h"
#include "tests/sim/strangers.h"

namespace qure::sim {
namespace {

constexpr int kMostHeld = 2 * 96;  // frames that may wait between gate and wire, twice trapped
constexpr Duration kHealOverlap = Milliseconds(50);
constexpr uint64_t kControlLimit = 100;  // I9: a second
constexpr Duration kSteadyAfter = Seconds(16);

uint64_t Mix(uint64_t hash, uint64_t word) {
  const auto product = static_cast<Wide>(hash ^ word) * 0x9e3779b97f4a7c15;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ 0x2545f4914f6cdd1d;
}

uint64_t HashOf(uint64_t hash, ConstBytes bytes) {
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, &bytes[i], sizeof(word));
    hash = Mix(hash, word);
  }
  for (; i < bytes.size(); ++i) hash = Mix(hash, bytes[i]);
  return hash;
}

// The envelope within a frame of the cluster, or null.
const EnvelopeHeader* EnvelopeIn(ConstBytes frame) {
  if (frame.size() < kUdpFrameHeaders + kEnvelopeOverhead || frame[12] != 0x08 || frame[13] != 0x00) return nullptr;
  if (frame[23] != kProtocolUdp) return nullptr;
  return PeekEnvelope(frame.subspan(kUdpFrameHeaders));
}

}  // namespace

void Monitor::OnWire(MonoTime now, size_t port, FrameId id) {
  const ConstBytes frame = pool_->bytes(id);
  ++frames_;
  hash_ = HashOf(Mix(Mix(hash_, static_cast<uint64_t>(now.ns)), port), frame);
  const size_t node = NodeAt(port);
  if (node == SIZE_MAX) return;
  if (const EnvelopeHeader* header = EnvelopeIn(frame)) {
    // Its ARP may be answered, as anybody's.
    if (std::memcmp(frame.data(), Recorder::kMac.bytes.data(), Recorder::kMac.bytes.size()) == 0) {
      Violate(now, Invariant::kEnvelope, absl::StrCat(Name(node), " sends to a host that repeats messages"));
    }
    CheckEnvelope(now, node, *header);
    if (watch_nonces_) CheckNonce(now, node, frame.subspan(kUdpFrameHeaders));
    if ((frame[0] & 1) != 0) CountControl(now);
    return;
  }
  if (IsClusterFrame(frame) && IsAdmissionDatagram(frame.subspan(kUdpFrameHeaders))) CountAdoption(now, node);
  if (IsService(frame)) CheckService(now, node, id, frame);
}

bool Monitor::IsService(ConstBytes frame) const {
  const auto& header = *reinterpret_cast<const EthernetHeader*>(frame.data());
  if (!interface_mac_ && std::ranges::find(service_macs_, header.source) != service_macs_.end()) return true;
  return ClaimedAddress(frame).has_value();
}

// The service address that an ARP frame says its sender has.
std::optional<Ipv4Address> Monitor::ClaimedAddress(ConstBytes frame) const {
  if (frame.size() < sizeof(EthernetHeader) + sizeof(ArpPacket) || frame[12] != 0x08 || frame[13] != 0x06) {
    return std::nullopt;
  }
  const auto& arp = *reinterpret_cast<const ArpPacket*>(frame.data() + sizeof(EthernetHeader));
  if (std::ranges::find(service_ips_, arp.sender_ip) == service_ips_.end()) return std::nullopt;
  return arp.sender_ip;
}

void Monitor::CheckService(MonoTime now, size_t node, FrameId id, ConstBytes bytes) {
  NodeView& view = views_[node];
  if (pool_->mark(id).held) {
    // Nothing can call back what has passed the gate. What it may do is bounded.
    if (++view.held_frames == kMostHeld) Violate(now, Invariant::kStall, "more than a burst was sent after a pause");
    return;
  }
  if (view.stalled) {
    view.stalled = false;  // reported once
    Violate(now, Invariant::kStall,
            absl::StrCat(Name(node), " sends from the service MAC after it stood still, without having rejoined"));
  }
  if (view.tenure.first_frame == kNever) view.tenure.first_frame = now;
  view.tenure.last_frame = now;
  CheckOneHolder(now, node);
  if (!foreign_) return;
  const std::optional<Ipv4Address> claimed = ClaimedAddress(bytes);
  if (claimed != foreign_) return;
  Violate(now, Invariant::kForeign,
          absl::StrCat(Name(node), " claims ", ToString(IpAddress(*claimed)), ", which a foreign host answers for"));
}

// Of two that both send from the service MAC the one of the lower term is wrong.
void Monitor::CheckOneHolder(MonoTime now, size_t node) {
  const NodeView& view = views_[node];
  for (size_t other = 0; other < views_.size(); ++other) {
    if (other == node) continue;
    const NodeView& rival = views_[other];
    if (!rival.open || rival.tenure.first_frame == kNever || !(view.tenure.term < rival.tenure.term)) continue;
    const Apart& apart = apart_[node][other];
    if (apart.now) continue;
    const bool were_apart = apart.until + kHealOverlap > rival.tenure.first_frame;
    const MonoTime limit = were_apart ? apart.until + kHealOverlap : rival.tenure.first_frame;
    if (now <= limit + expect.overlap) continue;
    if (rival.tenure.last_frame <= std::max(limit, view.tenure.first_frame)) continue;  // it has been held since
    views_[node].tenure.first_frame = now;
    Violate(now, Invariant::kOneHolder,
            absl::StrCat(Name(node), " sends from the service MAC under a lower term than ", Name(other), ", ",
                         static_cast<double>((now - limit).ns) / 1e6, " ms too late"));
    return;
  }
}

void Monitor::CheckEnvelope(MonoTime now, size_t node, const EnvelopeHeader& header) {
  NodeView& view = views_[node];
  const size_t channel = header.channel == static_cast<uint8_t>(Channel::kHeartbeat) ? 1 : 0;
  if (view.sealing_boot[channel] != header.boot) {
    view.sealing_boot[channel] = header.boot;
    view.sealed[channel] = {};
  }
  const uint64_t counter = header.counter.value();
  if (view.sealed[channel].Accept(counter)) return;
  Violate(now, Invariant::kEnvelope, absl::StrCat(Name(node), " seals with counter ", counter, " again"));
}

// The header names the key (sender, boot, key id) and is the nonce, too.
void Monitor::CheckNonce(MonoTime now, size_t node, ConstBytes datagram) {
  const uint64_t nonce = HashOf(1, datagram.first(sizeof(EnvelopeHeader)));
  const uint64_t text = HashOf(1, datagram.subspan(sizeof(EnvelopeHeader)));
  const auto [known, fresh] = sealed_.try_emplace(nonce, text);
  if (fresh || known->second == text) return;
  Violate(now, Invariant::kEnvelope, absl::StrCat(Name(node), " seals two texts with one nonce"));
}

void Monitor::CountControl(MonoTime now) {
  const int64_t second = now.ns / Seconds(1).ns;
  const auto window = static_cast<int64_t>(control_frames_.size());
  if (second != control_second_) {
    uint64_t sum = 0;
    for (const uint64_t count : control_frames_) sum += count;
    const bool steady = now - disturbed_ > kSteadyAfter;
    if (steady) busiest_control_ = std::max(busiest_control_, sum);
    if (steady && expect.check_rate && sum > kControlLimit * control_frames_.size()) {
      Violate(now, Invariant::kRate, absl::StrCat(sum, " control frames to groups within 10 s"));
    }
    for (int64_t s = std::max(control_second_ + 1, second - window + 1); s <= second; ++s) {
      control_frames_[static_cast<size_t>(s % window)] = 0;
    }
    control_second_ = second;
  }
  ++control_frames_[static_cast<size_t>(second % window)];
}

void Monitor::OnReceived(MonoTime now, const Node& node, FrameId id) {
  const EnvelopeHeader* header = EnvelopeIn(pool_->bytes(id));
  if (header == nullptr || header->channel != static_cast<uint8_t>(Channel::kHeartbeat)) return;
  const FrameMark& mark = pool_->mark(id);
  if (mark.recording || NodeAt(mark.sender) == SIZE_MAX) return;
  NodeView& view = views_[node.index()];
  if (view.stalled && mark.sent_at > view.heartbeat_after_stall) view.stalled = false;
  MonoTime& newest = view.heard_sent[mark.sender];
  if (mark.sent_at <= newest) return;
  newest = mark.sent_at;
  view.heard[mark.sender] = now;
}

}  // namespace qure::sim
