// Who is taken into the cluster without a command.
#pragma once

#include <cstdint>

namespace qure::admission {

enum class AutoAdmit : uint8_t {
  kOff,
  kCopies,  // nodes whose store is a copy of a member's: machines that are made by cloning one
  kAll,     // every node that asks
};

}  // namespace qure::admission
