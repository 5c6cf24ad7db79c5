#include "tests/sim/gateway.h"

#include <algorithm>
#include <cstring>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/icmp.h"
#include "proto/net/ip.h"

namespace qure::sim {
namespace {

constexpr Duration kCacheLife = Seconds(25);        // real ones: 30 s to 20 min
constexpr Duration kAskAgain = Milliseconds(100);   // real ones: 1 s, which would hide our own outages
constexpr Duration kSweepPause = Milliseconds(15);  // between the questions of a sweep
constexpr uint16_t kWindow = 1024;                  // echoes that may be on their way

struct EchoFrame {
  EthernetHeader ethernet;
  Ipv4Header ip;
  IcmpHeader icmp;
  Be32 number;
  std::array<uint8_t, 18> padding;  // up to the minimum frame
};
static_assert(sizeof(EchoFrame) == kMinimumFrame);

EchoFrame MakeEcho(const MacAddress& to, const Ipv4Address& target, uint32_t number) {
  EchoFrame echo{};
  echo.ethernet = {.destination = to, .source = Gateway::kMac, .ether_type = Be16(kEtherTypeIpv4)};
  echo.ip.version_ihl = 0x45;
  echo.ip.total_length = Be16(sizeof(EchoFrame) - sizeof(EthernetHeader));
  echo.ip.time_to_live = 60;
  echo.ip.protocol = kProtocolIcmp;
  echo.ip.source = Gateway::kClient;
  echo.ip.destination = target;
  echo.ip.checksum = InternetChecksum({reinterpret_cast<const uint8_t*>(&echo.ip), sizeof(echo.ip)});
  echo.icmp.type = kIcmpEchoRequest;
  echo.number = Be32(number);
  const auto* begin = reinterpret_cast<const uint8_t*>(&echo.icmp);
  echo.icmp.checksum = InternetChecksum({begin, sizeof(echo.icmp) + sizeof(echo.number) + sizeof(echo.padding)});
  return echo;
}

}  // namespace

std::string_view NameOf(Temperament temperament) {
  switch (temperament) {
    case Temperament::kAccepts:
      return "accepts";
    case Temperament::kIgnores:
      return "ignores";
    case Temperament::kBinds:
      return "binds";
    case Temperament::kSweeps:
      return "sweeps";
  }
  return "";
}

Gateway::Gateway(const Parts& parts, uint64_t seed) : parts_(parts), random_(seed) {}

void Gateway::PlugIn() {
  port_ = parts_.lan->Plug(this, kMac);
}

void Gateway::Start(MonoTime now) {
  parts_.queue->Add(now + random_.Between(Duration{}, interval_), Happening::kDevice, port_, kEcho);
  parts_.queue->Add(now + random_.Between(Duration{}, Seconds(2)), Happening::kDevice, port_, kSweep);
}

void Gateway::Reboot(MonoTime now, Duration takes) {
  down_ = true;
  entry_ = {};
  parts_.queue->Add(now + takes, Happening::kDevice, port_, kUp);
}

void Gateway::OnTimer(MonoTime now, uint64_t value) {
  switch (value) {
    case kEcho:
      if (!down_) SendEcho(now);
      if (on_turn) on_turn(now);
      parts_.queue->Add(now + interval_ - Duration{interval_.ns / 8} +
                            Duration{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(interval_.ns / 4)))},
                        Happening::kDevice, port_, kEcho);
      return;
    case kSweep:
      if (!down_ && temperament_ == Temperament::kSweeps) Ask(now, {{198, 51, 100, ++sweep_}});
      parts_.queue->Add(now + (sweep_ == 0 ? Seconds(3) : kSweepPause), Happening::kDevice, port_, kSweep);
      return;
    case kUp:
      down_ = false;
      return;
    case kReply:
      if (!down_) Send(now, replies_.front());
      replies_.pop_front();
      return;
    default:
      return;
  }
}

void Gateway::OnFrame(MonoTime now, FrameId id) {
  if (down_) return;
  const ConstBytes frame = parts_.pool->bytes(id);
  EthernetView ethernet;
  if (ParseEthernet(frame, &ethernet)) return;
  const MacAddress& destination = ethernet.header->destination;
  if (destination != kMac && !destination.is_multicast()) return;
  if (ethernet.ether_type == kEtherTypeArp) {
    const ArpPacket* arp = nullptr;
    if (!ParseArp(frame.subspan(ethernet.length), &arp)) OnArp(now, ethernet.header->source, *arp);
  } else if (ethernet.ether_type == kEtherTypeIpv4) {
    OnIp(now, frame, id);
  }
}

void Gateway::OnArp(MonoTime now, const MacAddress& source, const ArpPacket& arp) {
  const bool for_us = arp.target_ip == kAddress;
  if (arp.sender_ip == target_ && target_ == cached_for_) {
    // A reply to us, or (RFC 826) a host that asks us, or an announcement.
    const bool asked_for = !arp.is_request() && for_us && now - asked_at_ < Seconds(1);
    Learn(now, arp.sender_mac, asked_for);
  }
  if (!arp.is_request() || !for_us) return;
  const ArpFrame reply = BuildArp({.operation = kArpReply,
                                   .ethernet_source = kMac,
                                   .ethernet_destination = source,
                                   .sender_mac = kMac,
                                   .sender_ip = kAddress,
                                   .target_mac = arp.sender_mac,
                                   .target_ip = arp.sender_ip});
  if (most_ == Duration{}) return Send(now, reply);
  replies_.push_back(reply);
  last_reply_ = std::max(last_reply_, now + random_.Between(least_, most_));
  parts_.queue->Add(last_reply_, Happening::kDevice, port_, kReply);
}

void Gateway::Learn(MonoTime now, const MacAddress& mac, bool asked_for) {
  switch (temperament_) {
    case Temperament::kAccepts:
    case Temperament::kSweeps:
      break;
    case Temperament::kIgnores:
      if (!asked_for) return;
      break;
    case Temperament::kBinds:
      if (entry_.known) return;
      entry_ = {.known = true, .mac = mac, .until = kNever};
      return;
  }
  entry_ = {.known = true, .mac = mac, .until = now + kCacheLife};
}

void Gateway::SendEcho(MonoTime now) {
  if (cached_for_ != target_) entry_ = {};
  cached_for_ = target_;
  if (!entry_.known || now >= entry_.until) {
    entry_.known = false;
    if (now - asked_at_ < kAskAgain) return;
    asked_at_ = now;
    return Ask(now, target_);
  }
  seen_.reset(sent_ % seen_.size());
  const EchoFrame echo = MakeEcho(entry_.mac, target_, static_cast<uint32_t>(sent_++));
  Send(now, {reinterpret_cast<const uint8_t*>(&echo), sizeof(echo)});
}

void Gateway::Forward(MonoTime now, std::span<uint8_t> frame) {
  if (down_ || !entry_.known || cached_for_ != target_) return;
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(frame.data());
  ethernet->source = kMac;
  ethernet->destination = entry_.mac;
  Send(now, frame);
}

void Gateway::OnIp(MonoTime now, ConstBytes frame, FrameId id) {
  if (frame.size() < sizeof(EchoFrame)) return;
  EchoFrame echo;
  std::memcpy(&echo, frame.data(), sizeof(echo));
  const bool reply = echo.ip.version_ihl == 0x45 && echo.ip.protocol == kProtocolIcmp &&
                     echo.icmp.type == kIcmpEchoReply && echo.ip.destination == kClient && echo.ip.source == target_;
  if (!reply || echo.ethernet.destination != kMac) return;
  if (temperament_ == Temperament::kBinds && echo.ethernet.source != entry_.mac) return;
  const uint32_t number = echo.number.value();
  if (static_cast<uint32_t>(sent_) - number > kWindow) return;
  if (seen_.test(number % seen_.size())) {
    ++duplicates_;
    return;
  }
  seen_.set(number % seen_.size());
  ++answered_;
  last_answer_ = now;
  if (on_answer) on_answer(now, parts_.pool->mark(id).sender);
}

void Gateway::Ask(MonoTime now, const Ipv4Address& whom) {
  if (whom == kAddress) return;
  const ArpFrame request =
      BuildArp({.ethernet_source = kMac, .sender_mac = kMac, .sender_ip = kAddress, .target_ip = whom});
  Send(now, request);
}

void Gateway::Send(MonoTime now, ConstBytes frame) {
  parts_.lan->Transmit(now, port_, frame, {});
}

}  // namespace qure::sim
