// What is found out about a question name before it is answered, so that several wait for memory at the same time.
#pragma once

#include <cstdint>

namespace qure {

class DnsZone;

struct DnsLookahead {
  const DnsZone* zone = nullptr;  // the closest one to the name; null: not looked for, or there is none
  uint64_t hash = 0;              // DnsZone::Hash of the name
  uint16_t name_length = 0;       // bytes of the name, sound and uncompressed; 0: not looked for, or not sound
};

}  // namespace qure
