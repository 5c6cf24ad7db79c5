// Links, addresses, routes and rules of the kernel as plain values, read and changed by rtnetlink (libnl-route).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/net/address.h"

struct nl_addr;
struct nl_sock;
struct rtnl_addr;
struct rtnl_route;
struct rtnl_rule;

namespace qure {

struct KernelLink {
  int index = 0;
  unsigned flags = 0;  // IFF_UP, IFF_NOARP, …
};

struct KernelAddress {
  int link = 0;
  IpPrefix address;
  friend auto operator<=>(const KernelAddress&, const KernelAddress&) = default;
};

// A unicast route through one link.
struct KernelRoute {
  uint32_t table = 0;
  IpPrefix destination;
  int link = 0;
  std::optional<IpAddress> gateway;  // taken to be on the link whatever the addresses say
  std::optional<IpAddress> source;   // what the kernel uses where the application does not care
  friend auto operator<=>(const KernelRoute&, const KernelRoute&) = default;
};

// "from SOURCE lookup TABLE"
struct KernelRule {
  IpPrefix source;
  uint32_t priority = 0;
  uint32_t table = 0;
  friend auto operator<=>(const KernelRule&, const KernelRule&) = default;
};

enum class Preference : uint8_t {
  kNormal,
  kAvoided,  // IPv6: the kernel does not choose the address as a source by itself ("deprecated"), nor makes it a prefix
             // route
};

// Errors say what was being done, to what, and what the kernel said. Adding what is there is AlreadyExists; removing
// what is gone is no error. Not thread-safe.
class Netlink {
 public:
  // Routes and rules that it adds and lists carry this rtm_protocol; all others are none of ours.
  static absl::StatusOr<std::unique_ptr<Netlink>> Connect(uint8_t protocol);
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  absl::StatusOr<KernelLink> FindLink(const std::string& name);  // NotFound
  absl::Status ChangeLinkFlags(const KernelLink& link, unsigned set, unsigned clear);
  absl::Status SetLinkMtu(const KernelLink& link, uint16_t mtu);

  // Those that stay until someone removes them, without IPv6 link-local ones.
  absl::StatusOr<std::set<KernelAddress>> Addresses(int link);
  absl::Status Add(const KernelAddress& address, Preference preference);
  absl::Status Remove(const KernelAddress& address);

  absl::StatusOr<std::set<KernelRoute>> Routes();
  absl::Status Add(const KernelRoute& route);
  absl::Status Remove(const KernelRoute& route);

  absl::StatusOr<std::set<KernelRule>> Rules();
  absl::Status Add(const KernelRule& rule);
  absl::Status Remove(const KernelRule& rule);

 private:
  Netlink(nl_sock* socket, uint8_t protocol) : socket_(socket), protocol_(protocol) {}

  nl_sock* socket_;
  const uint8_t protocol_;
};

}  // namespace qure
