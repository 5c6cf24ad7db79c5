// What is counted of DNS queries beside the reasons of their frames: how many there were of each type, and a sample.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/net/address.h"
#include "proto/reason.h"

namespace qure {

// A query, and what became of it.
struct DnsSample {
  IpAddress client;
  Reason reason{};
  uint16_t type = 0;
  uint8_t name_length = 0;
  std::array<uint8_t, kDnsMaxName> name_bytes{};  // as it was asked, maybe in mixed case

  ConstBytes name() const { return ConstBytes(name_bytes).first(name_length); }
};

// One thread writes, one other takes samples, any reads counts. No allocation.
class DnsQueryLog {
 public:
  // Types that have a count of their own. All others share one.
  static constexpr std::array<uint16_t, 10> kTypes = {kDnsTypeA,   kDnsTypeNs,   kDnsTypeCname, kDnsTypeSoa,
                                                      kDnsTypePtr, kDnsTypeMx,   kDnsTypeTxt,   kDnsTypeAaaa,
                                                      kDnsTypeSrv, kDnsTypeHttps};
  static constexpr size_t kCounts = kTypes.size() + 1;  // the last one: others
  static constexpr size_t kMostWaiting = 64;            // samples beyond are not kept

  // The writer's. `name` in wire form. Every log every Nth query: kept as a sample; 0: none is.
  void Note(uint32_t every, const IpAddress& client, ConstBytes name, uint16_t type, Reason reason);

  // The reader's: all samples that wait.
  std::vector<DnsSample> Take();

  uint64_t count(size_t index) const { return counts_[index].value(); }

 private:
  std::array<Counter, kCounts> counts_;
  uint32_t since_sample_ = 0;          // the writer's
  std::atomic<uint32_t> written_ = 0;  // samples so far; the place of each is its number modulo kMostWaiting
  std::atomic<uint32_t> taken_ = 0;
  std::array<DnsSample, kMostWaiting> samples_;
};

// "192.0.2.9 www.home.example. AAAA dns_answer"
std::string ToString(const DnsSample& sample);
// Of DnsQueryLog's count `index`: "A", "AAAA", …, "other".
std::string_view NameOfDnsCount(size_t index);

}  // namespace qure
