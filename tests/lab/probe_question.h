// The two kinds of packet that the probe sends to a service address, and their answers: ICMP echo and DNS over UDP.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace qure::lab {

// Bytes that carry a packet's number to the service and back.
class Question {
 public:
  virtual ~Question() = default;
  // The connected socket; -1 and errno on failure. The caller owns it.
  virtual int Open() const = 0;
  // The packet of this number, for send().
  virtual std::vector<uint8_t> Make(uint64_t number) const = 0;
  // The number that a received packet answers; `sent` packets have been sent so far.
  virtual std::optional<uint64_t> NumberOf(std::span<const uint8_t> answer, uint64_t sent) const = 0;
};

// RFC 792, RFC 4443 §4. `address` is IPv4 or IPv6 text; null if it is neither.
std::unique_ptr<Question> MakeEcho(const std::string& address);
// An A query for `name` (RFC 1035 §4.1). Only NOERROR is an answer.
std::unique_ptr<Question> MakeDnsQuery(const std::string& address, const std::string& name);

}  // namespace qure::lab
