// Makes records as they stand in a message: names compressed, each pointer remembered as a DnsMove.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/dns/message.h"
#include "proto/dns/moves.h"

namespace qure {

class DnsBlockWriter {
 public:
  // `known` is the end of the question name that is known, in lower case: the whole name, what is behind the "*" of a
  // wildcard, the delegation, or the zone. The records are made as if it were the question.
  explicit DnsBlockWriter(std::string_view known, uint16_t klass = kDnsClassIn);

  // `owner` in any case; empty for the question name itself. Names within `rdata` are compressed where RFC 3597 §4
  // lets them, but for that of a CNAME.
  void Add(std::string_view owner, uint16_t type, uint32_t ttl, std::string_view rdata);

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  const std::vector<DnsMove>& moves() const { return moves_; }

 private:
  void PutName(std::string_view name, bool compressed);
  void PutPointer(DnsMove::To to, size_t points_to);
  void PutRdata(uint16_t type, std::string_view rdata);
  void Put(std::string_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  std::string known_;
  uint16_t klass_;
  std::map<std::string, size_t> written_;  // lower-case names -> where they stand in bytes_
  std::vector<uint8_t> bytes_;
  std::vector<DnsMove> moves_;
};

}  // namespace qure
