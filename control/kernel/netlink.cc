#include "control/kernel/netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "control/base/text.h"

namespace qure {
namespace {

constexpr uint32_t kForever = 0xffffffff;  // INFINITY_LIFE_TIME of the kernel

template <typename T, void (*kPut)(T*)>
struct Putter {
  void operator()(T* object) const { kPut(object); }
};
template <typename T, void (*kPut)(T*)>
using Handle = std::unique_ptr<T, Putter<T, kPut>>;

using AddrHandle = Handle<nl_addr, nl_addr_put>;
using CacheHandle = Handle<nl_cache, nl_cache_free>;
using LinkHandle = Handle<rtnl_link, rtnl_link_put>;
using AddressHandle = Handle<rtnl_addr, rtnl_addr_put>;
using RouteHandle = Handle<rtnl_route, rtnl_route_put>;
using NeighborHandle = Handle<rtnl_neigh, rtnl_neigh_put>;
using RuleHandle = Handle<rtnl_rule, rtnl_rule_put>;

// libnl returns null only when there is no memory.
template <typename T>
T* NotNull(T* object) {
  if (object == nullptr) std::abort();
  return object;
}

absl::Status ToStatus(int error, std::string_view doing) {
  if (error >= 0) return absl::OkStatus();
  const std::string what = Concat(doing, ": ", nl_geterror(error));
  switch (-error) {
    case NLE_PERM:
    case NLE_NOACCESS:
      return absl::PermissionDeniedError(Concat(what, "; run as root or with CAP_NET_ADMIN"));
    case NLE_EXIST:
      return absl::AlreadyExistsError(what);
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV:
    case NLE_NOADDR:
      return absl::NotFoundError(what);
    case NLE_OPNOTSUPP:
    case NLE_AF_NOSUPPORT:
      return absl::UnimplementedError(Concat(what, "; the address family may be switched off in this kernel"));
    default:
      return absl::UnavailableError(what);
  }
}

absl::Status Removed(int error, std::string_view doing) {
  absl::Status status = ToStatus(error, doing);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

int FamilyOf(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

AddrHandle ToNl(const IpPrefix& prefix) {
  const Ipv4Address v4 = prefix.address.v4();
  const Ipv6Address v6 = prefix.address.v6();
  nl_addr* addr = prefix.address.is_v4() ? nl_addr_build(AF_INET, v4.bytes.data(), v4.bytes.size())
                                         : nl_addr_build(AF_INET6, v6.bytes.data(), v6.bytes.size());
  nl_addr_set_prefixlen(NotNull(addr), prefix.length);
  return AddrHandle(addr);
}

AddrHandle ToNl(const IpAddress& address) {
  return ToNl(IpPrefix{address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)});
}

// "Any" is a null address or one without bytes.
IpPrefix FromNl(int family, const nl_addr* addr) {
  IpPrefix prefix{family == AF_INET ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{}), 0};
  if (addr == nullptr || nl_addr_get_len(addr) == 0) return prefix;
  prefix.length = static_cast<uint8_t>(nl_addr_get_prefixlen(addr));
  const void* bytes = nl_addr_get_binary_addr(addr);
  if (family == AF_INET) {
    Ipv4Address v4;
    std::memcpy(v4.bytes.data(), bytes, v4.bytes.size());
    prefix.address = v4;
  } else {
    Ipv6Address v6;
    std::memcpy(v6.bytes.data(), bytes, v6.bytes.size());
    prefix.address = v6;
  }
  return prefix;
}

std::optional<IpAddress> OptionalFromNl(int family, const nl_addr* addr) {
  if (addr == nullptr || nl_addr_get_len(addr) == 0) return std::nullopt;
  return FromNl(family, addr).address;
}

bool IsIp(int family) {
  return family == AF_INET || family == AF_INET6;
}

template <typename Object, typename Function>
void ForEach(nl_cache* cache, Function function) {
  for (nl_object* object = nl_cache_get_first(cache); object != nullptr; object = nl_cache_get_next(object)) {
    function(reinterpret_cast<Object*>(object));
  }
}

AddressHandle ToNl(const KernelAddress& address, Preference preference) {
  AddressHandle object(NotNull(rtnl_addr_alloc()));
  rtnl_addr_set_ifindex(object.get(), address.link);
  rtnl_addr_set_local(object.get(), ToNl(address.address).get());
  if (address.address.address.is_v4()) return object;
  unsigned flags = IFA_F_NODAD;
  if (preference == Preference::kAvoided) {
    flags |= IFA_F_NOPREFIXROUTE;
    rtnl_addr_set_valid_lifetime(object.get(), kForever);
    rtnl_addr_set_preferred_lifetime(object.get(), 0);
  }
  rtnl_addr_set_flags(object.get(), flags);
  return object;
}

RouteHandle ToNl(const KernelRoute& route, uint8_t protocol) {
  RouteHandle object(NotNull(rtnl_route_alloc()));
  rtnl_route_set_family(object.get(), static_cast<uint8_t>(FamilyOf(route.destination.address)));
  rtnl_route_set_table(object.get(), route.table);
  rtnl_route_set_protocol(object.get(), protocol);
  rtnl_route_set_type(object.get(), RTN_UNICAST);
  rtnl_route_set_scope(object.get(),
                       route.gateway || route.destination.address.is_v6() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_route_set_dst(object.get(), ToNl(route.destination).get());
  if (route.source) rtnl_route_set_pref_src(object.get(), ToNl(*route.source).get());
  rtnl_nexthop* hop = NotNull(rtnl_route_nh_alloc());
  rtnl_route_nh_set_ifindex(hop, route.link);
  if (route.gateway) {
    rtnl_route_nh_set_gateway(hop, ToNl(*route.gateway).get());
    // IPv6 refuses an on-link gateway that the main table reaches through another interface (shared mode). In the
    // service table, the gateway has a route of its own.
    if (route.gateway->is_v4() || route.table == RT_TABLE_MAIN) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  }
  rtnl_route_add_nexthop(object.get(), hop);
  return object;
}

RouteHandle ToNl(int link, const ForeignRoute& route) {
  RouteHandle object(NotNull(rtnl_route_alloc()));
  rtnl_route_set_family(object.get(), static_cast<uint8_t>(FamilyOf(route.destination.address)));
  rtnl_route_set_table(object.get(), RT_TABLE_MAIN);
  rtnl_route_set_protocol(object.get(), route.protocol);
  rtnl_route_set_type(object.get(), RTN_UNICAST);
  rtnl_route_set_scope(object.get(),
                       route.gateway || route.destination.address.is_v6() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_route_set_dst(object.get(), ToNl(route.destination).get());
  if (route.metric != 0) rtnl_route_set_priority(object.get(), route.metric);
  if (route.source) rtnl_route_set_pref_src(object.get(), ToNl(*route.source).get());
  rtnl_nexthop* hop = NotNull(rtnl_route_nh_alloc());
  rtnl_route_nh_set_ifindex(hop, link);
  if (route.gateway) rtnl_route_nh_set_gateway(hop, ToNl(*route.gateway).get());
  if (route.onlink) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  rtnl_route_add_nexthop(object.get(), hop);
  return object;
}

RuleHandle ToNl(const KernelRule& rule, uint8_t protocol) {
  RuleHandle object(NotNull(rtnl_rule_alloc()));
  rtnl_rule_set_family(object.get(), FamilyOf(rule.source.address));
  rtnl_rule_set_src(object.get(), ToNl(rule.source).get());
  rtnl_rule_set_prio(object.get(), rule.priority);
  rtnl_rule_set_table(object.get(), rule.table);
  rtnl_rule_set_action(object.get(), FR_ACT_TO_TBL);
  rtnl_rule_set_protocol(object.get(), protocol);
  return object;
}

std::string Describe(const KernelRoute& route) {
  return Concat("route to ", ToString(route.destination), route.gateway ? " via " + ToString(*route.gateway) : "",
                " in table ", route.table);
}

std::string Describe(const KernelRule& rule) {
  return Concat("rule from ", ToString(rule.source), " lookup ", rule.table);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Netlink>> Netlink::Connect(uint8_t protocol) {
  std::unique_ptr<Netlink> netlink(new Netlink(NotNull(nl_socket_alloc()), protocol));
  const absl::Status status = ToStatus(nl_connect(netlink->socket_, NETLINK_ROUTE), "connecting to rtnetlink");
  if (!status.ok()) return status;
  return netlink;
}

Netlink::~Netlink() {
  nl_socket_free(socket_);
}

absl::StatusOr<KernelLink> Netlink::FindLink(const std::string& name) {
  rtnl_link* link = nullptr;
  const int error = rtnl_link_get_kernel(socket_, 0, name.c_str(), &link);
  if (error < 0) return ToStatus(error, Concat("looking for interface ", name));
  const LinkHandle owner(link);
  return KernelLink{rtnl_link_get_ifindex(link), rtnl_link_get_flags(link)};
}

absl::Status Netlink::ChangeLinkFlags(const KernelLink& link, unsigned set, unsigned clear) {
  const LinkHandle current(NotNull(rtnl_link_alloc()));
  const LinkHandle change(NotNull(rtnl_link_alloc()));
  rtnl_link_set_ifindex(current.get(), link.index);
  rtnl_link_set_flags(change.get(), set);
  rtnl_link_unset_flags(change.get(), clear);
  return ToStatus(rtnl_link_change(socket_, current.get(), change.get(), 0), "changing the flags of an interface");
}

absl::Status Netlink::SetLinkMtu(const KernelLink& link, uint16_t mtu) {
  const LinkHandle current(NotNull(rtnl_link_alloc()));
  const LinkHandle change(NotNull(rtnl_link_alloc()));
  rtnl_link_set_ifindex(current.get(), link.index);
  rtnl_link_set_mtu(change.get(), mtu);
  return ToStatus(rtnl_link_change(socket_, current.get(), change.get(), 0), Concat("setting an MTU of ", mtu));
}

absl::StatusOr<std::set<KernelAddress>> Netlink::Addresses(int link) {
  nl_cache* cache = nullptr;
  if (const int error = rtnl_addr_alloc_cache(socket_, &cache); error < 0) return ToStatus(error, "listing addresses");
  const CacheHandle owner(cache);
  std::set<KernelAddress> result;
  ForEach<rtnl_addr>(cache, [&](rtnl_addr* object) {
    const int family = rtnl_addr_get_family(object);
    const bool permanent = (rtnl_addr_get_flags(object) & IFA_F_PERMANENT) != 0;
    if (rtnl_addr_get_ifindex(object) != link || !IsIp(family) || !permanent) return;
    const IpPrefix address = FromNl(family, rtnl_addr_get_local(object));
    if (address.address.is_v6() && address.address.v6().is_link_local()) return;
    result.insert({link, address});
  });
  return result;
}

absl::Status Netlink::Add(const KernelAddress& address, Preference preference) {
  const AddressHandle object = ToNl(address, preference);
  return ToStatus(rtnl_addr_add(socket_, object.get(), NLM_F_CREATE | NLM_F_EXCL),
                  Concat("adding address ", ToString(address.address)));
}

absl::Status Netlink::Remove(const KernelAddress& address) {
  const AddressHandle object = ToNl(address, Preference::kNormal);
  return Removed(rtnl_addr_delete(socket_, object.get(), 0), Concat("removing address ", ToString(address.address)));
}

absl::StatusOr<std::set<KernelRoute>> Netlink::Routes() {
  nl_cache* cache = nullptr;
  const int error = rtnl_route_alloc_cache(socket_, AF_UNSPEC, 0, &cache);
  if (error < 0) return ToStatus(error, "listing routes");
  const CacheHandle owner(cache);
  std::set<KernelRoute> result;
  ForEach<rtnl_route>(cache, [&](rtnl_route* object) {
    const int family = rtnl_route_get_family(object);
    if (!IsIp(family) || rtnl_route_get_protocol(object) != protocol_) return;
    KernelRoute route{rtnl_route_get_table(object), FromNl(family, rtnl_route_get_dst(object)), 0, std::nullopt,
                      OptionalFromNl(family, rtnl_route_get_pref_src(object))};
    if (rtnl_nexthop* hop = rtnl_route_nexthop_n(object, 0); hop != nullptr) {
      route.link = rtnl_route_nh_get_ifindex(hop);
      route.gateway = OptionalFromNl(family, rtnl_route_nh_get_gateway(hop));
    }
    result.insert(route);
  });
  return result;
}

absl::Status Netlink::Add(const KernelRoute& route) {
  const RouteHandle object = ToNl(route, protocol_);
  return ToStatus(rtnl_route_add(socket_, object.get(), NLM_F_CREATE | NLM_F_EXCL), Concat("adding ", Describe(route)));
}

absl::Status Netlink::Remove(const KernelRoute& route) {
  const RouteHandle object = ToNl(route, protocol_);
  return Removed(rtnl_route_delete(socket_, object.get(), 0), Concat("removing ", Describe(route)));
}

absl::StatusOr<std::set<ForeignAddress>> Netlink::ForeignAddresses(int link) {
  nl_cache* cache = nullptr;
  if (const int error = rtnl_addr_alloc_cache(socket_, &cache); error < 0) return ToStatus(error, "listing addresses");
  const CacheHandle owner(cache);
  std::set<ForeignAddress> result;
  ForEach<rtnl_addr>(cache, [&](rtnl_addr* object) {
    const int family = rtnl_addr_get_family(object);
    if (rtnl_addr_get_ifindex(object) != link || !IsIp(family)) return;
    const IpPrefix address = FromNl(family, rtnl_addr_get_local(object));
    const bool permanent = (rtnl_addr_get_flags(object) & IFA_F_PERMANENT) != 0;
    // What a router has announced comes again by itself.
    if (address.address.is_v6() && (address.address.v6().is_link_local() || !permanent)) return;
    ForeignAddress found = {address, ForeignAddress::kForever, ForeignAddress::kForever};
    if (!permanent) found.valid = rtnl_addr_get_valid_lifetime(object);
    if (!permanent) found.preferred = rtnl_addr_get_preferred_lifetime(object);
    result.insert(found);
  });
  return result;
}

absl::StatusOr<std::set<ForeignRoute>> Netlink::ForeignRoutes(int link) {
  nl_cache* cache = nullptr;
  const int error = rtnl_route_alloc_cache(socket_, AF_UNSPEC, 0, &cache);
  if (error < 0) return ToStatus(error, "listing routes");
  const CacheHandle owner(cache);
  std::set<ForeignRoute> result;
  ForEach<rtnl_route>(cache, [&](rtnl_route* object) {
    const int family = rtnl_route_get_family(object);
    const uint8_t protocol = rtnl_route_get_protocol(object);
    if (!IsIp(family) || rtnl_route_get_table(object) != RT_TABLE_MAIN || protocol == protocol_) return;
    if (protocol == RTPROT_KERNEL || protocol == RTPROT_RA || rtnl_route_get_type(object) != RTN_UNICAST) return;
    rtnl_nexthop* const hop = rtnl_route_nexthop_n(object, 0);
    if (hop == nullptr || rtnl_route_nh_get_ifindex(hop) != link) return;
    result.insert({.destination = FromNl(family, rtnl_route_get_dst(object)),
                   .gateway = OptionalFromNl(family, rtnl_route_nh_get_gateway(hop)),
                   .source = OptionalFromNl(family, rtnl_route_get_pref_src(object)),
                   .metric = rtnl_route_get_priority(object),
                   .protocol = protocol,
                   .onlink = (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0});
  });
  return result;
}

absl::Status Netlink::Add(int link, const ForeignAddress& address) {
  const AddressHandle object = ToNl(KernelAddress{link, address.address}, Preference::kNormal);
  if (address.valid != ForeignAddress::kForever) {
    rtnl_addr_set_valid_lifetime(object.get(), address.valid);
    rtnl_addr_set_preferred_lifetime(object.get(), address.preferred);
  }
  return ToStatus(rtnl_addr_add(socket_, object.get(), NLM_F_CREATE | NLM_F_EXCL),
                  Concat("adding address ", ToString(address.address)));
}

absl::Status Netlink::Add(int link, const ForeignRoute& route) {
  const RouteHandle object = ToNl(link, route);
  return ToStatus(rtnl_route_add(socket_, object.get(), NLM_F_CREATE | NLM_F_EXCL),
                  Concat("adding route to ", ToString(route.destination)));
}

absl::Status Netlink::Remove(int link, const ForeignAddress& address) {
  return Remove(KernelAddress{link, address.address});
}

absl::Status Netlink::Remove(int link, const ForeignRoute& route) {
  const RouteHandle object = ToNl(link, route);
  return Removed(rtnl_route_delete(socket_, object.get(), 0),
                 Concat("removing route to ", ToString(route.destination)));
}

absl::Status Netlink::Set(const KernelNeighbor& neighbor) {
  const NeighborHandle object(NotNull(rtnl_neigh_alloc()));
  const AddrHandle mac(NotNull(nl_addr_build(AF_LLC, neighbor.mac.bytes.data(), neighbor.mac.bytes.size())));
  rtnl_neigh_set_ifindex(object.get(), neighbor.link);
  rtnl_neigh_set_dst(object.get(), ToNl(neighbor.address).get());
  rtnl_neigh_set_lladdr(object.get(), mac.get());
  rtnl_neigh_set_state(object.get(), NUD_PERMANENT);
  return ToStatus(rtnl_neigh_add(socket_, object.get(), NLM_F_CREATE | NLM_F_REPLACE),
                  Concat("setting the neighbor ", ToString(neighbor.address)));
}

absl::StatusOr<std::set<KernelRule>> Netlink::Rules() {
  nl_cache* cache = nullptr;
  if (const int error = rtnl_rule_alloc_cache(socket_, AF_UNSPEC, &cache); error < 0)
    return ToStatus(error, "listing rules");
  const CacheHandle owner(cache);
  std::set<KernelRule> result;
  ForEach<rtnl_rule>(cache, [&](rtnl_rule* object) {
    const int family = rtnl_rule_get_family(object);
    uint8_t protocol = 0;
    if (!IsIp(family) || rtnl_rule_get_protocol(object, &protocol) < 0 || protocol != protocol_) return;
    result.insert({FromNl(family, rtnl_rule_get_src(object)), rtnl_rule_get_prio(object), rtnl_rule_get_table(object)});
  });
  return result;
}

absl::Status Netlink::Add(const KernelRule& rule) {
  const RuleHandle object = ToNl(rule, protocol_);
  return ToStatus(rtnl_rule_add(socket_, object.get(), NLM_F_CREATE | NLM_F_EXCL), Concat("adding ", Describe(rule)));
}

absl::Status Netlink::Remove(const KernelRule& rule) {
  const RuleHandle object = ToNl(rule, protocol_);
  return Removed(rtnl_rule_delete(socket_, object.get(), 0), Concat("removing ", Describe(rule)));
}

}  // namespace qure
