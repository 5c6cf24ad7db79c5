// What can go wrong, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tests/sim/world.h"

namespace qure::sim {

struct Scenario {
  std::string_view name;
  std::string_view meaning;
  void (*setup)(World& world);
  size_t nodes = 3;
};

std::span<const Scenario> Scenarios();
const Scenario* FindScenario(std::string_view name);

// One fault by chance at `when` of the run, which ends by itself or is mended within a few seconds. Returns when the
// last step of it is.
Duration AddRandomFault(World& world, Duration when);
// None to `most` of them, one after another.
Duration SomeFaults(World& world, Duration from, int64_t most);

// Begins the records of who belongs to the cluster, at the master.
void FoundAt(World& world, Duration when);

// A node is expelled, at the master, which is another one then; and whom nobody knows.
void RevokeAt(World& world, Duration when, size_t gone);
// … where `by` reach each other.
void RevokeBy(World& world, Duration when, size_t gone, const std::vector<size_t>& by);
void RotateAt(World& world, Duration when);
// All members expect node `joins`.
void AdmitAt(World& world, Duration when, size_t joins);
// The last node has no key. Returns it.
size_t OneWithoutAKey(World& world);
// A token for so many, at the master, which node `joins` starts again with.
void InviteAt(World& world, Duration when, size_t joins, uint32_t uses);

// The tables of each file.
std::span<const Scenario> PauseScenarios();
std::span<const Scenario> NetworkScenarios();
std::span<const Scenario> StoreScenarios();
std::span<const Scenario> StrangerScenarios();
std::span<const Scenario> AdmissionScenarios();
std::span<const Scenario> ThiefScenarios();
std::span<const Scenario> ConfigScenarios();
std::span<const Scenario> RestoreScenarios();
std::span<const Scenario> LifeScenarios();
std::span<const Scenario> BalanceScenarios();

}  // namespace qure::sim
