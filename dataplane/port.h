// One DPDK port. All kinds of device are set up alike: as many queue pairs as workers, one pool of mbufs, frames as
// they are on the wire. Control thread only, except that workers receive and transmit on id().
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/pipeline/frame.h"
#include "proto/net/address.h"
#include "proto/port_spec.h"

struct rte_mempool;

namespace qure {

// Mbufs that one queue pair of a port may hold: what rings, drivers and the kernel keep on both sides.
inline constexpr unsigned kMbufsPerQueue = 6144;

struct PortStatus {
  std::string name;    // "lan", "host"
  std::string device;  // DPDK device name
  std::string driver;
  MacAddress mac;
  uint16_t mtu = 0;  // when it was opened
  uint16_t queues = 0;
  bool link_up = false;
  bool interrupts = false;  // an idle worker can sleep until a frame arrives
};

class Port {
 public:
  // The port towards the wire, promiscuous. A kernel interface beneath it has been made ready
  // (control/kernel/lan_interface.h). Errors name the port and what would help.
  static absl::StatusOr<std::unique_ptr<Port>> OpenLan(const PortSpec& spec, uint16_t queues, rte_mempool* pool);

  // Checks the name of the host port's interface and waits until a predecessor's is gone. Then its LAN port is free as
  // well.
  static absl::Status AwaitHostInterface(const std::string& interface);

  // The port into this node's kernel: creates `interface` with this MAC, and this MTU or the greatest below it that the
  // port takes. It vanishes with the process.
  static absl::StatusOr<std::unique_ptr<Port>> OpenHost(const std::string& interface, const MacAddress& mac,
                                                        uint16_t mtu, uint16_t queues, rte_mempool* pool);
  ~Port();  // stops and closes
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  uint16_t id() const { return id_; }
  MacAddress mac() const;
  uint16_t mtu() const { return mtu_; }
  bool interrupts() const { return interrupts_; }
  bool LinkUp() const;
  // Of received frames that do not say it themselves.
  SegmentChecksum checksums() const { return checksums_; }
  PortStatus Status() const;

 private:
  struct Setup;
  Port(std::string name, uint16_t id, uint16_t queues) : name_(std::move(name)), id_(id), queues_(queues) {}

  static absl::StatusOr<std::unique_ptr<Port>> Open(const Setup& setup);
  int Configure(const Setup& setup, bool interrupts);

  const std::string name_;  // "lan", "host"
  const uint16_t id_;
  const uint16_t queues_;
  std::string interface_;  // the kernel's, beneath the port; "" if there is none
  uint16_t mtu_ = 0;
  bool interrupts_ = false;
  SegmentChecksum checksums_ = SegmentChecksum::kUnknown;
};

}  // namespace qure
