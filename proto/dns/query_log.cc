#include "proto/dns/query_log.h"

#include <algorithm>

namespace qure {
namespace {

constexpr std::array<std::string_view, DnsQueryLog::kCounts> kNames = {"A",   "NS",   "CNAME", "SOA",   "PTR",  "MX",
                                                                       "TXT", "AAAA", "SRV",   "HTTPS", "other"};

size_t CountOf(uint16_t type) {
  return static_cast<size_t>(std::ranges::find(DnsQueryLog::kTypes, type) - DnsQueryLog::kTypes.begin());
}

}  // namespace

void DnsQueryLog::Note(uint32_t every, const IpAddress& client, ConstBytes name, uint16_t type, Reason reason) {
  counts_[CountOf(type)].Add(1);
  if (every == 0 || ++since_sample_ < every) return;
  since_sample_ = 0;
  const uint32_t written = written_.load(std::memory_order_relaxed);
  if (written - taken_.load(std::memory_order_acquire) == kMostWaiting) return;
  DnsSample& sample = samples_[written % kMostWaiting];
  sample.client = client;
  sample.reason = reason;
  sample.type = type;
  sample.name_length = static_cast<uint8_t>(name.size());
  std::ranges::copy(name, sample.name_bytes.begin());
  written_.store(written + 1, std::memory_order_release);
}

std::vector<DnsSample> DnsQueryLog::Take() {
  const uint32_t written = written_.load(std::memory_order_acquire);
  uint32_t taken = taken_.load(std::memory_order_relaxed);
  std::vector<DnsSample> samples;
  samples.reserve(written - taken);
  for (; taken != written; ++taken) samples.push_back(samples_[taken % kMostWaiting]);
  taken_.store(taken, std::memory_order_release);
  return samples;
}

std::string_view NameOfDnsCount(size_t index) {
  return kNames[index];
}

std::string ToString(const DnsSample& sample) {
  const size_t count = CountOf(sample.type);
  const bool named = count < DnsQueryLog::kTypes.size();
  const std::string type = named ? std::string(kNames[count]) : "TYPE" + std::to_string(sample.type);  // RFC 3597 §5
  return ToString(sample.client) + " " + DnsNameToText(sample.name()) + " " + type + " " +
         std::string(NameOf(sample.reason));
}

}  // namespace qure
