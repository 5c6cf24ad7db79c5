#include "control/config/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "control/config/config_keys.h"
#include "control/core/config.h"

namespace qure {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

IpPrefix Prefix(std::string_view text) {
  return ParsePrefix(text).value();
}
// The least that is a configuration; `more` follows in [[cluster.zone]] or wherever it opens a section.
std::string Minimal(std::string_view more = "") {
  return R"(
[node]
name = "n1"
[node.lan]
port = "af_packet:eth0"
[[cluster.address]]
address = "198.51.100.50/24"
)" + std::string(more);
}

Config Parsed(const std::string& text) {
  absl::StatusOr<Config> config = ParseConfig(text, "test.toml");
  if (!config.ok()) ADD_FAILURE() << config.status().message();
  return config.value_or(Config{});
}

TEST(ConfigFileTest, ReadsTheNodeOfTheExample) {
  const absl::StatusOr<Config> config = LoadConfig(EXAMPLE_CONFIG);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const NodeConfig& node = config->node;
  EXPECT_EQ(node.name, "n1");
  EXPECT_EQ(node.data_directory, "/var/lib/qure");
  EXPECT_EQ(node.control_socket, "/run/qure/qured.sock");
  EXPECT_EQ(node.metrics, "127.0.0.1:9464");
  EXPECT_EQ(node.log_level, LogLevel::kInfo);
  EXPECT_THAT(node.addresses, ElementsAre(Prefix("198.51.100.11/24"), Prefix("2001:db8:2::11/64")));
  EXPECT_EQ(node.lan_port, "af_packet:eth0");
  EXPECT_EQ(node.lan_mode, LanMode::kDedicated);
  EXPECT_EQ(node.vlan, 0);
  EXPECT_EQ(node.host_interface, "qure0");
  EXPECT_EQ(node.workers, 1u);
  EXPECT_THAT(node.cores, IsEmpty());
  EXPECT_FALSE(node.huge_pages);
  EXPECT_EQ(node.memory_mib, 128u);
  EXPECT_EQ(node.file_prefix, "qure-n1");
}

// What a reader copies from the README must start.
TEST(ConfigFileTest, ReadsTheConfigurationOfTheReadme) {
  std::ifstream file(README);
  const std::string readme{std::istreambuf_iterator<char>(file), {}};
  const std::string fence = "```toml\n";
  const size_t begin = readme.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const size_t end = readme.find("```", begin + fence.size());
  ASSERT_NE(end, std::string::npos);
  const absl::StatusOr<Config> config =
      ParseConfig(readme.substr(begin + fence.size(), end - begin - fence.size()), "README");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->node.lan_port, "af_packet:lan0");
}

TEST(ConfigFileTest, ReadsTheClusterOfTheExample) {
  const absl::StatusOr<Config> config = LoadConfig(EXAMPLE_CONFIG);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const ClusterConfig& cluster = config->cluster;
  EXPECT_EQ(cluster.name, "home");
  EXPECT_THAT(cluster.gateways, ElementsAre(ParseIp("198.51.100.1").value(), ParseIp("2001:db8:2::1").value()));
  EXPECT_EQ(cluster.service_mac, ServiceMac::kDerived);
  EXPECT_EQ(cluster.default_policy, DefaultPolicy::kLocal);
  EXPECT_EQ(cluster.probe_interval, Milliseconds(150));
  EXPECT_THAT(cluster.addresses,
              ElementsAre(AddressConfig{{Prefix("198.51.100.50/24")}}, AddressConfig{{Prefix("2001:db8:2::50/64")}}));
  EXPECT_THAT(cluster.services, ElementsAre(ServiceConfig{"web", 6, 80, 80}));
}

TEST(ConfigFileTest, GivesDefaultsToWhatIsLeftOut) {
  const Config config = Parsed(Minimal());
  NodeConfig node;
  node.name = "n1";
  node.lan_port = "af_packet:eth0";
  node.file_prefix = "qure-n1";
  EXPECT_EQ(config.node, node);
  EXPECT_EQ(config.cluster.name, "qure");
  EXPECT_THAT(config.cluster.gateways, IsEmpty());
  EXPECT_THAT(config.cluster.services, IsEmpty());
  EXPECT_THAT(config.cluster.zones, IsEmpty());
  EXPECT_EQ(config.cluster.probe_interval, Milliseconds(150));
}

TEST(ConfigFileTest, NamesTheNodeAfterItsHost) {
  char host[256] = {};
  ASSERT_EQ(gethostname(host, sizeof(host) - 1), 0);
  const Config config = Parsed("[node.lan]\nport = \"tap:lan0\"\n[[cluster.address]]\naddress = \"2001:db8::1/64\"\n");
  EXPECT_EQ(config.node.name, host);
  EXPECT_EQ(config.node.file_prefix, "qure-" + std::string(host));
}

TEST(ConfigFileTest, ReadsValuesOtherThanTheDefaults) {
  const Config config = Parsed(R"(
[node]
name = "n2"
metrics = "192.0.2.1:9000"
log_level = "warning"
[node.lan]
port = "af_packet:eth1"
mode = "shared"
vlan = 4094
host_interface = "service0"
[node.dpdk]
workers = 2
cores = [0, 0]
huge_pages = true
memory_mib = 256
file_prefix = "second"
[cluster]
gateway = ["fe80::1"]
default = "drop"
probe_interval = "2s"
[[cluster.address]]
address = "2001:db8::50/64"
alternatives = ["2001:db8::51/64", "2001:db8::52/64"]
[[cluster.service]]
name = "games"
protocol = "udp"
ports = "8000-8010"
)");
  EXPECT_EQ(config.node.metrics, "192.0.2.1:9000");
  EXPECT_EQ(config.node.log_level, LogLevel::kWarning);
  EXPECT_EQ(config.node.lan_mode, LanMode::kShared);
  EXPECT_EQ(config.node.vlan, 4094);
  EXPECT_EQ(config.node.host_interface, "service0");
  EXPECT_THAT(config.node.cores, ElementsAre(0u, 0u));
  EXPECT_TRUE(config.node.huge_pages);
  EXPECT_EQ(config.node.memory_mib, 256u);
  EXPECT_EQ(config.node.file_prefix, "second");
  EXPECT_THAT(config.cluster.gateways, ElementsAre(ParseIp("fe80::1").value()));
  EXPECT_EQ(config.cluster.default_policy, DefaultPolicy::kDrop);
  EXPECT_EQ(config.cluster.probe_interval, Seconds(2));
  EXPECT_THAT(
      config.cluster.addresses,
      ElementsAre(AddressConfig{{Prefix("2001:db8::50/64"), Prefix("2001:db8::51/64"), Prefix("2001:db8::52/64")}}));
  EXPECT_THAT(config.cluster.services, ElementsAre(ServiceConfig{"games", 17, 8000, 8010}));
}

TEST(ConfigFileTest, ReadsHowNodesFindEachOther) {
  const std::string digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
  const Config config = Parsed(Minimal("[cluster]\nkey = \"" + digits +
                                       "\"\nsecurity = \"sealed\"\nport = 4000\ngroup = \"239.1.2.3\"\n"
                                       "preempt = true\ngateway_required = true\n"));
  const ClusterNetwork& network = config.cluster.network;
  EXPECT_EQ(network.security, Security::kSealed);
  ASSERT_TRUE(network.key.has_value());
  for (size_t i = 0; i < network.key->size(); ++i) EXPECT_EQ((*network.key)[i], i);
  EXPECT_EQ(network.port, 4000);
  EXPECT_EQ(network.group, ParseIp("239.1.2.3")->v4());
  EXPECT_TRUE(network.preempt);
  EXPECT_TRUE(network.gateway_required);
}

TEST(ConfigFileTest, ReadsTheRankOfANode) {
  const Config config = Parsed(
      "[node]\npriority = -7\nweight = 255\n[node.lan]\nport = \"tap:lan0\"\n"
      "[[cluster.address]]\naddress = \"2001:db8::1/64\"\n");
  EXPECT_EQ(config.node.priority, -7);
  EXPECT_EQ(config.node.weight, 255u);
}

TEST(ConfigFileTest, TakesInterfaceMacInDedicatedMode) {
  const Config config = Parsed(Minimal("[cluster]\nservice_mac = \"interface\"\n"));
  EXPECT_EQ(config.cluster.service_mac, ServiceMac::kInterface);
}

TEST(FieldD2, TheDigestOfAConfigurationIsThatOfItsClusterSections) {
  const std::string web = "[[cluster.service]]\nname = \"web\"\nprotocol = \"tcp\"\nports = \"80\"\n";
  const std::string mail = "[[cluster.service]]\nname = \"mail\"\nprotocol = \"tcp\"\nports = \"25\"\n";
  const uint64_t digest = Parsed(Minimal(web + mail)).cluster.digest;
  EXPECT_NE(digest, 0U);
  EXPECT_EQ(Parsed(Minimal(mail + web)).cluster.digest, digest) << "the order means nothing";
  std::string other = Minimal(web + mail);
  other.replace(other.find("\"n1\""), 4, "\"n2\"");
  EXPECT_EQ(Parsed(other).cluster.digest, digest) << "nodes have names of their own";
  const std::string key = "[cluster]\nkey = \"" + std::string(64, 'a') + "\"\n";
  EXPECT_EQ(Parsed(Minimal(key + web + mail)).cluster.digest, digest) << "a key need not be in every file";
  EXPECT_NE(Parsed(Minimal(web)).cluster.digest, digest);
  EXPECT_NE(Parsed(Minimal("[cluster]\ngateway = [\"198.51.100.1\"]\n" + web + mail)).cluster.digest, digest);
}

TEST(LoadConfigTest, NamesAFileThatIsMissing) {
  const absl::Status status = LoadConfig("/nonexistent/qure.toml").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), testing::StartsWith("/nonexistent/qure.toml: "));
}

TEST(LoadConfigTest, RefusesADirectory) {
  const absl::Status status = LoadConfig("/").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be read"));
}

class ConfigWarningsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "qure-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream(file()) << "not read";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file() const { return directory_ + "/qure.toml"; }
  std::vector<std::string> Warnings(mode_t mode, const Config& config) const {
    EXPECT_EQ(chmod(file().c_str(), mode), 0);
    return ConfigWarnings(file(), config);
  }
  static Config WithKey() {
    Config config;
    config.cluster.network.key.emplace().fill(7);
    return config;
  }

  std::string directory_;
};

TEST_F(ConfigWarningsTest, AKeyThatOthersCanReadIsAWarning) {
  EXPECT_THAT(Warnings(0644, WithKey()), ElementsAre(HasSubstr("chmod 600")));
  EXPECT_THAT(Warnings(0600, WithKey()), IsEmpty());
  EXPECT_THAT(Warnings(0644, Config{}), IsEmpty());
}

// The keys that the lines "KEY: …" of an error name.
std::vector<std::string> KeysRefused(const absl::Status& status) {
  std::vector<std::string> keys;
  std::istringstream lines{std::string(status.message())};
  for (std::string line; std::getline(lines, line);) keys.push_back(line.substr(0, line.find(": ")));
  return keys;
}

TEST(CheckReloadTest, AcceptsClusterAndLogLevel) {
  const Config current = Parsed(Minimal());
  Config next = current;
  next.cluster.name = "other";
  next.cluster.addresses.clear();
  next.cluster.network.preempt = true;
  next.node.log_level = LogLevel::kDebug;
  EXPECT_TRUE(CheckReload(current, next).ok());
}

TEST(CheckReloadTest, NamesEveryKeyThatCannotChange) {
  const Config current = Parsed(Minimal());
  Config next = current;
  next.node.name = "n2";
  next.node.data_directory = "/d";
  next.node.control_socket = "/s";
  next.node.metrics = "";
  next.node.priority = 1;
  next.node.weight = 2;
  next.node.addresses = {Prefix("198.51.100.11/24")};
  next.node.lan_port = "tap:lan0";
  next.node.lan_mode = LanMode::kShared;
  next.node.take_over = true;
  next.node.vlan = 7;
  next.node.host_interface = "other0";
  next.node.workers = 2;
  next.node.cores = {0, 1};
  next.node.huge_pages = true;
  next.node.memory_mib = 64;
  next.node.flows = 2048;
  next.node.file_prefix = "other";
  next.cluster.network.security = Security::kOpen;
  next.cluster.network.key.emplace();
  next.cluster.network.join.emplace();
  next.cluster.network.port = 4000;
  next.cluster.network.group = ParseIp("239.1.2.3")->v4();
  const absl::Status status = CheckReload(current, next);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  std::vector<std::string> fixed;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.same != nullptr) fixed.push_back(std::string(key.path));
  }
  EXPECT_EQ(KeysRefused(status), fixed);
}

TEST(CheckReloadTest, AcceptsTheKeyThatARotationHasBroughtInUse) {
  Config current = Parsed(Minimal());
  current.cluster.network.key.emplace().fill(1);
  Config next = current;
  next.cluster.network.key->fill(2);
  EXPECT_TRUE(CheckReload(current, next).ok());
}

TEST(CheckReloadTest, NamesOnlyWhatChanged) {
  const Config current = Parsed(Minimal());
  Config next = current;
  next.node.vlan = 7;
  const absl::Status status = CheckReload(current, next);
  EXPECT_THAT(KeysRefused(status), ElementsAre("node.lan.vlan"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("restart"));
}

}  // namespace
}  // namespace qure
