#include "control/kernel/link_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace qure {

LinkWatch::LinkWatch() : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  if (socket_.valid() && bind(socket_.get(), any, sizeof(address)) < 0) socket_ = Fd();
}

// ENOBUFS: some reports were lost, and this one says so.
void LinkWatch::Take() {
  std::array<char, 8192> report;
  while (recv(socket_.get(), report.data(), report.size(), 0) >= 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace qure
