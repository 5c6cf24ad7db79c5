#include "tests/sim/strangers.h"

#include <cstring>
#include <utility>

#include "proto/cluster/heartbeat.h"
#include "proto/net/arp.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp_frame.h"

namespace qure::sim {
namespace {

constexpr Duration kSpeakPause = Milliseconds(100);
constexpr int kUnknownField = 4000;
constexpr Duration kRepeatAfter = Microseconds(300);
constexpr uint64_t kJunk = 1;  // Recorder::OnTimer
constexpr uint64_t kRepeat = 2;
constexpr uint64_t kForge = 3;
constexpr uint64_t kAnyhow = 4;
constexpr size_t kHeartbeatFrame = kUdpFrameHeaders + kEnvelopeOverhead + kHeartbeatSize;
constexpr double kHeartbeatsKept = 0.05;

}  // namespace

std::optional<Datagram> DatagramIn(ConstBytes frame, const MacAddress& own) {
  if (frame.size() <= kUdpFrameHeaders) return std::nullopt;
  const auto& ethernet = *reinterpret_cast<const EthernetHeader*>(frame.data());
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(frame.data() + sizeof(EthernetHeader));
  if (ethernet.ether_type.value() != kEtherTypeIpv4 || ip.protocol != kProtocolUdp) return std::nullopt;
  if (ethernet.destination != own && !ethernet.destination.is_multicast()) return std::nullopt;
  Datagram datagram{.mac = ethernet.source, .delivery = Delivery::kMulticast, .payload = {}};
  datagram.payload.assign(frame.begin() + kUdpFrameHeaders, frame.end());
  return datagram;
}

// --- ForeignHost ---

void ForeignHost::Appear(MonoTime now, const Ipv4Address& address, const Manner& manner) {
  present_ = true;
  address_ = address;
  manner_ = manner;
  Announce(now);
  parts_.queue->Add(now + manner_.announces, Happening::kDevice, port_, 0);
}

void ForeignHost::OnFrame(MonoTime now, FrameId id) {
  if (!present_ || !manner_.answers) return;
  const ConstBytes frame = parts_.pool->bytes(id);
  EthernetView ethernet;
  const ArpPacket* arp = nullptr;
  if (ParseEthernet(frame, &ethernet) || ethernet.ether_type != kEtherTypeArp) return;
  if (ParseArp(frame.subspan(ethernet.length), &arp)) return;
  if (arp->sender_ip == address_ && arp->sender_mac != manner_.as) {
    if (now - last_announced_ >= manner_.announces) Announce(now);
    return;
  }
  if (!arp->is_request() || arp->target_ip != address_) return;
  const ArpFrame reply = BuildArp({.operation = kArpReply,
                                   .ethernet_source = manner_.steals ? manner_.as : kMac,
                                   .ethernet_destination = ethernet.header->source,
                                   .sender_mac = manner_.as,
                                   .sender_ip = address_,
                                   .target_mac = arp->sender_mac,
                                   .target_ip = arp->sender_ip});
  parts_.lan->Transmit(now, port_, reply, {});
}

void ForeignHost::OnTimer(MonoTime now, uint64_t) {
  if (!present_) return;
  Announce(now);
  parts_.queue->Add(now + manner_.announces, Happening::kDevice, port_, 0);
}

void ForeignHost::Announce(MonoTime now) {
  last_announced_ = now;
  if (manner_.roams) ++manner_.as.bytes.back();
  const ArpFrame frame = BuildArp({.ethernet_source = manner_.steals ? manner_.as : kMac,
                                   .sender_mac = manner_.as,
                                   .sender_ip = address_,
                                   .target_ip = address_});
  parts_.lan->Transmit(now, port_, frame, {});
}

// --- Recorder ---

// A frame of the cluster as it looks when another host sends it.
void Relabel(std::vector<uint8_t>* frame) {
  std::memcpy(&(*frame)[6], Recorder::kMac.bytes.data(), Recorder::kMac.bytes.size());
  auto& ip = *MutableHeaderAt<Ipv4Header>(*frame, sizeof(EthernetHeader));
  ip.source = Recorder::kAddress;
  ip.checksum = Be16(0);
  ip.checksum = InternetChecksum(ConstBytes(*frame).subspan(sizeof(EthernetHeader), sizeof(Ipv4Header)));
}

void Recorder::Hear(MonoTime now, ConstBytes frame) {
  const bool own = std::memcmp(&frame[6], kMac.bytes.data(), kMac.bytes.size()) == 0;
  const bool to_group = (frame[0] & 1) != 0;
  if (!own && to_group && IsClusterFrame(frame)) last_heard_.assign(frame.begin(), frame.end());
  if (repeating_ && !own && IsClusterFrame(frame)) {
    repeats_.emplace_back(frame.begin(), frame.end());
    Relabel(&repeats_.back());
    parts_.queue->Add(now + kRepeatAfter, Happening::kDevice, port_, kRepeat);
  }
  if (!IsClusterFrame(frame)) return;
  if (keeps_all_) {  // each with the same chance (Vitter 1985, algorithm R), but few of the many heartbeats
    if (own || (frame.size() == kHeartbeatFrame && !random_.Chance(kHeartbeatsKept))) return;
    const uint64_t place = frames_.size() < kMost ? frames_.size() : random_.Below(heard_ + 1);
    ++heard_;
    if (place == frames_.size()) frames_.emplace_back();
    if (place < frames_.size()) frames_[place].assign(frame.begin(), frame.end());
    return;
  }
  if (recording_ && frames_.size() < kMost) frames_.emplace_back(frame.begin(), frame.end());
}

void Recorder::PlayAnyhow(MonoTime now, size_t count, Duration pause) {
  anyhow_left_ = count;
  pause_ = pause;
  parts_.queue->Add(now + pause, Happening::kDevice, port_, kAnyhow);
}

void Recorder::PlayOne(MonoTime now) {
  if (anyhow_left_ == 0 || frames_.empty()) return;
  --anyhow_left_;
  std::vector<uint8_t> frame = frames_[random_.Below(frames_.size())];
  if (random_.Chance(0.3)) Relabel(&frame);
  parts_.lan->Transmit(now, port_, frame, {.recording = true});
  parts_.queue->Add(now + random_.Between(Duration{}, pause_), Happening::kDevice, port_, kAnyhow);
}

void Recorder::Play(MonoTime now, size_t count, Duration gap, bool damage) {
  if (frames_.empty()) return;
  damage_ = damage;
  gap_ = gap;
  left_ = count;
  next_ = random_.Below(frames_.size());
  parts_.queue->Add(now + gap, Happening::kDevice, port_, 0);
}

void Recorder::Flood(MonoTime now, size_t count, Duration gap, const Ipv4Address& probed) {
  probed_ = probed;
  junk_left_ = count;
  junk_gap_ = gap;
  parts_.queue->Add(now + gap, Happening::kDevice, port_, kJunk);
}

void Recorder::FloodCluster(MonoTime now, size_t count, Duration gap) {
  forged_left_ = count;
  forged_gap_ = gap;
  parts_.queue->Add(now + gap, Happening::kDevice, port_, kForge);
}

void Recorder::Forge(MonoTime now) {
  if (forged_left_ == 0 || last_heard_.empty()) return;
  --forged_left_;
  std::vector<uint8_t> frame = last_heard_;
  Relabel(&frame);
  auto& header = *MutableHeaderAt<EnvelopeHeader>(frame, kUdpFrameHeaders);
  header.salt = random_.Id();
  if (forged_left_ % 2 == 0) {
    header.sender = random_.Id();
    header.boot = random_.Id();
  }
  parts_.lan->Transmit(now, port_, frame, {});
  parts_.queue->Add(now + forged_gap_, Happening::kDevice, port_, kForge);
}

void Recorder::OnTimer(MonoTime now, uint64_t value) {
  if (value == kJunk) {
    if (junk_left_ == 0) return;
    --junk_left_;
    const bool probe = !probed_.is_zero();
    const ArpFrame junk = BuildArp({.ethernet_source = kMac,
                                    .sender_mac = kMac,
                                    .sender_ip = probe ? Ipv4Address{} : Ipv4Address{{198, 51, 100, 78}},
                                    .target_ip = probe ? probed_ : Ipv4Address{{198, 51, 100, 79}}});
    parts_.lan->Transmit(now, port_, junk, {});
    parts_.queue->Add(now + junk_gap_, Happening::kDevice, port_, kJunk);
    return;
  }
  if (value == kForge) return Forge(now);
  if (value == kAnyhow) return PlayOne(now);
  if (value == kRepeat) {
    parts_.lan->Transmit(now, port_, repeats_.front(), {});
    return repeats_.pop_front();
  }
  if (left_ == 0) return;
  --left_;
  std::vector<uint8_t> frame = frames_[next_++ % frames_.size()];
  if (damage_) {
    const size_t at = kUdpFrameHeaders + random_.Below(frame.size() - kUdpFrameHeaders);
    frame[at] ^= static_cast<uint8_t>(1u << random_.Below(8));
  }
  parts_.lan->Transmit(now, port_, frame, {.recording = true});
  parts_.queue->Add(now + gap_, Happening::kDevice, port_, 0);
}

// --- Speaker ---

Speaker::Speaker(const LanParts& parts, uint64_t seed)
    : parts_(parts), random_(seed), transport_(random_.Id(), random_.Id(), random_) {
  port_ = parts_.lan->Plug(this, kMac);
}

void Speaker::Start(MonoTime now, Kind kind, const TransportConfig& config) {
  kind_ = kind;
  speaking_ = true;
  TransportConfig own = config;
  own.address = kAddress;
  own.mac = kMac;
  transport_.Configure(own);
  parts_.queue->Add(now, Happening::kDevice, port_, 0);
}

void Speaker::OnFrame(MonoTime now, FrameId id) {
  const std::optional<Datagram> datagram = DatagramIn(parts_.pool->bytes(id), kMac);
  if (!speaking_ || !datagram || datagram->payload.size() < kEnvelopeOverhead) return;
  Actions actions;
  const std::optional<Incoming> incoming = transport_.Receive(now, *datagram, &actions);
  if (incoming && incoming->message.has_hello() && !incoming->message.hello().booting()) {
    heard_ = incoming->message.hello();
  }
  Send(now, &actions);
}

void Speaker::OnTimer(MonoTime now, uint64_t) {
  if (!speaking_) return;
  Actions actions;
  transport_.SendToAll(MakeHello(), &actions);
  if (kind_ == Kind::kFuture) {
    wire::Message unknown;
    unknown.GetReflection()->MutableUnknownFields(&unknown)->AddLengthDelimited(kUnknownField, "of tomorrow");
    transport_.SendToAll(unknown, &actions);
  }
  Send(now, &actions);
  parts_.queue->Add(now + kSpeakPause, Happening::kDevice, port_, 0);
}

// What an active node of that cluster would send; of another cluster: that it is master of a term above all others.
wire::Message Speaker::MakeHello() const {
  wire::Message message;
  wire::Hello* hello = message.mutable_hello();
  if (kind_ == Kind::kFuture) {
    *hello = heard_;
    hello->clear_deputy();
    hello->clear_held();
    if (heard_.era() == 0) hello->set_booting(true);
    hello->GetReflection()->MutableUnknownFields(hello)->AddVarint(kUnknownField, 1);
  } else {
    hello->set_era(1000);
    hello->set_lineage(1);
    hello->set_uptime_ms(uint64_t{1} << 50);
    hello->mutable_highest_term()->set_era(1000);
    hello->mutable_highest_term()->set_epoch(1000);
  }
  hello->set_name("stranger");
  hello->set_age(1);
  hello->set_maintenance(true);
  hello->set_ready(false);
  return message;
}

void Speaker::Send(MonoTime now, Actions* actions) {
  for (const Action& action : *actions) {
    if (const auto* frame = std::get_if<SendFrame>(&action)) parts_.lan->Transmit(now, port_, frame->bytes, {});
  }
}

}  // namespace qure::sim
