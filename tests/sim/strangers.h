// Who else may be on the LAN: a host that has our address, a recorder that plays back what it heard, a node of another
// cluster or of another version.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "control/core/action.h"
#include "control/core/cluster/transport.h"
#include "proto/cluster/datagram.h"
#include "proto/net/address.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/lan.h"
#include "tests/sim/random.h"

namespace qure::sim {

struct LanParts {
  EventQueue* queue = nullptr;
  FramePool* pool = nullptr;
  Lan* lan = nullptr;
};

// What a node at `own` would take for a message of the cluster.
std::optional<Datagram> DatagramIn(ConstBytes frame, const MacAddress& own);

// A printer with a fixed address, which happens to be ours; or a host that says so on purpose.
class ForeignHost : public Device {
 public:
  static constexpr MacAddress kMac{{0x02, 0, 0, 0, 0x77, 0x01}};
  struct Manner {
    Duration announces = Seconds(1);  // so often
    bool answers = true;              // who asks for the address, and who announces it
    MacAddress as = kMac;             // that it names in ARP
    bool steals = false;              // it sends from that MAC, too
    bool roams = false;               // it names another one each time
  };
  explicit ForeignHost(const LanParts& parts) : parts_(parts) { port_ = parts_.lan->Plug(this, kMac); }

  // Has `address` from now on: announces it, answers for it, defends it.
  void Appear(MonoTime now, const Ipv4Address& address) { Appear(now, address, Manner{}); }
  void Appear(MonoTime now, const Ipv4Address& address, const Manner& manner);
  void Vanish() { present_ = false; }
  size_t port() const { return port_; }

  void OnFrame(MonoTime now, FrameId frame) override;
  void OnTimer(MonoTime now, uint64_t value) override;

 private:
  void Announce(MonoTime now);

  const LanParts parts_;
  size_t port_ = 0;
  bool present_ = false;
  Manner manner_;
  Ipv4Address address_;
  MonoTime last_announced_ = kLongAgo;
};

// Keeps what the cluster sends and plays it back: as it was, with bits changed, or from its own MAC and address.
class Recorder : public Device {
 public:
  static constexpr MacAddress kMac{{0x02, 0, 0, 0, 0x77, 0x02}};
  static constexpr Ipv4Address kAddress{{198, 51, 100, 78}};
  Recorder(const LanParts& parts, uint64_t seed) : parts_(parts), random_(seed) {
    port_ = parts_.lan->Plug(this, kMac);
  }

  void Record(bool on) { recording_ = on; }
  // Of all that is sent to the cluster's port it keeps a part, from the whole time.
  void KeepAll(bool on) { keeps_all_ = on; }
  bool keeps_all() const { return keeps_all_; }
  // Plays `count` of the recorded frames in any order, at any times up to `pause` apart: as they were, or from its own
  // MAC and address.
  void PlayAnyhow(MonoTime now, size_t count, Duration pause);
  void Keep(ConstBytes frame) { frames_.emplace_back(frame.begin(), frame.end()); }  // heard long ago
  void Hear(MonoTime now, ConstBytes frame);                                         // of anybody, as a tap would
  // Plays `count` of the recorded frames, `gap` apart. `damage`: with one bit changed.
  void Play(MonoTime now, size_t count, Duration gap, bool damage);
  // From now on repeats every message of the cluster at once, from its own MAC and address: who has missed the original
  // gets the copy first.
  void Repeat(bool on) { repeating_ = on; }
  // What looks like messages of the cluster: of boots that nobody knows, and of those that it has heard.
  void FloodCluster(MonoTime now, size_t count, Duration gap);
  // Junk for everyone, `gap` apart: ARP requests for nobody, or probes for `probed`.
  void Flood(MonoTime now, size_t count, Duration gap, const Ipv4Address& probed = {});
  size_t recorded() const { return frames_.size(); }

  void OnFrame(MonoTime, FrameId) override {}
  void OnTimer(MonoTime now, uint64_t value) override;

 private:
  void Forge(MonoTime now);
  void PlayOne(MonoTime now);

  static constexpr size_t kMost = 4000;
  const LanParts parts_;
  Random random_;
  size_t port_ = 0;
  bool recording_ = false;
  bool keeps_all_ = false;
  uint64_t heard_ = 0;
  size_t anyhow_left_ = 0;
  Duration pause_;
  bool repeating_ = false;
  bool damage_ = false;
  size_t next_ = 0;
  size_t left_ = 0;
  size_t junk_left_ = 0;
  Duration junk_gap_;
  Ipv4Address probed_;
  Duration gap_;
  std::vector<std::vector<uint8_t>> frames_;
  std::vector<uint8_t> last_heard_;  // of the cluster
  size_t forged_left_ = 0;
  Duration forged_gap_;
  std::deque<std::vector<uint8_t>> repeats_;  // each at its time
};

// Speaks the protocol without being one of ours.
class Speaker : public Device {
 public:
  static constexpr MacAddress kMac{{0x02, 0, 0, 0, 0x77, 0x03}};
  static constexpr Ipv4Address kAddress{{198, 51, 100, 77}};
  enum class Kind : uint8_t {
    kOtherCluster,  // authentic elsewhere
    kFuture,        // a member of a later version, which sends more than we know; never master
  };
  Speaker(const LanParts& parts, uint64_t seed);

  void Start(MonoTime now, Kind kind, const TransportConfig& config);
  void Stop() { speaking_ = false; }

  void OnFrame(MonoTime now, FrameId frame) override;
  void OnTimer(MonoTime now, uint64_t value) override;

 private:
  wire::Message MakeHello() const;
  void Send(MonoTime now, Actions* actions);

  const LanParts parts_;
  Random random_;
  size_t port_ = 0;
  Kind kind_ = Kind::kOtherCluster;
  bool speaking_ = false;
  Transport transport_;
  wire::Hello heard_;
};

}  // namespace qure::sim
