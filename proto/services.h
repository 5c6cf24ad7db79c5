// The services of the configuration, as the workers look them up: immutable, part of the snapshot.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/net/ip.h"

namespace qure {

enum class Affinity : uint8_t {
  kSocket,    // each flow on its own: by remote address and port
  kAddress,   // all flows of a remote address, over all ports of the service
  kAdaptive,  // kAddress, but kSocket for new flows of a remote address that is a heavy hitter
};

inline constexpr std::array<std::string_view, 3> kAffinityNames = {"socket", "address", "adaptive"};
constexpr std::string_view NameOf(Affinity affinity) {
  return kAffinityNames[static_cast<size_t>(affinity)];
}

struct Service {
  std::string name;
  uint8_t protocol = kProtocolTcp;
  uint16_t first_port = 0;
  uint16_t last_port = 0;
  uint8_t local_address = 0;  // ServiceAddress::id that it is served at; 0: all
  Affinity affinity = Affinity::kSocket;
  bool return_by_master = false;
  bool multicast = false;  // every node gets every packet, and takes those of its own flows

  bool IsAt(uint8_t wanted_protocol, uint16_t port, uint8_t address) const {
    return (local_address == 0 || local_address == address) && protocol == wanted_protocol && port >= first_port &&
           port <= last_port;
  }
};

struct ServiceMap {
  bool drop_others = false;  // default = "drop": TCP and UDP to any other port is dropped
  bool any_return_by_master = false;
  std::vector<Service> services;  // the number of services[i] is i + 1
  // The first service at each port, whatever its address: its number, or 0.
  std::array<uint8_t, 65536> tcp{};
  std::array<uint8_t, 65536> udp{};

  // The number of the service at this port of this address; 0: none.
  uint8_t Find(uint8_t protocol_number, uint16_t port, uint8_t local_address) const {
    uint8_t number = protocol_number == kProtocolTcp   ? tcp[port]
                     : protocol_number == kProtocolUdp ? udp[port]
                                                       : uint8_t{0};
    if (number == 0) return 0;
    const Service& first = services[number - 1];
    if (first.local_address == 0 || first.local_address == local_address) [[likely]]
      return number;
    return FindFrom(number, protocol_number, port, local_address);
  }
  // Services share a port only at different addresses.
  void Add(const Service& service) {
    services.push_back(service);
    any_return_by_master |= service.return_by_master;
    auto& ports = service.protocol == kProtocolTcp ? tcp : udp;
    for (size_t port = service.first_port; port <= service.last_port; ++port) {
      if (ports[port] == 0) ports[port] = static_cast<uint8_t>(services.size());
    }
  }

 private:
  uint8_t FindFrom(uint8_t number, uint8_t protocol_number, uint16_t port, uint8_t local_address) const {
    while (++number <= services.size()) {
      if (services[number - 1].IsAt(protocol_number, port, local_address)) return number;
    }
    return 0;
  }
};

}  // namespace qure
