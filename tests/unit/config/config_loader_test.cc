#include "control/config/config_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kDeadlineMs = 10'000;

constexpr char kGood[] = R"([node]
name = "n7"
[node.lan]
port = "af_packet:eth0"
[[cluster.address]]
address = "198.51.100.50/24"
)";

std::vector<ConfigLoader::Result> Await(ConfigLoader* loader) {
  pollfd ready{loader->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, kDeadlineMs), 1);
  return loader->TakeResults();
}

TEST(ConfigLoaderTest, ReadsTheFileAsItIsThen) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/qure.toml";
  ConfigLoader loader(path);
  std::ofstream(path) << kGood;
  loader.Load(1);
  auto results = Await(&loader);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(results[0].tickets, ElementsAre(1));
  ASSERT_TRUE(results[0].config.ok()) << results[0].config.status();
  EXPECT_EQ(results[0].config->node.name, "n7");

  std::ofstream(path) << "nonsense";
  loader.Load(2);
  results = Await(&loader);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(std::string(results[0].config.status().message()), HasSubstr("qure.toml:1"));
}

TEST(ConfigLoaderTest, OneReadingAnswersAllWhoWait) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/qure.toml";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);  // opened for reading, it waits for somebody who writes
  ConfigLoader loader(path);
  loader.Load(1);
  std::ofstream first(path);  // the loader has it open
  loader.Load(2);
  loader.Load(3);
  first << kGood;
  first.close();
  auto results = Await(&loader);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(results[0].tickets, ElementsAre(1));
  std::ofstream(path) << kGood;
  results = Await(&loader);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(results[0].tickets, ElementsAre(2, 3));
  EXPECT_TRUE(results[0].config.ok());
}

}  // namespace
}  // namespace qure
