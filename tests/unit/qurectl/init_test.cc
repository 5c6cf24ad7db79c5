#include "control/qurectl/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "control/config/config_file.h"
#include "nlohmann/json.hpp"

namespace qure {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(InitTest, WhatIsGivenIsAConfiguration) {
  const std::string text = TextOf({.name = "home",
                                   .addresses = {"198.51.100.50/24", "2001:db8:2::50/64"},
                                   .gateways = {"198.51.100.1", "2001:db8:2::1"}});
  const absl::StatusOr<Config> config = ParseConfig(
      "[node.lan]\nport = \"af_packet:eth0\"\n[cluster]\njoin = \"any\"\n", "own",
      {.joined = JoinedCluster{.name = "home", .port = 7873, .group = {}, .first = text}, .shared = nullptr});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cluster.addresses.size(), 2u);
  EXPECT_EQ(config->cluster.gateways.size(), 2u);
  EXPECT_EQ(config->cluster.name, "home");
}

TEST(InitTest, WithoutATerminalItNamesTheOptions) {
  if (isatty(STDIN_FILENO) != 0) GTEST_SKIP() << "there is a terminal";
  FirstCluster first;
  const absl::Status missing = Complete(&first);
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("--address"));
  first.addresses = {"198.51.100.50/24"};
  EXPECT_TRUE(Complete(&first).ok());
}

TEST(InitTest, TheRecoveryCodeIsShownWhateverFails) {
  nlohmann::ordered_json done = {{"fingerprint", "ABCD"},
                                 {"recovery_code", "RRRR-SSSS"},
                                 {"outside", nlohmann::ordered_json::array()},
                                 {"problem", nullptr}};
  EXPECT_THAT(InitText(done), HasSubstr("RRRR-SSSS"));
  done["problem"] = "config:3: cluster.address";
  EXPECT_THAT(InitText(done), HasSubstr("RRRR-SSSS"));
  EXPECT_THAT(InitText(done), HasSubstr("config:3"));
  done["recovery_code"] = nullptr;
  EXPECT_THAT(InitText(done), Not(HasSubstr("recovery code")));
}

}  // namespace
}  // namespace qure
