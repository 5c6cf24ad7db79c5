#include "control/base/default_route.h"

#include <bit>
#include <cstdint>
#include <fstream>
#include <ios>
#include <sstream>

namespace qure {

std::optional<DefaultRoute> FindDefaultRoute() {
  std::ifstream table("/proc/net/route");
  return FindDefaultRoute(table);
}

// A line: interface, destination, gateway, flags, references, uses, metric, mask, … Addresses are hexadecimal, as the
// machine has them in memory.
std::optional<DefaultRoute> FindDefaultRoute(std::istream& table) {
  std::string line;
  std::getline(table, line);  // the names of the columns
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string interface;
    std::string skipped;
    uint32_t destination = 0;
    uint32_t gateway = 0;
    uint32_t mask = 0;
    words >> interface >> std::hex >> destination >> gateway >> skipped >> skipped >> skipped >> skipped >> mask;
    if (words.fail() || destination != 0 || mask != 0) continue;
    return DefaultRoute{.interface = interface, .gateway = std::bit_cast<Ipv4Address>(gateway)};
  }
  return std::nullopt;
}

}  // namespace qure
