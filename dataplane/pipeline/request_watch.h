// Notices requests that come again, which means that their owner has not answered them: a SYN with the same sequence
// number, a DNS query with the same number, from the same socket. Fixed memory, constant time.
//
// It remembers the last kPlaces requests or so: when more come within the time that it takes a client to ask again, it
// misses some. Two requests are taken for one with a chance of 2^-32 per look.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/flow.h"

namespace qure {

// Sooner it is a duplicate of the network's; later the client asks anew. Clients wait for 1 s (RFC 6298 §2.1) and twice
// as long each further time; resolvers for 1 to 5 s.
inline constexpr Duration kAskedAgain = Milliseconds(200);
inline constexpr Duration kAskedAnew = Seconds(8);

class RequestWatch {
 public:
  // `hash`: FlowTable::HashOf its flow; `id`: FlowFacts::id. True if it was seen between kAskedAnew and kAskedAgain
  // ago.
  bool Repeated(uint64_t hash, uint32_t id, FlowTime now);

  static constexpr size_t kPlaces = 4096;

 private:
  struct Place {
    uint32_t mark = 0;
    FlowTime first;
  };

  std::array<Place, kPlaces> places_{};
};

}  // namespace qure
