"""delivery = "multicast": the gateway's packets come to all nodes, and each takes its share."""

import json
import re
from typing import Any

from balance_support import BalanceTest
from qure_dev.lab import cluster, netns, topology
from qure_dev.lab.capture import Sources
from support import GATEWAY_V4, QUICK, SERVICE_V4, SERVICE_V6, until


class Multicast(BalanceTest):
    def setUp(self) -> None:
        super().setUp()
        self.master = cluster.master(self.before)
        self.mac = next(
            entry["mac"]
            for entry in json.loads(self.control(self.master, "--json", "status"))["addresses"]
            if entry["address"] == SERVICE_V4
        )
        self.with_service_keys('delivery = "multicast"\n')
        self.balanced(*self.names)
        self.ask(SERVICE_V4)

    def neighbor(self, address: str) -> str:
        """The MAC in the gateway's cache."""
        found = re.search(r"lladdr (\S+)", self.gw("ip", "neigh", "show", address))
        return found[1] if found else ""

    def ask(self, address: str) -> None:
        """Reaches the address, which the gateway then has at a group MAC."""
        self.gw("ping", "-c", "1", "-W", "2", address)
        until(lambda: self.is_group(self.neighbor(address)), 10, lambda: f"a group MAC: {self.neighbor(address)}")

    @staticmethod
    def is_group(mac: str) -> bool:
        return mac != "" and int(mac[:2], 16) & 1 == 1

    def count(self, name: str, reason: str) -> int:
        rows = json.loads(self.control(name, "--json", "counters"))["reasons"]
        return sum(row["lan"] for row in rows if row["reason"] == reason)

    def test_connections_spread_and_the_master_carries_none(self) -> None:
        count = 600 if QUICK else 10_000
        for host in (SERVICE_V4, SERVICE_V6):
            self.ask(host)
            carried = self.count(self.master, "forward_new")
            seen = self.connections("--count", count, "--host", host)
            self.assertEqual((seen["failed"], set(seen["nodes"])), (0, set(self.names)), seen)
            self.assertGreater(min(seen["nodes"].values()), count / 4, seen)
            self.assertEqual(self.count(self.master, "forward_new"), carried)
        self.assertGreater(self.count(self.master, "other_owner"), count)

    def test_the_group_is_never_a_source(self) -> None:
        group = self.neighbor(SERVICE_V4)
        with Sources(self.names, [group, self.mac]) as wire:
            self.gw("ping", "-c", "3", "-i", "0.2", SERVICE_V4)
            self.connections("--count", 20)
            sources = {frame.raw[6:12].hex(":") for frame in wire.take()}
        self.assertEqual(sources, {self.mac})

    def test_explain_says_what_the_wire_then_does(self) -> None:
        first, count = 25000, 20
        said = {}
        for port in range(first, first + count):
            steps = [self.explain(name, port) for name in self.names]
            self.assertEqual((steps[1], steps[2]), (steps[0], steps[0]))
            said[port] = steps[0]["frame"]["node"]
        seen = self.connections("--count", count, "--first-port", first)
        self.assertEqual((seen["failed"], {int(port): node for port, node in seen["ports"].items()}), (0, said))

    def explain(self, name: str, port: int) -> Any:
        return json.loads(self.control(name, "--json", "explain", f"{GATEWAY_V4}:{port}", f"{SERVICE_V4}:80", "tcp"))

    def test_downloads_outlast_drains_weights_and_a_killed_master(self) -> None:
        others = self.others(self.master)
        self.addCleanup(self.control, others[1], "weight", others[1], "web", "default")
        self.addCleanup(self.control, others[0], "undrain", others[0])
        with self.downloads(seconds=16) as result:
            self.control(self.master, "drain", others[0])
            self.balanced(*self.others(others[0]))
            self.control(self.master, "weight", others[1], "web", "5")
            self.control(self.master, "undrain", others[0])
            self.balanced(*self.names)
            self.lab.node(self.master).kill()
            self.balanced(*others)
        self.assert_broken_only_on(result, self.master)
        self.assertEqual(set(result), set(self.names))
        self.assertEqual(self.connections("--count", 30)["failed"], 0)

    def test_a_node_that_group_frames_do_not_reach_is_served_by_the_master(self) -> None:
        deaf = self.others(self.master)[0]
        group = self.neighbor(SERVICE_V4)
        rule = f"oifname {topology.switch_port(deaf)} ether daddr {group} drop"
        netns.nft(
            topology.switch(),
            f"table bridge deaf {{\nchain forward {{\ntype filter hook forward priority 0;\n{rule}\n}}\n}}",
        )
        self.addCleanup(netns.nft, topology.switch(), "delete table bridge deaf")
        seen = self.connections("--count", 30)
        self.assertEqual((seen["failed"], set(seen["nodes"])), (0, set(self.names)), seen)
        self.assertGreater(self.count(self.master, "forward_unanswered"), 0)
