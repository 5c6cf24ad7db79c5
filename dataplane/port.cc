#include "dataplane/port.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dataplane/environment.h"

namespace qure {
namespace {

constexpr uint16_t kLanDescriptors = 1024;
// The tap driver keeps one mbuf per descriptor and reads one frame at a time: more would be idle memory.
constexpr uint16_t kTapDescriptors = 64;
// The tap driver takes no frame that is longer than 1,522 bytes.
constexpr uint16_t kMaxHostMtu = 1500;
// Frames in the ring shared with the kernel, each way: enough for the longest nap at a million frames a second.
constexpr unsigned kAfPacketFrames = 2048;

// Asks the kernel about a network interface.
class InterfaceControl {
 public:
  explicit InterfaceControl(const std::string& name) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  ~InterfaceControl() { close(socket_); }
  InterfaceControl(const InterfaceControl&) = delete;
  InterfaceControl& operator=(const InterfaceControl&) = delete;

  bool Running() { return ioctl(socket_, SIOCGIFFLAGS, &request_) == 0 && (request_.ifr_flags & IFF_RUNNING) != 0; }

  int Mtu() { return ioctl(socket_, SIOCGIFMTU, &request_) == 0 ? request_.ifr_mtu : 0; }

  // How many queue pairs the af_xdp driver can use; one if the device does not report it.
  uint32_t MaxQueues() {
    ethtool_channels channels = {};
    return GetChannels(&channels) ? std::max(channels.max_combined, 1U) : 1;
  }

 private:
  bool GetChannels(ethtool_channels* channels) {
    channels->cmd = ETHTOOL_GCHANNELS;
    return Ethtool(channels);
  }

  template <typename T>
  bool Ethtool(T* command) {
    request_.ifr_data = reinterpret_cast<char*>(command);
    return ioctl(socket_, SIOCETHTOOL, &request_) == 0;
  }

  const int socket_;
  ifreq request_ = {};
};

// The checksums that a driver may be asked to verify. Asking a paravirtual one for those of TCP and UDP permits the
// other side to leave them out (VIRTIO_NET_F_GUEST_CSUM, virtio 1.2 section 5.1.3), and then they are missing here.
uint64_t VerifiedChecksums(std::string_view driver) {
  const bool paravirtual = driver.starts_with("net_virtio") || driver.starts_with("net_vhost");
  return paravirtual ? RTE_ETH_RX_OFFLOAD_IPV4_CKSUM : RTE_ETH_RX_OFFLOAD_CHECKSUM;
}

absl::Status TooFewQueues(const std::string& title, unsigned queues) {
  return absl::FailedPreconditionError(
      absl::StrCat(title, " has ", queues, queues == 1 ? " queue" : " queues", "; set workers = ", queues));
}

// Whether the kernel interface beneath an af_packet or af_xdp port will do.
absl::Status CheckInterface(const PortSpec& spec, const std::string& title, uint16_t queues) {
  if (if_nametoindex(spec.argument.c_str()) == 0) {
    return absl::NotFoundError(
        absl::StrCat(title, ": there is no interface ", spec.argument, "; `ip link` lists them"));
  }
  const uint32_t most = spec.kind == PortKind::kAfXdp ? InterfaceControl(spec.argument).MaxQueues() : queues;
  return most < queues ? TooFewQueues(title, most) : absl::OkStatus();
}

// A tap port creates its interface.
absl::Status AwaitFree(const std::string& interface, const std::string& title) {
  if (AwaitPredecessor([&interface] { return if_nametoindex(interface.c_str()) == 0; })) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(title, ": an interface ", interface,
                   " is there already; does another process hold it in this network namespace?"));
}

// Bus, device name and device arguments as DPDK wants them.
struct Device {
  std::string bus = "vdev";
  std::string name;
  std::string arguments;
};

Device LanDevice(const PortSpec& spec, uint16_t queues) {
  switch (spec.kind) {
    case PortKind::kPci:
      return {"pci", spec.argument, ""};
    case PortKind::kAfPacket:
      return {
          "vdev", "net_af_packet0",
          absl::StrCat("iface=", spec.argument, ",qpairs=", queues, ",framecnt=", kAfPacketFrames, ",qdisc_bypass=1")};
    case PortKind::kAfXdp:
      // Without the budget every empty poll would be a system call.
      return {"vdev", "net_af_xdp0",
              absl::StrCat("iface=", spec.argument, ",start_queue=0,queue_count=", queues, ",busy_budget=0")};
    case PortKind::kTap:
      return {"vdev", "net_tap0", absl::StrCat("iface=", spec.argument)};
    case PortKind::kVdev:
      break;
  }
  const size_t comma = std::min(spec.argument.find(','), spec.argument.size());
  return {"vdev", spec.argument.substr(0, comma), spec.argument.substr(std::min(comma + 1, spec.argument.size()))};
}

const char* HintOf(PortKind kind) {
  switch (kind) {
    case PortKind::kPci:
      return "is it bound to vfio-pci or uio_pci_generic? `dpdk-devbind.py --status` shows it";
    case PortKind::kAfPacket:
      return "is the process root?";
    case PortKind::kAfXdp:
      return "does another process use the interface's queues, its driver refuse XDP, or its "
             "MTU exceed a page (`ip link set … mtu 1500`)?";
    case PortKind::kTap:
      return "is /dev/net/tun there, and the process root?";
    case PortKind::kVdev:
      return "does the name begin with that of one of DPDK's virtual devices?";
  }
  return "";
}

}  // namespace

struct Port::Setup {
  std::string name;   // "lan"
  std::string title;  // "LAN port af_packet:eth0", for messages
  Device device;
  const char* hint = "";       // what may be wrong if the device cannot be created
  bool may_interrupt = false;  // false for drivers that are known to have no receive interrupts
  bool checksum_offload = false;
  uint16_t descriptors = 0;
  uint16_t queues = 1;
  rte_mempool* pool = nullptr;
};

absl::StatusOr<std::unique_ptr<Port>> Port::OpenLan(const PortSpec& spec, uint16_t queues, rte_mempool* pool) {
  Setup setup;
  setup.name = "lan";
  setup.title = absl::StrCat("LAN port ", ToString(spec));
  setup.device = LanDevice(spec, queues);
  setup.hint = HintOf(spec.kind);
  const bool kernel = spec.kind == PortKind::kAfPacket || spec.kind == PortKind::kAfXdp;
  setup.may_interrupt = !kernel;
  // The tap driver would only compute in software what the pipeline checks itself where it matters.
  setup.checksum_offload = spec.kind == PortKind::kPci || spec.kind == PortKind::kVdev;
  setup.descriptors = spec.kind == PortKind::kTap ? kTapDescriptors : kLanDescriptors;
  setup.queues = queues;
  setup.pool = pool;
  if (kernel) {
    if (absl::Status status = CheckInterface(spec, setup.title, queues); !status.ok()) return status;
  } else if (spec.kind == PortKind::kTap) {
    if (absl::Status status = AwaitFree(spec.argument, setup.title); !status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<Port>> port = Open(setup);
  if (!port.ok()) return port;
  // Packet sockets know it (TP_STATUS_CSUMNOTREADY), but DPDK's drivers do not pass it on.
  if (spec.kind != PortKind::kPci) (*port)->checksums_ = SegmentChecksum::kMaybePartial;
  if (kernel) {
    (*port)->interface_ = spec.argument;
    (*port)->mtu_ = static_cast<uint16_t>(std::min(InterfaceControl(spec.argument).Mtu(), int{UINT16_MAX}));
  }
  // Service MACs and groups are not the device's own addresses. Drivers that cannot filter have nothing to turn off.
  rte_eth_promiscuous_enable((*port)->id());
  rte_eth_allmulticast_enable((*port)->id());
  return port;
}

absl::Status Port::AwaitHostInterface(const std::string& interface) {
  if (IsInterfaceName(interface)) return AwaitFree(interface, absl::StrCat("host port ", interface));
  return absl::InvalidArgumentError(absl::StrCat("host_interface = \"", interface, "\" is not an interface name"));
}

absl::StatusOr<std::unique_ptr<Port>> Port::OpenHost(const std::string& interface, const MacAddress& mac, uint16_t mtu,
                                                     uint16_t queues, rte_mempool* pool) {
  Setup setup;
  setup.name = "host";
  setup.title = absl::StrCat("host port ", interface);
  setup.device = {"vdev", "net_tap1", absl::StrCat("iface=", interface, ",mac=", ToString(mac))};
  setup.hint = HintOf(PortKind::kTap);
  setup.may_interrupt = true;
  setup.descriptors = kTapDescriptors;
  setup.queues = queues;
  setup.pool = pool;
  absl::StatusOr<std::unique_ptr<Port>> port = Open(setup);
  if (!port.ok()) return port;
  const uint16_t taken = std::min(mtu, kMaxHostMtu);
  if (const int error = rte_eth_dev_set_mtu((*port)->id(), taken); error != 0) {
    return absl::InternalError(absl::StrCat(setup.title, " does not take MTU ", taken, ": ", rte_strerror(-error)));
  }
  (*port)->mtu_ = taken;
  return port;
}

absl::StatusOr<std::unique_ptr<Port>> Port::Open(const Setup& setup) {
  const Device& device = setup.device;
  // A PCI device has been probed by EAL already.
  int error = 0;
  if (device.bus != "pci")
    error = rte_eal_hotplug_add(device.bus.c_str(), device.name.c_str(), device.arguments.c_str());
  uint16_t id = 0;
  if (error == 0) error = rte_eth_dev_get_port_by_name(device.name.c_str(), &id);
  if (error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(setup.title, " cannot be opened; ", setup.hint, "; DPDK's own messages are on stderr"));
  }
  std::unique_ptr<Port> port(new Port(setup.name, id, setup.queues));
  rte_eth_dev_info info;
  error = rte_eth_dev_info_get(id, &info);
  if (error == 0 && std::min(info.max_rx_queues, info.max_tx_queues) < setup.queues) {
    return TooFewQueues(setup.title, std::min(info.max_rx_queues, info.max_tx_queues));
  }
  // Some devices refuse to start with receive interrupts; they serve as well without.
  if (error == 0) error = port->Configure(setup, setup.may_interrupt);
  if (error != 0 && setup.may_interrupt) error = port->Configure(setup, false);
  if (error != 0) {
    return absl::InternalError(absl::StrCat(setup.title, " does not start: ", rte_strerror(-error)));
  }
  rte_eth_dev_get_mtu(id, &port->mtu_);
  return port;
}

int Port::Configure(const Setup& setup, bool interrupts) {
  rte_eth_dev_info info;
  if (const int error = rte_eth_dev_info_get(id_, &info); error != 0) return error;
  rte_eth_conf conf = {};
  conf.intr_conf.rxq = interrupts ? 1 : 0;
  if (setup.checksum_offload) conf.rxmode.offloads = info.rx_offload_capa & VerifiedChecksums(info.driver_name);
  conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
  if (queues_ > 1 && conf.rx_adv_conf.rss_conf.rss_hf != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  } else {
    conf.rx_adv_conf.rss_conf.rss_hf = 0;
  }
  if (const int error = rte_eth_dev_configure(id_, queues_, queues_, &conf); error != 0) return error;
  uint16_t rx = setup.descriptors;
  uint16_t tx = setup.descriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx); error != 0) return error;
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(id_));
  for (uint16_t queue = 0; queue < queues_; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(id_, queue, rx, socket, nullptr, setup.pool); error != 0) return error;
    if (const int error = rte_eth_tx_queue_setup(id_, queue, tx, socket, nullptr); error != 0) return error;
  }
  if (const int error = rte_eth_dev_start(id_); error != 0) return error;
  interrupts_ = interrupts && rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0) >= 0;
  return 0;
}

Port::~Port() {
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
}

MacAddress Port::mac() const {
  rte_ether_addr address = {};
  rte_eth_macaddr_get(id_, &address);
  return std::bit_cast<MacAddress>(address);
}

PortStatus Port::Status() const {
  PortStatus status;
  status.name = name_;
  status.mac = mac();
  status.mtu = mtu_;
  status.queues = queues_;
  status.interrupts = interrupts_;
  rte_eth_dev_info info;
  if (rte_eth_dev_info_get(id_, &info) == 0) {
    status.driver = info.driver_name;
    status.device = rte_dev_name(info.device);
  }
  status.link_up = LinkUp();
  return status;
}

bool Port::LinkUp() const {
  // The drivers over kernel interfaces call their link up whatever the wire says.
  if (!interface_.empty()) return InterfaceControl(interface_).Running();
  rte_eth_link link = {};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace qure
