// The router in front: the owner of the ARP cache that decides who gets the traffic, with the clients behind it.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string_view>

#include "proto/net/address.h"
#include "proto/net/arp.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/lan.h"
#include "tests/sim/random.h"

namespace qure::sim {

enum class Temperament : uint8_t {
  kAccepts,  // gratuitous ARP renews its cache
  kIgnores,  // only replies to its own requests do
  kBinds,    // the first MAC of an address is the only one ever, and packets from others are dropped
  kSweeps,   // accepts, and asks for every address of its subnet again and again
};
inline constexpr size_t kTemperaments = 4;
std::string_view NameOf(Temperament temperament);

class Gateway : public Device {
 public:
  static constexpr MacAddress kMac{{0x02, 0, 0, 0, 0, 0x01}};
  static constexpr Ipv4Address kAddress{{198, 51, 100, 1}};
  static constexpr Ipv4Address kClient{{203, 0, 113, 7}};

  struct Parts {
    EventQueue* queue = nullptr;
    FramePool* pool = nullptr;
    Lan* lan = nullptr;
  };
  Gateway(const Parts& parts, uint64_t seed);
  void PlugIn();

  // The clients' packets go to `target` from now on, one each `interval`.
  void Aim(const Ipv4Address& target) { target_ = target; }
  void SetInterval(Duration interval) { interval_ = interval; }
  // ARP answers come so late: a busy router.
  void SetAnswerTime(Duration least, Duration most) { least_ = least, most_ = most; }
  void SetTemperament(Temperament temperament) { temperament_ = temperament; }
  void Start(MonoTime now);
  void Reboot(MonoTime now, Duration takes);
  // Who has the target? To all.
  void AskForTarget(MonoTime now) { Ask(now, target_); }

  void OnFrame(MonoTime now, FrameId frame) override;
  void OnTimer(MonoTime now, uint64_t value) override;

  // What hosts behind it send: to wherever its cache leads. Lost while it is empty.
  void Forward(MonoTime now, std::span<uint8_t> frame);
  const Ipv4Address& target() const { return target_; }
  // With each echo, its hosts may send, too.
  std::function<void(MonoTime now)> on_turn;

  // An echo was answered in time by the device on `port`.
  std::function<void(MonoTime now, size_t port)> on_answer;

  bool up() const { return !down_; }
  size_t port() const { return port_; }
  Temperament temperament() const { return temperament_; }
  uint64_t sent() const { return sent_; }
  uint64_t answered() const { return answered_; }
  uint64_t duplicates() const { return duplicates_; }
  MonoTime last_answer() const { return last_answer_; }

 private:
  enum Timer : uint64_t { kEcho, kAsk, kSweep, kUp, kReply };
  struct Entry {
    bool known = false;
    MacAddress mac;
    MonoTime until;
  };

  void OnArp(MonoTime now, const MacAddress& source, const ArpPacket& arp);
  void Learn(MonoTime now, const MacAddress& mac, bool asked_for);
  void OnIp(MonoTime now, ConstBytes frame, FrameId id);
  void SendEcho(MonoTime now);
  void Ask(MonoTime now, const Ipv4Address& whom);
  void Send(MonoTime now, ConstBytes frame);

  const Parts parts_;
  Random random_;
  size_t port_ = 0;
  Temperament temperament_ = Temperament::kAccepts;
  Ipv4Address target_{{198, 51, 100, 50}};
  Duration interval_ = Milliseconds(5);
  Duration least_;
  Duration most_;
  std::deque<ArpFrame> replies_;  // not sent yet
  MonoTime last_reply_;           // when the last of them is
  bool down_ = false;

  Ipv4Address cached_for_;
  Entry entry_;
  MonoTime asked_at_ = kLongAgo;
  uint8_t sweep_ = 0;

  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  uint64_t duplicates_ = 0;
  std::bitset<4096> seen_;  // by the low bits of an echo's number
  MonoTime last_answer_;
};

}  // namespace qure::sim
