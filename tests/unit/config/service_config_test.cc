// The keys of [[cluster.service]] that are right; what is wrong is in config_error_test.cc.
#include "control/config/service_config.h"

#include <gtest/gtest.h>

#include "control/config/config_file.h"

namespace qure {
namespace {

constexpr char kHead[] =
    "[node]\nname = \"n1\"\n[node.lan]\nport = \"af_packet:eth0\"\n"
    "[[cluster.address]]\naddress = \"198.51.100.50/24\"\n[[cluster.address]]\naddress = \"198.51.100.51/24\"\n";

std::vector<ServiceConfig> Services(const std::string& text) {
  const absl::StatusOr<Config> config = ParseConfig(kHead + text, "test.toml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->cluster.services : std::vector<ServiceConfig>{};
}

}  // namespace

TEST(ServiceConfig, DefaultsAreTheSimplestService) {
  const auto services = Services("[[cluster.service]]\nname = \"web\"\nprotocol = \"tcp\"\nports = \"80-81\"\n");
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0], (ServiceConfig{.name = "web", .protocol = 6, .first_port = 80, .last_port = 81}));
}

TEST(ServiceConfig, AllKeys) {
  const auto services = Services(R"([[cluster.service]]
name = "web"
protocol = "tcp"
ports = "80"
address = "198.51.100.51"
affinity = "address"
return = "master"
delivery = "multicast"
weights = { n1 = 2, n2 = 0 }
check = { type = "http", port = 8080, path = "/up", status = 204, interval = "2s", timeout = "1s", rise = 3, fall = 4 }
)");
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0].address, ParseIp("198.51.100.51"));
  EXPECT_EQ(services[0].affinity, Affinity::kAddress);
  EXPECT_EQ(services[0].return_path, ReturnPath::kMaster);
  EXPECT_EQ(services[0].delivery, ServiceDelivery::kMulticast);
  EXPECT_EQ(services[0].weights, (std::map<std::string, uint32_t>{{"n1", 2}, {"n2", 0}}));
  EXPECT_EQ(services[0].check, (HealthCheck{.kind = HealthCheck::Kind::kHttp,
                                            .port = 8080,
                                            .path = "/up",
                                            .status = 204,
                                            .interval = Seconds(2),
                                            .timeout = Seconds(1),
                                            .rise = 3,
                                            .fall = 4}));
}

TEST(ServiceConfig, DrainDeadline) {
  const auto deadline = [](const std::string& text) {
    const absl::StatusOr<Config> config = ParseConfig(kHead + text, "test.toml");
    EXPECT_TRUE(config.ok()) << config.status();
    return config->cluster.drain_deadline;
  };
  EXPECT_EQ(deadline(""), std::nullopt);
  EXPECT_EQ(deadline("[cluster.balance]\ndrain_deadline = \"90s\"\n"), Seconds(90));
}

TEST(ServiceConfig, OnePortAtTwoAddresses) {
  const auto services = Services(
      "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\naddress = \"198.51.100.50\"\n"
      "[[cluster.service]]\nname = \"b\"\nprotocol = \"tcp\"\nports = \"80\"\naddress = \"198.51.100.51\"\n");
  EXPECT_EQ(services.size(), 2U);
}

// Where the node answers no names, somebody else's name server may be a service.
TEST(FieldB6, ANameServerOfAnotherMayBeAService) {
  const std::string service = "[[cluster.service]]\nname = \"names\"\nprotocol = \"udp\"\nports = \"53\"\n";
  EXPECT_EQ(Services(service).size(), 1U);
  const std::string zone =
      "[[cluster.zone]]\nname = \"a.example\"\nns = [\"ns.a.example\"]\n[[cluster.zone.record]]\nname = \"ns\"\n"
      "type = \"A\"\nvalue = \"198.51.100.50\"\n";
  EXPECT_FALSE(ParseConfig(kHead + zone + service, "test.toml").ok());
}

}  // namespace qure
