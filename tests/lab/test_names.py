"""Names that follow the cluster, and DNS beside the packet path."""

import re
import socket
import struct
import tempfile
from pathlib import Path

from cluster_support import ClusterTest
from qure_dev import dns_message
from qure_dev.lab import cluster, netns, topology
from qure_dev.paths import ROOT
from support import GATEWAY_V4, GATEWAY_V6, SERVICE_V4, SERVICE_V6, Request, add_host, remove_host, until

ZONE = """
[[cluster.zone]]
name = "live.test"
ns = ["live.test"]
ttl = 30

[[cluster.zone.record]]
name = "@"
type = "CLUSTER"
value = "service"

[[cluster.zone.record]]
name = "me"
type = "CLUSTER"
value = "node"

[[cluster.zone.record]]
name = "web"
type = "CLUSTER"
value = "healthy web"

[[cluster.zone.record]]
name = "public"
type = "CLUSTER"
value = "public"
"""
# The tests ask from the gateway, which is no host of the LAN unless it is named.
GATEWAY = f'\n[cluster.resolver]\nclients = ["{GATEWAY_V4}/32", "{GATEWAY_V6}/128"]\n'
FOREIGN = "203.0.113.77"  # of no network of the LAN
LONG = "".join(f'\n[[cluster.zone.record]]\nname = "long"\ntype = "TXT"\nvalue = "{i:0200}"\n' for i in range(20))


def node_v4(name: str) -> str:
    return topology.node_addresses(int(name.removeprefix("n")))[0].partition("/")[0]


class Names(ClusterTest):
    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-names-")
        cls.addClassCleanup(directory.cleanup)
        config = Path(directory.name) / "qure.toml"
        config.write_text((ROOT / "docs/example.toml").read_text() + GATEWAY + ZONE + LONG)
        cls.request = Request(nodes=3, config=str(config))
        super().setUpClass()

    def short(self, *arguments: str, server: str = SERVICE_V4) -> list[str]:
        return sorted(self.dig("+short", *arguments, server=server).split("\n")[:-1])

    def wait_short(self, expected: list[str], *arguments: str) -> None:
        until(lambda: self.short(*arguments) == sorted(expected), 10, lambda: f"{arguments}: {self.short(*arguments)}")

    def test_service_addresses(self) -> None:
        self.wait_short([SERVICE_V4], "live.test", "A")
        self.wait_short([SERVICE_V6], "live.test", "AAAA")

    def test_a_name_for_the_node_that_answers(self) -> None:
        master = cluster.master(self.before)
        self.wait_short([node_v4(master)], "me.live.test")
        self.control(master, "handover")
        successor = cluster.master(self.whole())
        self.assertNotEqual(successor, master)
        self.wait_short([node_v4(successor)], "me.live.test")

    def test_healthy_nodes_in_turn(self) -> None:
        everyone = [node_v4(name) for name in self.names]
        self.wait_short(everyone, "web.live.test")
        first: set[str] = set()

        def all_were_first() -> bool:
            first.add(self.dig("+short", "web.live.test").split()[0])
            return first == set(everyone)

        until(all_were_first, 20, "turns")
        drained = self.others(cluster.master(self.before))[0]
        self.control(drained, "drain")
        self.addCleanup(self.control, drained, "undrain")
        self.wait_short([node_v4(name) for name in self.others(drained)], "web.live.test")

    def test_what_is_not_known_fails(self) -> None:
        self.assertIn("status: SERVFAIL", self.dig("public.live.test"))

    def wait_role(self, name: str, role: str) -> None:
        until(lambda: f'"role={role}"' in self.dig("+short", f"{name}.localcluster", "TXT"), 10, role)

    def test_cluster_names(self) -> None:
        self.wait_short([SERVICE_V4], "home.localcluster", "A")
        self.wait_short([SERVICE_V6], "home.localcluster", "AAAA")
        master = cluster.master(self.before)
        era = self.before[master]["era"]
        self.assertRegex(self.dig("+short", "home.localcluster", "TXT"), rf'"era={era}" "uptime=\d+" "master={master}"')
        for name in self.names:
            self.wait_short([node_v4(name)], f"{name}.localcluster")
            self.wait_role(name, self.before[name]["role"])
            self.assertEqual(self.dig("+short", "-x", node_v4(name)), f"{name}.localcluster.\n")
        for address in (SERVICE_V4, SERVICE_V6):
            self.assertEqual(self.dig("+short", "-x", address), "home.localcluster.\n")

    def test_services_are_found(self) -> None:
        answer = self.dig("_web._tcp.localcluster", "SRV")
        self.assertIn("SRV\t0 0 80 web.service.localcluster.", answer)
        additional = answer.partition("ADDITIONAL SECTION:")[2]
        self.assertIn(f"A\t{SERVICE_V4}", additional)
        self.assertIn(f"AAAA\t{SERVICE_V6}", additional)
        self.wait_short([node_v4(name) for name in self.names], "nodes.web.service.localcluster")

    def test_a_dead_node_is_reported(self) -> None:
        victim = self.others(cluster.master(self.before))[0]
        self.lab.node(victim).kill()
        self.wait_short([], f"{victim}.localcluster", "A")
        self.assertIn('"role=down"', self.dig("+short", f"{victim}.localcluster", "TXT"))

    def test_the_address_of_who_asks(self) -> None:
        self.wait_short([GATEWAY_V4], "address.localcluster", "A")
        until(
            lambda: self.short("address.localcluster", "AAAA", server=SERVICE_V6) == [GATEWAY_V6],
            10,
            lambda: self.dig("address.localcluster", "AAAA", server=SERVICE_V6),
        )
        self.assertEqual(self.short("address.localcluster", "AAAA"), [])

    def test_field_e15_the_clusters_own_names_are_for_the_lan(self) -> None:
        add_host("h1", "lan0", "198.51.100.77/24", f"{FOREIGN}/32")
        self.addCleanup(remove_host, "h1")

        def ask(source: str, *options: str) -> str:
            argv = ["dig", "-b", source, f"@{SERVICE_V4}", "+tries=1", "+time=2", *options, "n1.localcluster"]
            return self.lab.execute("h1", *argv).stdout

        self.assertIn("status: NOERROR", ask("198.51.100.77"))
        self.assertIn("status: NOERROR", ask("198.51.100.77", "+tcp"))
        self.assertIn("status: REFUSED", ask(FOREIGN))

    def test_long_answers_over_tcp(self) -> None:
        for server in (SERVICE_V4, SERVICE_V6):
            cut = self.dig("+ignore", "long.live.test", "TXT", server=server)
            self.assertIn("flags: qr aa tc", cut)
            whole = self.dig("long.live.test", "TXT", server=server)  # dig asks again over TCP
            self.assertIn("ANSWER: 20", whole)
            self.assertIn("(TCP)", whole)
            self.assertIn("status: NXDOMAIN", self.dig("+tcp", "nowhere.live.test", server=server))
            cookie = self.dig("+tcp", "+cookie=0102030405060708", "live.test", server=server)
            self.assertIn("COOKIE: 0102030405060708", cookie)

    def test_many_queries_on_one_connection(self) -> None:
        names = ["live.test", "me.live.test", "nowhere.live.test"] * 30
        with netns.open_socket(topology.gateway(), socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.settimeout(10)
            stream.connect((SERVICE_V4, 53))
            queries = [dns_message.query(f"{name}.", "A", i + 1) for i, name in enumerate(names)]
            stream.sendall(b"".join(struct.pack("!H", len(query)) + query for query in queries))
            stream.shutdown(socket.SHUT_WR)
            heard = b"".join(iter(lambda: stream.recv(65536), b""))
        answered = set()
        while heard:
            (length,) = struct.unpack_from("!H", heard)
            answered.add(struct.unpack_from("!H", heard, 2)[0])
            heard = heard[2 + length :]
        self.assertEqual(answered, set(range(1, len(names) + 1)))

    def test_what_an_operator_sees(self) -> None:
        master = cluster.master(self.before)
        zones = self.control(master, "dns", "zones")
        for apex in ("live.test.", "home.example.", "localcluster."):
            self.assertRegex(zones, rf"(?m)^{re.escape(apex)} ")
        self.assertRegex(self.control(master, "dns", "lookup", "live.test"), rf"IN\s+A\s+{re.escape(SERVICE_V4)}")
        self.assertIn("FOO", self.control(master, "dns", "lookup", "live.test", "FOO", status=1))
        self.control(master, "dns", "reload")
