// The packet tables: a frame in, a reason and a frame out. Function tests and benches use the same ones.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/harness.h"

namespace qure::testing {

struct Case {
  std::string name;
  Bytes in;
  Reason reason;
  std::optional<Bytes> out = std::nullopt;  // nullopt: a drop, whose bytes are not sent
  std::vector<Event> events = {};
  Direction direction = Direction::kFromLan;
  std::function<void(Snapshot*)> site = nullptr;  // changes to SiteSnapshot
};

std::vector<Case> ArpCases();
std::vector<Case> NeighborCases();
std::vector<Case> EchoCases();
std::vector<Case> DnsCases();
std::vector<Case> DeliveryCases();
std::vector<Case> ClusterCases();
std::vector<Case> HandoverCases();
std::vector<Case> MalformedCases();
std::vector<Case> HostCases();
std::vector<Case> ForwardCases();
std::vector<Case> AllCases();

// One table of several.
std::vector<Case> Join(std::initializer_list<std::vector<Case>> tables);

// Changes to the site that several tables use.
inline void Shared(Snapshot* s) {
  s->dedicated = false;
}
inline void SharedWithAddress(Snapshot* s) {  // the kernel's own, on the LAN interface
  s->dedicated = false;
  s->question_mac = s->lan_mac;
}
inline void Vlan7(Snapshot* s) {
  s->vlan = 7;
}

// The same case on a tagged LAN: in and out carry the tag, frames to the kernel do not.
Case OnVlan(Case c);

}  // namespace qure::testing
