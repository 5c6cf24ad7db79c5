#include "dataplane/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qure {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

DataplaneOptions Options() {
  DataplaneOptions options;
  options.lan = {PortKind::kAfPacket, "eth0"};
  options.file_prefix = "qure-n1";
  options.memory_mib = 256;
  options.huge_pages = false;
  return options;
}

TEST(EnvironmentTest, WorkersFloatOverAllCpus) {
  DataplaneOptions options = Options();
  options.workers = 2;
  const auto arguments = EnvironmentArguments(options, {0, 1, 5});
  ASSERT_TRUE(arguments.ok());
  EXPECT_THAT(*arguments, IsSupersetOf({"--file-prefix=qure-n1", "--lcores=0@(0,1,5),1@(0,1,5),2@(0,1,5)",
                                        "--main-lcore=0", "256", "--no-huge", "--no-pci"}));
}

TEST(EnvironmentTest, CoresPinTheWorkersAndNotTheControlThread) {
  DataplaneOptions options = Options();
  options.workers = 2;
  options.cores = {2, 3};
  const auto arguments = EnvironmentArguments(options, {0, 1, 2, 3});
  ASSERT_TRUE(arguments.ok());
  EXPECT_THAT(*arguments, Contains("--lcores=0@(0,1,2,3),1@2,2@3"));
}

TEST(EnvironmentTest, OnlyAPciPortTouchesThePciBus) {
  DataplaneOptions options = Options();
  options.lan = {PortKind::kPci, "0000:01:00.0"};
  const auto arguments = EnvironmentArguments(options, {0});
  ASSERT_TRUE(arguments.ok());
  EXPECT_THAT(*arguments, IsSupersetOf({"-a", "0000:01:00.0"}));
  EXPECT_THAT(*arguments, Not(Contains("--no-pci")));
}

TEST(EnvironmentTest, HugePagesDoNotOutliveTheProcess) {
  DataplaneOptions options = Options();
  options.huge_pages = true;
  const auto arguments = EnvironmentArguments(options, {0});
  ASSERT_TRUE(arguments.ok());
  EXPECT_THAT(*arguments, Contains("--huge-unlink=always"));
  EXPECT_THAT(*arguments, Not(Contains("--no-huge")));
}

TEST(EnvironmentTest, RefusesWorkersAndCoresThatDoNotFit) {
  const struct {
    unsigned workers;
    std::vector<unsigned> cores;
    const char* message;
  } kCases[] = {
      {0, {}, "workers = 0 must be in 1 to 64"},
      {65, {}, "workers = 65 must be in 1 to 64"},
      {2, {1}, "cores has 1 entries for 2 workers"},
      {1, {7}, "CPU 7 is not among those of this process (0, 1)"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.message);
    DataplaneOptions options = Options();
    options.workers = c.workers;
    options.cores = c.cores;
    const auto arguments = EnvironmentArguments(options, {0, 1});
    ASSERT_FALSE(arguments.ok());
    EXPECT_THAT(std::string(arguments.status().message()), HasSubstr(c.message));
  }
}

TEST(EnvironmentTest, WaitsForAPredecessorToGo) {
  int asked = 0;
  EXPECT_TRUE(AwaitPredecessor([&asked] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace qure
