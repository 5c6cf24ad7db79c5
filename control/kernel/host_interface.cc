#include "control/kernel/host_interface.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/kernel/journal.h"
#include "control/kernel/netlink.h"
#include "control/kernel/setting.h"
#include "control/kernel/sysctl.h"
#include "proto/net/way_in.h"

namespace qure {
namespace {

struct Setting {
  std::string_view family;
  std::string_view key;
  std::string_view value;
};

// Documentation/networking/ip-sysctl.rst of the kernel.
constexpr Setting kHostSettings[] = {
    {"ipv4", "arp_ignore", "1"},    // answer ARP only for addresses of this interface
    {"ipv4", "arp_announce", "2"},  // ask from an address of the target's subnet
    {"ipv4", "rp_filter", "2"},     // replies may take another path (direct return)
    {"ipv6", "disable_ipv6", "0"},
    {"ipv6", "addr_gen_mode", "0"},  // the link-local address is the EUI-64 of the MAC: the dataplane relies on it
    {"ipv6", "accept_dad", "0"},     // the claims have checked the addresses
    {"ipv6", "dad_transmits", "0"},
};
// Shared mode: the LAN interface has the routers, the host port has only the service addresses.
constexpr Setting kSharedHostSettings[] = {{"ipv6", "accept_ra", "0"}};
// Every interface uses ARP only for its own addresses: another one in the same LAN would answer for the service
// address, which is the host port's, with its own MAC. Of "all" and an interface's own setting the greater one counts.
constexpr Setting kAllSettings[] = {{"ipv4", "arp_ignore", "1"}, {"ipv4", "arp_announce", "2"}};
// Dedicated mode: the kernel still gets a copy of every frame to the interface's own MAC. Strict reverse path filtering
// drops the IPv4 packets among them, because no route leads back through an interface without an address. Without it
// the kernel would receive these packets twice.
constexpr Setting kDedicatedLanSettings[] = {{"ipv4", "rp_filter", "1"}, {"ipv6", "disable_ipv6", "1"}};

constexpr IpPrefix kDefaultV4{Ipv4Address{}, 0};
constexpr IpPrefix kDefaultV6{Ipv6Address{}, 0};
constexpr IpPrefix kLinkLocalV6{Ipv6Address{{0xfe, 0x80}}, 64};

uint8_t FullLength(const IpAddress& address) {
  return address.is_v4() ? 32 : 128;
}

const IpPrefix& DefaultOf(const IpAddress& address) {
  return address.is_v4() ? kDefaultV4 : kDefaultV6;
}

std::string Describe(const KernelAddress& address) {
  return Concat("the address ", ToString(address.address));
}
std::string Describe(const KernelRoute& route) {
  return Concat("the route to ", ToString(route.destination), " in table ", route.table);
}
std::string Describe(const KernelRule& rule) {
  return Concat("the rule from ", ToString(rule.source));
}

// Changes `have` to `want`: first removes, in order, then adds, in reverse order, so that a default route comes after
// the route to its gateway. With `added`, lists there what it adds, and removes no address, which may be another
// program's; routes and rules with our number are ours, and one that has lost its source address with the address would
// stand in the way. `add` returns whether it has added. Stops at the first error.
template <typename T, typename Add>
absl::Status Reconcile(Netlink* netlink, const absl::StatusOr<std::set<T>>& have, const std::set<T>& want, Add add,
                       std::vector<std::string>* added) {
  if (!have.ok()) return have.status();
  for (const T& object : *have) {
    if ((added != nullptr && std::is_same_v<T, KernelAddress>) || want.contains(object)) continue;
    if (absl::Status status = netlink->Remove(object); !status.ok()) return status;
  }
  for (auto object = want.rbegin(); object != want.rend(); ++object) {
    if (have->contains(*object)) continue;
    const absl::StatusOr<bool> done = add(*object);
    if (!done.ok()) return done.status();
    if (*done && added != nullptr) added->push_back(Describe(*object));
  }
  return absl::OkStatus();
}

KernelJournal::Wanted On(std::string_view interface, std::span<const Setting> settings) {
  KernelJournal::Wanted wanted;
  for (const Setting& setting : settings) {
    wanted.emplace_back(Sysctl(InterfaceSysctl(setting.family, interface, setting.key)), setting.value);
  }
  return wanted;
}

}  // namespace

struct HostInterface::Impl {
  HostInterfaceOptions options;
  std::unique_ptr<Netlink> netlink;
  KernelLink host;
  int lan_index = 0;  // of the interface beneath the LAN port
  std::vector<IpPrefix> services;

  bool other_default_logged = false;

  absl::Status SetUp();
  KernelJournal::Wanted HostSettings() const;
  absl::Status SetUpHost();
  absl::Status SetUpLan();
  absl::Status TakeOver(const KernelLink& lan);
  void Restore();

  absl::Status SetNeighbors();
  absl::Status Apply(std::vector<std::string>* added = nullptr);
  absl::Status PutBackLinks(std::vector<std::string>* put_back);
  absl::Status PutBackSettings(std::vector<std::string>* put_back);
  std::set<KernelAddress> WantedAddresses() const;
  std::set<KernelRoute> WantedRoutes() const;
  std::set<KernelRule> WantedRules() const;
  absl::StatusOr<bool> AddRoute(const KernelRoute& route);
  bool IsNodeAddress(const IpPrefix& address) const;
  std::optional<IpAddress> NodeSourceFor(const IpAddress& gateway) const;
};

absl::Status HostInterface::Impl::SetUp() {
  auto connected = Netlink::Connect(kRouteProtocol);
  if (!connected.ok()) return connected.status();
  netlink = *std::move(connected);
  options.journal->NoteOurs(kRouteProtocol);
  if (absl::Status status = SetUpHost(); !status.ok()) return status;
  if (absl::Status status = SetUpLan(); !status.ok()) return status;
  return Apply();  // also removes what a killed qured has left
}

absl::Status HostInterface::Impl::SetUpHost() {
  const absl::StatusOr<KernelLink> link = netlink->FindLink(options.interface);
  if (!link.ok()) return link.status();
  host = *link;
  for (const auto& [setting, value] : HostSettings()) {
    if (absl::Status status = WriteSetting(setting, value); !status.ok()) return status;
  }
  if (absl::Status status = netlink->SetLinkMtu(host, options.mtu); !status.ok()) return status;
  if (absl::Status status = netlink->ChangeLinkFlags(host, IFF_UP, 0); !status.ok()) return status;
  return SetNeighbors();
}

// Health checks ask the kernel as hosts that are not there: without this it would look for them before it answers.
absl::Status HostInterface::Impl::SetNeighbors() {
  for (const IpAddress& address : {IpAddress(kWayInSource4), IpAddress(kWayInSource6)}) {
    absl::Status status = netlink->Set({host.index, address, kWayInMac});
    if (!status.ok() && !absl::IsUnimplemented(status)) return status;  // a kernel without IPv6
  }
  return absl::OkStatus();
}

KernelJournal::Wanted HostInterface::Impl::HostSettings() const {
  KernelJournal::Wanted wanted = On(options.interface, kHostSettings);
  if (options.mode != LanMode::kShared) return wanted;
  for (auto& setting : On(options.interface, kSharedHostSettings)) wanted.push_back(std::move(setting));
  return wanted;
}

KernelJournal::Wanted HostInterface::Settings(const HostInterfaceOptions& options) {
  KernelJournal::Wanted wanted = On("all", kAllSettings);
  if (options.mode != LanMode::kDedicated || options.lan_interface.empty()) return wanted;
  for (auto& setting : On(options.lan_interface, kDedicatedLanSettings)) wanted.push_back(std::move(setting));
  wanted.emplace_back(LinkFlag(options.lan_interface, "noarp"), "1");
  return wanted;
}

absl::Status HostInterface::Impl::SetUpLan() {
  if (!options.lan_interface.empty()) {
    const absl::StatusOr<KernelLink> lan = netlink->FindLink(options.lan_interface);
    if (!lan.ok()) return lan.status();
    lan_index = lan->index;
    if (absl::Status status = TakeOver(*lan); !status.ok()) return status;
  }
  return options.journal->Set(Settings(options));
}

// The routes go first, as they would stand in the way of those through the host port.
absl::Status HostInterface::Impl::TakeOver(const KernelLink& lan) {
  for (const ForeignRoute& route : options.taken.routes) {
    options.journal->NoteRemoval(options.lan_interface, route);
    if (absl::Status status = netlink->Remove(lan.index, route); !status.ok()) return status;
  }
  if (absl::Status status = Apply(); !status.ok()) return status;
  for (const ForeignAddress& address : options.taken.addresses) {
    options.journal->NoteRemoval(options.lan_interface, address);
    if (absl::Status status = netlink->Remove(lan.index, address); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void HostInterface::Impl::Restore() {
  if (netlink == nullptr) return;
  options.node_addresses.clear();
  options.taken = {};
  options.gateways.clear();
  services.clear();
  if (absl::Status status = Apply(); !status.ok()) LogLine(LogLevel::kWarning, std::string(status.message()));
}

bool HostInterface::Impl::IsNodeAddress(const IpPrefix& address) const {
  return std::find(options.node_addresses.begin(), options.node_addresses.end(), address) !=
         options.node_addresses.end();
}

std::set<KernelAddress> HostInterface::Impl::WantedAddresses() const {
  std::set<KernelAddress> wanted;
  for (const IpPrefix& address : options.node_addresses) wanted.insert({host.index, address});
  for (const IpPrefix& service : services) {
    wanted.insert({host.index, {service.address, FullLength(service.address)}});
  }
  return wanted;
}

// The node address to use as source towards `gateway`: preferably one on the gateway's link.
std::optional<IpAddress> HostInterface::Impl::NodeSourceFor(const IpAddress& gateway) const {
  std::optional<IpAddress> source;
  for (const IpPrefix& address : options.node_addresses) {
    if (address.address.is_v4() != gateway.is_v4()) continue;
    if (Contains(address, gateway)) return address.address;
    if (!source) source = address.address;
  }
  return source;
}

std::set<KernelRoute> HostInterface::Impl::WantedRoutes() const {
  std::set<KernelRoute> wanted;
  bool family[2] = {false, false};
  for (const IpPrefix& service : services) {
    family[service.address.is_v6()] = true;
    if (service.length < FullLength(service.address)) {
      wanted.insert({kRouteTable, NetworkOf(service), host.index, std::nullopt, std::nullopt});
    }
    if (service.address.is_v6()) wanted.insert({kRouteTable, kLinkLocalV6, host.index, std::nullopt, std::nullopt});
    const IpAddress asks = WayInSource(service.address);
    wanted.insert({kRouteTable, {asks, FullLength(asks)}, host.index, std::nullopt, std::nullopt});
  }
  for (const IpAddress& gateway : options.gateways) {
    if (family[gateway.is_v6()]) {
      wanted.insert({kRouteTable, {gateway, FullLength(gateway)}, host.index, std::nullopt, std::nullopt});
      wanted.insert({kRouteTable, DefaultOf(gateway), host.index, gateway, std::nullopt});
    }
    // The node's address is the source, so that the kernel never chooses a service address.
    if (const std::optional<IpAddress> source = NodeSourceFor(gateway)) {
      wanted.insert({RT_TABLE_MAIN, DefaultOf(gateway), host.index, gateway, source});
    }
  }
  for (const ForeignRoute& route : options.taken.routes) {
    const auto replaces = [&route](const IpAddress& gateway) {
      return route.destination.length == 0 && gateway.is_v4() == route.destination.address.is_v4();
    };
    if (std::ranges::any_of(options.gateways, replaces)) continue;
    wanted.insert({RT_TABLE_MAIN, route.destination, host.index, route.gateway, route.source});
  }
  return wanted;
}

std::set<KernelRule> HostInterface::Impl::WantedRules() const {
  std::set<KernelRule> wanted;
  for (const IpPrefix& service : services) {
    wanted.insert({{service.address, FullLength(service.address)}, kRulePriority, kRouteTable});
  }
  return wanted;
}

absl::StatusOr<bool> HostInterface::Impl::AddRoute(const KernelRoute& route) {
  absl::Status status = netlink->Add(route);
  if (status.ok()) return true;
  if (!absl::IsAlreadyExists(status) || route.table != RT_TABLE_MAIN) return status;
  if (!std::exchange(other_default_logged, true)) {
    LogLine(LogLevel::kWarning, "the node already has another default route, which stays: ", status.message());
  }
  return false;
}

absl::Status HostInterface::Impl::Apply(std::vector<std::string>* added) {
  const auto done = [](const absl::Status& status) { return status.ok() ? absl::StatusOr<bool>(true) : status; };
  const auto add_address = [&](const KernelAddress& address) {
    const bool normal = IsNodeAddress(address.address);
    return done(netlink->Add(address, normal ? Preference::kNormal : Preference::kAvoided));
  };
  const auto add_route = [this](const KernelRoute& route) { return AddRoute(route); };
  const auto add_rule = [&](const KernelRule& rule) { return done(netlink->Add(rule)); };
  absl::Status status = Reconcile(netlink.get(), netlink->Addresses(host.index), WantedAddresses(), add_address, added);
  if (status.ok()) status = Reconcile(netlink.get(), netlink->Routes(), WantedRoutes(), add_route, added);
  if (status.ok()) status = Reconcile(netlink.get(), netlink->Rules(), WantedRules(), add_rule, added);
  if (status.ok()) return status;
  return {status.code(), Concat(options.interface, ": ", status.message())};
}

// An interface that was made anew under its name is another one: its port is deaf.
absl::Status HostInterface::Impl::PutBackLinks(std::vector<std::string>* put_back) {
  const auto look = [&](const std::string& name, int index) -> absl::Status {
    const absl::StatusOr<KernelLink> link = netlink->FindLink(name);
    if (absl::IsNotFound(link.status()) || (link.ok() && link->index != index)) {
      return absl::NotFoundError(Concat("the interface ", name, " is gone, or another one has its name"));
    }
    if (!link.ok()) return link.status();
    if ((link->flags & IFF_UP) != 0) return absl::OkStatus();
    put_back->push_back(Concat(name, ", which was down"));
    return netlink->ChangeLinkFlags(*link, IFF_UP, 0);
  };
  const size_t before = put_back->size();
  if (absl::Status status = look(options.interface, host.index); !status.ok()) return status;
  if (put_back->size() > before) {  // the kernel has forgotten all neighbors with it
    if (absl::Status status = SetNeighbors(); !status.ok()) return status;
  }
  return options.lan_interface.empty() ? absl::OkStatus() : look(options.lan_interface, lan_index);
}

absl::Status HostInterface::Impl::PutBackSettings(std::vector<std::string>* put_back) {
  for (const auto& [setting, value] : HostSettings()) {
    const std::optional<std::string> current = ReadSetting(setting);
    if (!current || *current == value) continue;
    put_back->push_back(Concat(ToString(setting), ", which was ", *current));
    if (absl::Status status = WriteSetting(setting, value); !status.ok()) return status;
  }
  KernelJournal::Wanted changed;
  for (const auto& [setting, value] : Settings(options)) {
    const std::optional<std::string> current = ReadSetting(setting);
    if (!current || *current == value) continue;
    put_back->push_back(Concat(ToString(setting), ", which was ", *current));
    changed.emplace_back(setting, value);
  }
  for (const auto& [setting, value] : options.journal->Changed()) {
    if (std::ranges::find(changed, setting, &std::pair<KernelSetting, std::string>::first) != changed.end()) continue;
    put_back->push_back(ToString(setting));
    changed.emplace_back(setting, value);
  }
  return changed.empty() ? absl::OkStatus() : options.journal->Set(changed);
}

HostInterface::HostInterface(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HostInterface::~HostInterface() {
  impl_->Restore();
}

absl::StatusOr<std::unique_ptr<HostInterface>> HostInterface::Create(const HostInterfaceOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  if (options.mode == LanMode::kShared) impl->options.node_addresses.clear();  // they are on the LAN interface
  std::unique_ptr<HostInterface> interface(new HostInterface(std::move(impl)));
  if (absl::Status status = interface->impl_->SetUp(); !status.ok()) return status;
  return interface;
}

absl::Status HostInterface::SetServiceAddresses(const std::vector<IpPrefix>& addresses) {
  impl_->services = addresses;
  return impl_->Apply();
}

absl::Status HostInterface::PutBack(std::vector<std::string>* put_back) {
  if (absl::Status status = impl_->PutBackLinks(put_back); !status.ok()) return status;
  if (absl::Status status = impl_->PutBackSettings(put_back); !status.ok()) return status;
  return impl_->Apply(put_back);
}

absl::Status HostInterface::SetGateways(const std::vector<IpAddress>& gateways) {
  impl_->options.gateways = gateways;
  return impl_->Apply();
}

}  // namespace qure
