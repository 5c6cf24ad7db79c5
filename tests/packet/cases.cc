#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

// Behind the MAC addresses, with the PCP bits that a switch may set.
Bytes Tagged(const Bytes& frame, uint8_t priority_bits) {
  Bytes out(frame.begin(), frame.begin() + 12);
  for (uint8_t byte : {uint8_t{0x81}, uint8_t{0x00}, priority_bits, uint8_t{7}}) out.push_back(byte);
  out.insert(out.end(), frame.begin() + 12, frame.end());
  return out;
}

}  // namespace

std::vector<Case> Join(std::initializer_list<std::vector<Case>> tables) {
  std::vector<Case> all;
  for (const std::vector<Case>& table : tables) all.insert(all.end(), table.begin(), table.end());
  return all;
}

std::vector<Case> AllCases() {
  return Join({ArpCases(), NeighborCases(), EchoCases(), DnsCases(), DeliveryCases(), ClusterCases(), HandoverCases(),
               MalformedCases(), HostCases(), ForwardCases()});
}

Case OnVlan(Case c) {
  c.name += ", on a VLAN";
  c.in = Tagged(c.in, 0xe0);
  if (c.out && VerdictOf(c.reason) != Verdict::kHost) c.out = Tagged(*c.out, 0xe0);
  c.site = [site = c.site](Snapshot* s) {
    if (site) site(s);
    s->vlan = 7;
  };
  return c;
}

}  // namespace qure::testing
