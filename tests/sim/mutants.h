// The rules that may be broken on purpose (proto/mutation.h), and where that must be noticed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proto/mutation.h"

namespace qure::sim {

struct Mutant {
  Mutation mutation;
  std::string_view name;
  std::string_view scenario;  // in which it is caught …
  uint64_t seeds = 100;       // … by some of these, beginning with 1
};

std::span<const Mutant> Mutants();
const Mutant* FindMutant(std::string_view name);

}  // namespace qure::sim
