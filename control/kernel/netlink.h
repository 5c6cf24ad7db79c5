// Links, addresses, routes and rules of the kernel as plain values, read and changed over rtnetlink (libnl-route).
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
  std::optional<IpAddress> gateway;  // treated as on-link, whatever the addresses of the link are
  std::optional<IpAddress> source;   // the source address if the application chooses none
  friend auto operator<=>(const KernelRoute&, const KernelRoute&) = default;
};

// What the kernel never asks for and never forgets: the link-layer address of `address`.
struct KernelNeighbor {
  int link = 0;
  IpAddress address;
  MacAddress mac;
};

// "from SOURCE lookup TABLE"
struct KernelRule {
  IpPrefix source;
  uint32_t priority = 0;
  uint32_t table = 0;
  friend auto operator<=>(const KernelRule&, const KernelRule&) = default;
};

// An address of somebody else's interface, as it has to be given back.
struct ForeignAddress {
  IpPrefix address;
  uint32_t valid = 0;      // seconds that are left; kForever without end
  uint32_t preferred = 0;  // the same
  static constexpr uint32_t kForever = 0xffffffff;
  friend auto operator<=>(const ForeignAddress&, const ForeignAddress&) = default;
};

// A unicast route of the main table through somebody else's interface, not made by the kernel itself.
struct ForeignRoute {
  IpPrefix destination;
  std::optional<IpAddress> gateway;
  std::optional<IpAddress> source;
  uint32_t metric = 0;
  uint8_t protocol = 0;
  bool onlink = false;
  friend auto operator<=>(const ForeignRoute&, const ForeignRoute&) = default;
};

enum class Preference : uint8_t {
  kNormal,
  kAvoided,  // IPv6: the kernel never chooses the address as a source ("deprecated"), and adds no prefix route for it
};

// Errors name the operation, its object and the kernel's error. Adding what exists already is AlreadyExists; removing
// what does not exist is no error. Not thread-safe.
class Netlink {
 public:
  // Adds and lists only routes and rules with this rtm_protocol.
  static absl::StatusOr<std::unique_ptr<Netlink>> Connect(uint8_t protocol);
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  absl::StatusOr<KernelLink> FindLink(const std::string& name);  // NotFound
  absl::Status ChangeLinkFlags(const KernelLink& link, unsigned set, unsigned clear);
  absl::Status SetLinkMtu(const KernelLink& link, uint16_t mtu);

  // The permanent addresses, without the IPv6 link-local ones.
  absl::StatusOr<std::set<KernelAddress>> Addresses(int link);
  absl::Status Add(const KernelAddress& address, Preference preference);
  absl::Status Remove(const KernelAddress& address);

  absl::StatusOr<std::set<KernelRoute>> Routes();
  absl::Status Add(const KernelRoute& route);
  absl::Status Remove(const KernelRoute& route);

  // Of whatever protocol: the addresses of a link, with those that end (DHCP) and without the IPv6 link-local ones and
  // those from router advertisements, and the routes through it in the main table, without what the kernel makes
  // itself.
  absl::StatusOr<std::set<ForeignAddress>> ForeignAddresses(int link);
  absl::StatusOr<std::set<ForeignRoute>> ForeignRoutes(int link);
  absl::Status Add(int link, const ForeignAddress& address);
  absl::Status Add(int link, const ForeignRoute& route);
  absl::Status Remove(int link, const ForeignAddress& address);
  absl::Status Remove(int link, const ForeignRoute& route);

  // Replaces what the kernel knows of that neighbor.
  absl::Status Set(const KernelNeighbor& neighbor);

  absl::StatusOr<std::set<KernelRule>> Rules();
  absl::Status Add(const KernelRule& rule);
  absl::Status Remove(const KernelRule& rule);

 private:
  Netlink(nl_sock* socket, uint8_t protocol) : socket_(socket), protocol_(protocol) {}

  nl_sock* socket_;
  const uint8_t protocol_;
};

}  // namespace qure
