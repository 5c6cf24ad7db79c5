#include "control/kernel/plan.h"

#include <memory>
#include <optional>

#include "control/base/text.h"
#include "control/kernel/netlink.h"
#include "control/kernel/setting.h"

namespace qure {
namespace {

std::string Describe(const ForeignRoute& route) {
  const bool is_default = route.destination.length == 0;
  return Concat(is_default ? "the default route" : "the route to " + ToString(route.destination),
                route.gateway ? " via " + ToString(*route.gateway) : "");
}

}  // namespace

absl::StatusOr<LanUse> UseOf(const std::string& interface) {
  const auto netlink = Netlink::Connect(HostInterface::kRouteProtocol);
  if (!netlink.ok()) return netlink.status();
  const absl::StatusOr<KernelLink> link = (*netlink)->FindLink(interface);
  if (absl::IsNotFound(link.status())) return LanUse{};
  if (!link.ok()) return link.status();
  absl::StatusOr<std::set<ForeignAddress>> addresses = (*netlink)->ForeignAddresses(link->index);
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<std::set<ForeignRoute>> routes = (*netlink)->ForeignRoutes(link->index);
  if (!routes.ok()) return routes.status();
  return LanUse{*std::move(addresses), *std::move(routes)};
}

absl::Status RefuseUse(const std::string& interface, const LanUse& use) {
  if (use.empty()) return absl::OkStatus();
  std::string what;
  const auto add = [&what](const std::string& text) { what += (what.empty() ? "" : ", ") + text; };
  for (const ForeignAddress& address : use.addresses) add("the address " + ToString(address.address));
  for (const ForeignRoute& route : use.routes) add(Describe(route));
  return absl::FailedPreconditionError(
      Concat("node.lan.mode: \"dedicated\" takes ", interface, " away from the kernel, and this machine has ", what,
             " there: connections through it, such as ssh, would end; use mode = \"shared\", or take_over = true, "
             "which moves them to the host port, and try it with `qured --try 60s` first"));
}

std::vector<std::string> PlanLines(const HostInterfaceOptions& options, const KernelJournal::Wanted& settings) {
  std::vector<std::string> lines;
  for (const ForeignAddress& address : options.taken.addresses) {
    lines.push_back(
        Concat("the address ", ToString(address.address), ": from ", options.lan_interface, " to ", options.interface,
               address.valid == ForeignAddress::kForever ? "" : " (of DHCP: give the machine a fixed one)"));
  }
  for (const ForeignRoute& route : options.taken.routes) {
    lines.push_back(Concat(Describe(route), ": from ", options.lan_interface, " to ", options.interface));
  }
  const auto add = [&lines](const KernelJournal::Wanted& wanted) {
    for (const auto& [setting, value] : wanted) {
      const std::optional<std::string> current = ReadSetting(setting);
      if (current && *current != value) lines.push_back(Concat(ToString(setting), ": from ", *current, " to ", value));
    }
  };
  add(settings);
  add(HostInterface::Settings(options));
  lines.push_back(Concat("service addresses: on ", options.interface,
                         " while they are served, each with a rule `from "
                         "ADDRESS lookup ",
                         HostInterface::kRouteTable, "`"));
  return lines;
}

}  // namespace qure
