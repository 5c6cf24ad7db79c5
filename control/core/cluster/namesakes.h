// Members that have this node's name or its address, though another identity: both sides say so, with both ids.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/core/action.h"
#include "control/core/cluster/membership.h"
#include "control/core/node_facts.h"

namespace qure {

struct Namesake {
  NodeId node{};
  std::string name;     // of both, if that is what they share
  Ipv4Address address;  // likewise; zero if it is not
};

class Namesakes {
 public:
  // A HELLO of `member` has come.
  void OnHello(const NodeFacts& self, const Member& member, Actions* out);
  // Those of the members that are there.
  std::vector<Namesake> Among(const Membership& members) const;

 private:
  std::map<NodeId, Namesake> known_;
};

}  // namespace qure
