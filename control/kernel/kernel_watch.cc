#include "control/kernel/kernel_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace qure {
namespace {

constexpr int kGroups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                           RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE};
// Of one Take: a program that changes a million routes does not hold the control thread.
constexpr int kMostReports = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<KernelWatch>> KernelWatch::Open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl local = {};
  local.nl_family = AF_NETLINK;
  bool open = socket.valid() && bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)) == 0;
  for (const int group : kGroups) {
    open = open && setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0;
  }
  if (!open) return absl::ErrnoToStatus(errno, "cannot watch the kernel's addresses and routes");
  return std::unique_ptr<KernelWatch>(new KernelWatch(std::move(socket)));
}

// An overrun (ENOBUFS) is a report as good as any.
void KernelWatch::Take() {
  std::array<char, 8192> report;
  for (int i = 0; i < kMostReports; ++i) {
    if (recv(socket_.get(), report.data(), report.size(), MSG_TRUNC) < 0 && errno != ENOBUFS && errno != EINTR) return;
  }
}

}  // namespace qure
