#include "control/operator/status.h"

#include <gtest/gtest.h>

#include "control/base/version.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

TEST(StatusJson, ShowsTheNode) {
  json status = StatusJson(SampleNode());
  EXPECT_EQ(status.at("version"), Version());
  EXPECT_EQ(status.at("revision"), Revision());
  for (const char* key : {"version", "revision"}) status.erase(key);
  EXPECT_EQ(status, json::parse(R"({
    "verdict": {"state": "not_serving", "reasons": ["2001:db8:2::50 is held by 52:54:00:00:00:09"]},
    "name": "n1", "node_id": "abcd0000000000000000000000000000", "age": 3,
    "role": "master", "phase": null, "term": null, "uptime_seconds": 61.5, "gate": "open", "snapshot_revision": 7,
    "node_mac": "a6:01:02:03:04:00", "maintenance": false, "ineligible": false, "link": "up", "without_gateway": false,
    "clock": "ok", "clocks_differ": false, "address_conflicts": [], "namesakes": [], "store": "ok", "clustered": false,
    "open": false, "master": null, "deputy": null, "era": 0, "cluster_uptime_seconds": 0.0, "nodes_present": 0,
    "multicast": true, "lease": {"seconds": 0.0, "longest_gap_seconds": 0.0, "round_trip_seconds": 0.0,
              "clock_ratio": null},
    "takeovers": {"first": 0, "silence": 0, "elected": 0, "handover": 0, "lapse": 0, "rejoin": 0},
    "last_takeover": null, "strangers": [],
    "last_reload": {"time": "2023-11-14T22:14:10Z", "success": true, "error": null},
    "addresses": [
      {"address": "198.51.100.50", "state": "held", "mac": "a2:00:00:00:00:01", "holder": null,
       "contested_by": null, "verified": true, "alarm": false,
       "conflicts": 2, "defenses": 1, "verify_failures": 4},
      {"address": "2001:db8:2::50", "state": "taken", "mac": "a2:00:00:00:00:01", "holder": "52:54:00:00:00:09",
       "contested_by": null, "verified": false, "alarm": false,
       "conflicts": 2, "defenses": 1, "verify_failures": 4}]})"));
}

TEST(StatusJson, ShowsTheCluster) {
  NodeStatus node = SampleMaster();
  node.store_alarm = "disk full";
  const json status = StatusJson(node);
  EXPECT_EQ(status.at("phase"), "leased");
  EXPECT_EQ(status.at("term").at("epoch"), 17);
  EXPECT_EQ(status.at("deputy").at("name"), "n2");
  EXPECT_EQ(status.at("nodes_present"), 2);
  EXPECT_EQ(status.at("lease").at("seconds"), 0.015);
  EXPECT_EQ(status.at("takeovers").at("silence"), 2);
  EXPECT_EQ(status.at("last_takeover").at("took_seconds"), 0.012345);
  EXPECT_EQ(status.at("store"), "disk full");
}

TEST(StatusJson, ShowsARefusedReloadAndAShutGate) {
  NodeStatus node = SampleNode();
  node.gate_open = false;
  node.last_reload.error = "n1.toml:3: node.nmae: unknown key";
  const json status = StatusJson(node);
  EXPECT_EQ(status.at("gate"), "shut");
  EXPECT_EQ(status.at("last_reload").at("success"), false);
  EXPECT_EQ(status.at("last_reload").at("error"), "n1.toml:3: node.nmae: unknown key");
}

TEST(CountersJson, SumsOverWorkersAndKeepsPortsApart) {
  WorkerCounters first;
  WorkerCounters second;
  const auto index = static_cast<size_t>(Reason::arp_reply);
  first.lan_reasons[index].Add(3);
  second.lan_reasons[index].Add(4);
  second.host_reasons[index].Add(1);
  first.sleep_ns.Add(1'500'000'000);
  second.stalls.Add(2);
  const ordered_json counters = CountersJson({&first, &second}, 17);
  ASSERT_EQ(counters.at("reasons").size(), kReasonCount);
  const ordered_json& reason = counters.at("reasons").at(index);
  EXPECT_EQ(reason.at("reason"), "arp_reply");
  EXPECT_EQ(reason.at("verdict"), NameOf(Verdict::kAnswer));
  EXPECT_EQ(reason.at("lan"), 7);
  EXPECT_EQ(reason.at("host"), 1);
  EXPECT_EQ(counters.at("workers").at(0).at("sleep_seconds"), 1.5);
  EXPECT_EQ(counters.at("workers").at(1).at("stalls"), 2);
  EXPECT_EQ(counters.at("mbufs_in_use"), 17);
}

TEST(PortsJson, GivesEachPortItsTraffic) {
  WorkerCounters worker;
  worker.lan.rx_frames.Add(5);
  worker.host.tx_bytes.Add(600);
  PortStatus lan;
  lan.name = "lan";
  lan.driver = "net_af_packet";
  lan.mtu = 1500;
  lan.link_up = true;
  PortStatus host;
  host.name = "host";
  const ordered_json ports = PortsJson({lan, host}, {&worker}).at("ports");
  EXPECT_EQ(ports.at(0).at("driver"), "net_af_packet");
  EXPECT_EQ(ports.at(0).at("link"), "up");
  EXPECT_EQ(ports.at(0).at("rx_frames"), 5);
  EXPECT_EQ(ports.at(0).at("tx_bytes"), 0);
  EXPECT_EQ(ports.at(1).at("link"), "down");
  EXPECT_EQ(ports.at(1).at("rx_frames"), 0);
  EXPECT_EQ(ports.at(1).at("tx_bytes"), 600);
}

}  // namespace
}  // namespace qure
