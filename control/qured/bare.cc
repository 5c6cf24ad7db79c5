#include "control/qured/bare.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/str_join.h"
#include "control/base/default_route.h"
#include "control/base/text.h"
#include "control/core/config.h"
#include "control/kernel/lan_interface.h"

namespace qure {
absl::StatusOr<std::string> FindLanInterface() {
  const std::vector<std::string> all = LanInterfaces(NodeConfig{}.host_interface);
  const std::optional<DefaultRoute> route = FindDefaultRoute();
  if (route && std::ranges::find(all, route->interface) != all.end()) return route->interface;
  std::vector<std::string> cards = all;
  std::erase_if(cards, [](const std::string& name) {
    std::error_code error;
    return !std::filesystem::exists(Concat("/sys/class/net/", name, "/device"), error);
  });
  if (cards.size() == 1) return cards.front();
  if (all.size() == 1) return all.front();
  if (all.empty()) return absl::NotFoundError("this machine has no Ethernet interface: give it one to the LAN");
  return absl::NotFoundError(Concat("which interface leads to the LAN? This machine has ", absl::StrJoin(all, ", "),
                                    ", and no default route: name one with --interface, or write ",
                                    kDefaultConfigFile));
}

std::string BareConfig(const std::string& interface, const std::string& join) {
  return Concat("[node.lan]\nport = \"af_packet:", interface, "\"\nmode = \"shared\"\n[cluster]\njoin = \"",
                join.empty() ? "any" : join, "\"\n");
}

}  // namespace qure
