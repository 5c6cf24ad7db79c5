#include "proto/dns/query_log.h"

#include <gtest/gtest.h>

#include <thread>

namespace qure::test {
namespace {

const IpAddress kClient = *ParseIp("192.0.2.9");
const std::string kName = DnsNameToWire("www.home.example").value();

TEST(DnsQueryLog, CountsTypes) {
  DnsQueryLog log;
  for (const uint16_t type : {kDnsTypeA, kDnsTypeHttps, uint16_t{731}, uint16_t{732}}) {
    log.Note(0, kClient, AsBytes(kName), type, Reason::dns_answer);
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < DnsQueryLog::kCounts; ++i) {
    sum += log.count(i);
    const std::string_view name = NameOfDnsCount(i);
    EXPECT_EQ(log.count(i), name == "A" || name == "HTTPS" ? 1U : name == "other" ? 2U : 0U) << name;
  }
  EXPECT_EQ(sum, 4U);
  EXPECT_TRUE(log.Take().empty());
}

TEST(DnsQueryLog, KeepsEveryNthQuery) {
  DnsQueryLog log;
  for (uint16_t type = 1; type <= 10; ++type) log.Note(3, kClient, AsBytes(kName), type, Reason::dns_nodata);
  const std::vector<DnsSample> samples = log.Take();
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[0].type, 3);
  EXPECT_EQ(samples[2].type, 9);
  EXPECT_EQ(ToString(samples[0]), "192.0.2.9 www.home.example. TYPE3 dns_nodata");
  EXPECT_TRUE(log.Take().empty());
}

TEST(DnsQueryLog, AQuestionThatCouldNotBeReadHasNoName) {
  DnsQueryLog log;
  log.Note(1, kClient, {}, 0, Reason::dns_format_error);
  EXPECT_EQ(ToString(log.Take().at(0)), "192.0.2.9 . TYPE0 dns_format_error");
}

TEST(DnsQueryLog, WithoutAReaderTheFirstOnesAreKept) {
  DnsQueryLog log;
  for (uint16_t type = 0; type < 1000; ++type) log.Note(1, kClient, AsBytes(kName), type, Reason::dns_answer);
  const std::vector<DnsSample> samples = log.Take();
  ASSERT_EQ(samples.size(), DnsQueryLog::kMostWaiting);
  EXPECT_EQ(samples.back().type, DnsQueryLog::kMostWaiting - 1);
  log.Note(1, kClient, AsBytes(kName), kDnsTypeTxt, Reason::dns_answer);
  ASSERT_EQ(log.Take().size(), 1U);
}

// Two threads: samples come whole and in order.
TEST(DnsQueryLog, IsReadWhileItIsWritten) {
  DnsQueryLog log;
  std::thread writer([&] {
    for (uint16_t type = 1; type < 20'000; ++type) log.Note(1, kClient, AsBytes(kName), type, Reason::dns_answer);
  });
  uint16_t last = 0;
  const auto read = [&] {
    for (const DnsSample& sample : log.Take()) {
      EXPECT_GT(sample.type, last);
      last = sample.type;
      EXPECT_EQ(AsText(sample.name()), kName);
    }
  };
  while (log.count(DnsQueryLog::kCounts - 1) < 19'000) read();
  writer.join();
  read();
  EXPECT_GT(last, 0);
}

}  // namespace
}  // namespace qure::test
