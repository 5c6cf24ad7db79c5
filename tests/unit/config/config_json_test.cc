#include "control/config/config_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/dns/zone_builder.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Config Sample() {
  Config config;
  config.node.name = "n1";
  config.node.lan_port = "af_packet:eth0";
  config.cluster.addresses = {{{*ParsePrefix("198.51.100.50/24"), *ParsePrefix("198.51.100.51/24")}}};
  return config;
}

TEST(ConfigJson, SpeaksTheLanguageOfTheFile) {
  Config config = Sample();
  config.node.lan_mode = LanMode::kShared;
  config.node.log_level = LogLevel::kWarning;
  config.cluster.gateways = {*ParseIp("198.51.100.1")};
  const ordered_json all = ConfigJson(config);
  EXPECT_EQ(all.at("node").at("log_level"), "warning");
  EXPECT_EQ(all.at("node").at("lan").at("mode"), "shared");
  const json cluster = all.at("cluster");
  EXPECT_EQ(cluster.at("gateway"), json::parse(R"(["198.51.100.1"])"));
  EXPECT_EQ(cluster.at("probe_interval"), "150ms");
  EXPECT_EQ(cluster.at("security"), "sealed");
  EXPECT_EQ(cluster.at("key"), nullptr);
  EXPECT_EQ(cluster.at("port"), 7873);
  EXPECT_EQ(cluster.at("preempt"), false);
  EXPECT_EQ(cluster.at("gateway_required"), false);
  EXPECT_TRUE(ParseIp(cluster.at("group").get<std::string>())->v4().is_multicast());
  EXPECT_EQ(cluster.at("address"),
            json::parse(R"([{"address": "198.51.100.50/24", "alternatives": ["198.51.100.51/24"]}])"));
  EXPECT_EQ(cluster.at("balance"),
            json::parse(R"({"table_size": 65537, "heavy_hitter": 250, "drain_deadline": null})"));
}

TEST(ConfigJson, ShowsServicesWithDefaults) {
  Config config = Sample();
  config.cluster.services = {{"web", 6, 80, 80}, {"media", 17, 8000, 8010}};
  const json services = ConfigJson(config).at("cluster").at("service");
  EXPECT_EQ(services[0], json::parse(R"({"name": "web", "protocol": "tcp", "ports": "80", "address": null,
    "affinity": "socket", "return": "direct", "delivery": "unicast", "mdns": null, "txt": [], "weights": {},
    "check": null})"));
  EXPECT_EQ(services[1].at("protocol"), "udp");
  EXPECT_EQ(services[1].at("ports"), "8000-8010");
}

TEST(ConfigJson, ShowsAllThatAServiceCanHave) {
  Config config = Sample();
  ServiceConfig web{.name = "web", .first_port = 80, .last_port = 80};
  web.address = ParseIp("198.51.100.50");
  web.affinity = Affinity::kAdaptive;
  web.return_path = ReturnPath::kMaster;
  web.delivery = ServiceDelivery::kMulticast;
  web.weights = {{"n1", 2}, {"n2", 0}};
  web.check.kind = HealthCheck::Kind::kHttp;
  config.cluster.services = {web, web};
  config.cluster.services[1].check = {.kind = HealthCheck::Kind::kTcp, .port = 8080, .interval = Seconds(2)};
  const json services = ConfigJson(config).at("cluster").at("service");
  EXPECT_EQ(services[0].at("address"), "198.51.100.50");
  EXPECT_EQ(services[0].at("affinity"), "adaptive");
  EXPECT_EQ(services[0].at("return"), "master");
  EXPECT_EQ(services[0].at("delivery"), "multicast");
  EXPECT_EQ(services[0].at("weights"), json::parse(R"({"n1": 2, "n2": 0})"));
  EXPECT_EQ(services[0].at("check"), json::parse(R"({"type": "http", "port": 80, "path": "/", "status": 200,
    "interval": "1s", "timeout": "500ms", "rise": 2, "fall": 2, "reach": true})"));
  EXPECT_EQ(services[1].at("check"), json::parse(R"({"type": "tcp", "port": 8080, "interval": "2s", "timeout": "500ms",
    "rise": 2, "fall": 2, "reach": true})"));
}

TEST(ConfigJson, ShowsAZoneAsItIsWritten) {
  Config config = Sample();
  const std::string apex = *DnsNameToWire("home.example");
  DnsZoneBuilder zone(apex, 0);
  zone.Add({apex, kDnsTypeSoa, 60, apex + apex + std::string("\0\0\0\7", 4) + std::string(16, '\1')});
  zone.Add({apex, kDnsTypeNs, 60, apex});
  const auto built = std::make_shared<const DnsZone>(zone.Build());
  config.cluster.zones = {{.file = "/etc/qure/home.zone", .zone = built}, {.file = {}, .zone = built}};
  config.cluster.zones[1].soa = ZoneSoa{.primary = "ns.home.example.", .contact = "me.home.example.", .serial = 7};
  config.cluster.zones[1].soa->ns = {"ns.home.example."};
  config.cluster.zones[1].records = std::make_shared<const std::vector<ZoneRecord>>(
      std::vector<ZoneRecord>{{.name = "www", .type = "A", .value = "198.51.100.50", .ttl = 60},
                              {.name = "@", .type = "ALIAS", .value = "b.example", .ttl = 5, .rotate = true}});
  EXPECT_EQ(json(ConfigJson(config).at("cluster").at("zone")), json::parse(R"([
    {"name": "home.example.", "file": "/etc/qure/home.zone", "ttl": 60, "serial": 7, "record": []},
    {"name": "home.example.", "file": null, "ttl": 60, "serial": 7, "ns": ["ns.home.example."],
     "primary": "ns.home.example.", "contact": "me.home.example.", "refresh": 3600, "retry": 600, "expire": 86400,
     "minimum": 60, "record": [
       {"name": "www", "type": "A", "value": "198.51.100.50", "ttl": 60},
       {"name": "@", "type": "ALIAS", "value": "b.example", "ttl": 5, "order": "rotated"}]}])"));
}

TEST(ConfigJson, ShowsNoKey) {
  Config config = Sample();
  config.cluster.network.key.emplace().fill(0xa7);
  const ordered_json all = ConfigJson(config);
  EXPECT_TRUE(all.at("cluster").at("key").is_string());
  EXPECT_EQ(all.dump().find("a7a7"), std::string::npos);
}

}  // namespace
}  // namespace qure
