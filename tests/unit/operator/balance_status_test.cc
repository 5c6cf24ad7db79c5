#include "control/operator/balance_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/qurectl/balance_tables.h"
#include "proto/net/ip.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr NodeSlot kDeputySlot = 4;

TopRemote Remote(const char* address, uint32_t flows, uint32_t at_most, const std::vector<TopPart>& parts) {
  TopRemote remote{.remote = RemoteOf(*ParseIp(address)), .flows = flows, .at_most = at_most};
  std::ranges::copy(parts, remote.parts.begin());
  return remote;
}

TopPart Part(uint32_t flows, uint16_t port, NodeSlot owner) {
  return {
      .flows = flows, .local_port = port, .protocol = kProtocolTcp, .local_address = 1, .service = 9, .owner = owner};
}

TopRemotes Worker(uint32_t others, const std::vector<TopRemote>& remotes) {
  TopRemotes top;
  top.others = others;
  top.count = static_cast<uint32_t>(remotes.size());
  std::ranges::copy(remotes, top.remotes.begin());
  return top;
}

class TopJsonTest : public testing::Test {
 protected:
  TopJsonTest() {
    services_.Add({.name = "web", .first_port = 80, .last_port = 80});
    services_.Add({.name = "mail", .first_port = 25, .last_port = 25});
    status_ = SampleMaster().controller;
    status_.nodes[0].slot = kSelfSlot;
    status_.nodes[1].slot = kDeputySlot;
  }
  json Top(const std::vector<TopRemotes>& workers, size_t limit = kDefaultTop) const {
    return TopJson(status_, &services_, workers, limit);
  }

  ServiceMap services_;
  ControllerStatus status_;
};

TEST_F(TopJsonTest, ListsRemotesWithTheirParts) {
  const json top = Top({Worker(1, {Remote("192.0.2.7", 9, 11, {Part(3, 25, kSelfSlot), Part(6, 80, kDeputySlot)})})});
  EXPECT_EQ(top, json::parse(R"({"remotes": [{"remote": "192.0.2.7", "flows": 9, "at_most": 11, "parts": [
    {"service": "web", "node": "ab120000000000000000000000000000", "name": "n2", "flows": 6},
    {"service": "mail", "node": "abcd0000000000000000000000000000", "name": "n1", "flows": 3}]}],
    "others_at_most": 1})"));
}

TEST_F(TopJsonTest, AddsUpTheWorkers) {
  const TopRemotes first = Worker(
      2, {Remote("192.0.2.7", 9, 10, {Part(9, 80, kSelfSlot)}), Remote("2001:db8::1", 5, 5, {Part(5, 80, kSelfSlot)})});
  const TopRemotes second = Worker(3, {Remote("192.0.2.7", 4, 4, {Part(4, 80, kSelfSlot)})});
  const json top = Top({first, second});
  ASSERT_EQ(top.at("remotes").size(), 2u);
  EXPECT_EQ(top.at("remotes")[0].at("flows"), 13);
  EXPECT_EQ(top.at("remotes")[0].at("at_most"), 14);
  EXPECT_EQ(top.at("remotes")[0].at("parts").size(), 1u);
  EXPECT_EQ(top.at("remotes")[0].at("parts")[0].at("flows"), 13);
  EXPECT_EQ(top.at("remotes")[1].at("remote"), "2001:db8::1");
  EXPECT_EQ(top.at("remotes")[1].at("at_most"), 8) << "the second worker may have three that it does not list";
  EXPECT_EQ(top.at("others_at_most"), 5);
}

TEST_F(TopJsonTest, WhatTheLimitLeavesOutIsAmongTheOthers) {
  const json top = Top({Worker(1, {Remote("192.0.2.7", 9, 9, {Part(9, 80, kSelfSlot)}),
                                   Remote("192.0.2.8", 5, 6, {Part(5, 80, kSelfSlot)})})},
                       1);
  ASSERT_EQ(top.at("remotes").size(), 1u);
  EXPECT_EQ(top.at("others_at_most"), 6);
}

TEST_F(TopJsonTest, WhatIsUnknownIsNull) {
  const json part = Top({Worker(0, {Remote("192.0.2.7", 1, 1, {Part(1, 22, 77)})})}).at("remotes")[0].at("parts")[0];
  EXPECT_EQ(part, json::parse(R"({"service": null, "node": null, "name": null, "flows": 1})"));
}

TEST_F(TopJsonTest, AsText) {
  const json top = Top({Worker(1, {Remote("192.0.2.7", 9, 11, {Part(3, 22, 77), Part(6, 80, kDeputySlot)}),
                                   Remote("2001:db8::1", 5, 5, {Part(5, 80, kSelfSlot)})})});
  EXPECT_THAT(TopText(top), StartsWith("REMOTE       FLOWS  AT MOST  SERVICE  OWNER  OF THEM\n"
                                       "192.0.2.7        9       11  web      n2           6\n"
                                       "                             -        -            3\n"
                                       "2001:db8::1      5        5  web      n1           5\n"));
  EXPECT_THAT(TopText(top), HasSubstr("at most 1;"));
  EXPECT_THAT(TopText(Top({Worker(0, {})})), HasSubstr("no flows"));
}

class DrainStatusTest : public testing::Test {
 protected:
  DrainStatusTest() {
    status_ = SampleMaster().controller;
    status_.services = {{.name = "web"}};
    for (NodeSlot slot = 0; slot < status_.nodes.size(); ++slot) {
      status_.nodes[slot].slot = slot;
      status_.nodes[slot].draining = true;
    }
    status_.nodes[1].drain_left = Milliseconds(41'500);
    status_.nodes[2].drain_left = Duration{};
  }
  ControllerStatus status_;
};

TEST_F(DrainStatusTest, ServicesShowTheTimeUntilTheDeadline) {
  const json services = ServicesJson(status_);
  EXPECT_EQ(services.at("draining"), json::parse(R"([
    {"node": "abcd0000000000000000000000000000", "name": "n1", "drain_left_seconds": null},
    {"node": "ab120000000000000000000000000000", "name": "n2", "drain_left_seconds": 41.5},
    {"node": "77000000000000000000000000000000", "name": "n3", "drain_left_seconds": 0.0}])"));
  const std::string text = ServicesText(services);
  EXPECT_THAT(text, HasSubstr("\nn1: draining\n"));
  EXPECT_THAT(text, HasSubstr("\nn2: draining, "));
  EXPECT_THAT(text, HasSubstr(" 42s\n"));
  EXPECT_THAT(text, HasSubstr("\nn3: drained, "));
}

TEST_F(DrainStatusTest, SoDoFlows) {
  const json flows = FlowsJson(status_, {});
  EXPECT_EQ(flows.at("owners")[0].at("drain_left_seconds"), nullptr);
  EXPECT_EQ(flows.at("owners")[1].at("drain_left_seconds"), 41.5);
  EXPECT_THAT(FlowsText(flows), HasSubstr("n2         0  draining, "));
}

TEST(FieldD7, ServicesSayWhetherACheckWasMade) {
  const struct {
    CheckState check;
    bool healthy;
    const char* word;
    const char* text;
  } kCases[] = {{CheckState::kNone, true, "none", "web      healthy"},
                {CheckState::kUnchecked, false, "unchecked", "web      not yet checked"},
                {CheckState::kPasses, true, "healthy", "web      healthy"},
                {CheckState::kFails, false, "unhealthy", "web      unhealthy"}};
  for (const auto& test : kCases) {
    ControllerStatus status = SampleMaster().controller;
    status.services = {{.name = "web", .check = test.check}};
    const json services = ServicesJson(status);
    EXPECT_EQ(services.at("services")[0].at("healthy"), test.healthy) << test.word;
    EXPECT_EQ(services.at("services")[0].at("check"), test.word);
    EXPECT_THAT(ServicesText(services), HasSubstr(test.text));
  }
}

}  // namespace
}  // namespace qure
