// Controllers that hear each other, without workers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/net/ip.h"
#include "tests/unit/core/support.h"

namespace qure::test {

// A controller, what it wants looked up, and what it was answered.
struct Side {
  Side(uint8_t number, const std::vector<std::vector<std::string_view>>& addresses)
      : Side(FactsOfNode(number), MakeConfig(addresses), {WebService()}) {}
  // In an open cluster.
  Side(const NodeFacts& facts, ClusterConfig config, std::vector<ServiceConfig> services)
      : id(facts.node_id), random(id[0]), controller(facts, {.node_id = id, .age = 1}, random, kStart) {
    config.network.security = Security::kOpen;
    config.services = std::move(services);
    Do(kStart, controller.OnConfig(kStart, config));
  }

  static NodeFacts FactsOfNode(uint8_t number) {
    NodeFacts facts;
    facts.node_id = {number};
    facts.boot_id = {number};
    facts.lan_mac = {{2, 0, 0, 0, 1, number}};
    facts.address = {{198, 51, 100, number}};
    return facts;
  }
  static ServiceConfig WebService() {
    return {.name = "web", .protocol = kProtocolTcp, .first_port = 80, .last_port = 80};
  }

  void Do(MonoTime now, const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* frame = std::get_if<SendFrame>(&action)) {
        if (auto datagram = DatagramOf(*frame)) said.push_back(*std::move(datagram));
      } else if (const auto* persist = std::get_if<Persist>(&action)) {
        Do(now, controller.OnPersisted(now, persist->ticket, true));
      } else if (const auto* lookup = std::get_if<LookUpFlow>(&action)) {
        lookups.push_back(*lookup);
      } else if (const auto* answer = std::get_if<FlowAnswered>(&action)) {
        answers.push_back(*answer);
      } else if (const auto* publish = std::get_if<PublishSnapshot>(&action)) {
        snapshot = publish->snapshot;
      }
    }
  }
  void Ask(MonoTime now, uint64_t id_of_question, const FlowKey& key, NodeSlot whom = kSelfSlot) {
    Actions actions;
    ASSERT_TRUE(controller.OnCommand(now, QueryFlow{.id = id_of_question, .whom = whom, .key = key}, &actions).ok());
    Do(now, actions);
  }
  bool Leads(MonoTime now) const { return controller.status(now).master == id; }
  bool Follows(MonoTime now, const Side& master) const { return controller.status(now).master == master.id; }
  uint8_t IdOf(std::string_view prefix) const { return snapshot->Find(Prefix(prefix).address.v4())->id; }
  std::optional<NodeSlot> SlotOf(MonoTime now, const NodeId& node) const {
    const ControllerStatus status = controller.status(now);
    return std::ranges::find(status.nodes, node, &NodeRow::node)->slot;
  }

  NodeId id;
  std::mt19937_64 random;
  std::deque<Datagram> said;
  std::vector<LookUpFlow> lookups;
  std::vector<FlowAnswered> answers;
  std::shared_ptr<const Snapshot> snapshot;
  Controller controller;
};

// What is due at `now`, and what each then hears of the other; nothing if `cut`.
inline void Pump(MonoTime now, Side* first, Side* second, bool cut = false) {
  for (Side* side : {first, second}) {
    if (now >= side->controller.NextDeadline()) side->Do(now, side->controller.Tick(now));
  }
  for (Side* side : {first, second}) {
    Side* const other = side == first ? second : first;
    for (const Datagram& datagram : std::exchange(side->said, {})) {
      if (!cut) other->Do(now, other->controller.OnDatagram(now, datagram));
    }
  }
}

}  // namespace qure::test
