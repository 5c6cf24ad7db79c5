#include "control/config/dns_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "control/config/config_file.h"

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

absl::StatusOr<Config> Parse(const std::string& dns) {
  return ParseConfig(
      "[node]\nname = \"n1\"\n[node.lan]\nport = \"af_packet:eth0\"\n"
      "[[cluster.address]]\naddress = \"198.51.100.50/24\"\n" +
          dns,
      "test.toml");
}

std::string ErrorOf(const std::string& dns) {
  return std::string(Parse(dns).status().message());
}

}  // namespace

TEST(DnsConfig, AFloodIsLimitedByDefault) {
  const absl::StatusOr<Config> config = Parse("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cluster.dns.limit, (DnsRateLimit{.rate = 200, .slip = 2}));
}

TEST(DnsConfig, AllKeys) {
  const absl::StatusOr<Config> config = Parse("[cluster.dns]\nrate_limit = 0\nslip = 3\nlog_every = 1000\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cluster.dns.limit, (DnsRateLimit{.rate = 0, .slip = 3}));
  EXPECT_EQ(config->cluster.dns.log_every, 1000U);
}

TEST(DnsConfig, ErrorsHaveTheirPlace) {
  EXPECT_THAT(ErrorOf("[cluster.dns]\nrate_limit = -1\n"),
              AllOf(StartsWith("test.toml:8: cluster.dns.rate_limit: -1 "), HasSubstr("0 to 1000000")));
  EXPECT_THAT(ErrorOf("[cluster.dns]\nslip = 101\n"),
              AllOf(StartsWith("test.toml:8: cluster.dns.slip: 101 "), HasSubstr("0 to 100")));
  EXPECT_THAT(ErrorOf("[cluster.dns]\nrate_limits = 1\n"),
              AllOf(StartsWith("test.toml:8: cluster.dns.rate_limits: "), HasSubstr("\"rate_limit\"?")));
}

}  // namespace qure
