#include "control/kernel/announce.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "control/base/fd.h"
#include "proto/net/arp.h"

namespace qure {

bool AnnounceAddress(const std::string& interface, const Ipv4Address& address) {
  const Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  ifreq request = {};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!socket.valid() || ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return false;
  MacAddress mac;
  std::copy_n(reinterpret_cast<const uint8_t*>(request.ifr_hwaddr.sa_data), mac.bytes.size(), mac.bytes.begin());
  const ArpFrame frame =
      BuildArp({.ethernet_source = mac, .sender_mac = mac, .sender_ip = address, .target_ip = address});
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  const auto* const destination = reinterpret_cast<const sockaddr*>(&to);
  return sendto(socket.get(), frame.data(), frame.size(), 0, destination, sizeof(to)) ==
         static_cast<ssize_t>(frame.size());
}

}  // namespace qure
