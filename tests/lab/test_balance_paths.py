"""Ways to a balanced service that are not plain: small MTUs, fragments, floods."""

import contextlib
import functools
import hashlib
import json
import re
import socket
import struct
import subprocess
from pathlib import Path

from balance_support import BalanceTest
from qure_dev import frames
from qure_dev.lab import cluster, netns, topology
from qure_dev.lab.web import pattern
from support import QUICK, SERVICE_V4, SERVICE_V6, Request, until
from wire import open_raw

FAR = "h9"
FAR_V4, FAR_V6 = "203.0.113.2", "2001:db8:9::2"
SMALL_MTU = 1280


def far_host() -> None:
    """A host behind the gateway. The gateway's link to it is small, and only the gateway knows."""
    gateway, far = topology.gateway(), topology.namespace(FAR)
    netns.add(far)
    netns.add_veth(gateway, "gw9", far, "far0")
    netns.sysctl(gateway, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
    for namespace, interface, last in ((gateway, "gw9", 1), (far, "far0", 2)):
        netns.ip(namespace, "addr", "add", f"203.0.113.{last}/24", "dev", interface)
        netns.ip(namespace, "addr", "add", f"2001:db8:9::{last}/64", "dev", interface, "nodad")
        netns.ip(namespace, "link", "set", interface, "up")
    netns.ip(gateway, "link", "set", "gw9", "mtu", str(SMALL_MTU))
    netns.ip(far, "route", "add", "default", "via", "203.0.113.1")
    netns.ip(far, "-6", "route", "add", "default", "via", "2001:db8:9::1")


class SmallPath(BalanceTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        far_host()
        cls.addClassCleanup(netns.run, "ip", "netns", "del", topology.namespace(FAR))

    def test_path_mtu_discovery_reaches_the_owner(self) -> None:
        length = 200_000
        wanted = hashlib.sha256(pattern(length)).hexdigest()
        master = self.lab.node(cluster.master(self.before))
        for host in (SERVICE_V4, f"[{SERVICE_V6}]"):
            for _ in range(10):
                done = self.lab.execute(FAR, "curl", "-sS", "-g", "--max-time", "15", f"http://{host}/bytes/{length}")
                self.assertEqual(done.returncode, 0, f"{host}: {done.stderr}")
                self.assertEqual(hashlib.sha256(done.stdout.encode()).hexdigest(), wanted)
        counted = {row["reason"]: row["lan"] for row in master.query("counters")["reasons"]}
        self.assertGreater(counted["forward_error"], 0)


class Fragments(BalanceTest):
    # The af_packet driver has the kernel reassemble; on other ports fragments come as they were sent.
    request = Request(nodes=3, port="tap")

    def setUp(self) -> None:
        super().setUp()
        self.with_service_keys('\n[[cluster.service]]\nname = "echo"\nprotocol = "udp"\nports = "7"\n')
        self.balanced(*self.names, service="echo")

    def test_fragmented_datagrams_arrive(self) -> None:
        data = pattern(4000)
        for address, family in ((SERVICE_V4, socket.AF_INET), (SERVICE_V6, socket.AF_INET6)):
            for _ in range(6):
                with netns.open_socket(topology.gateway(), family, socket.SOCK_DGRAM) as sock:
                    sock.settimeout(5)
                    sock.sendto(data, (address, topology.ECHO_PORT))
                    self.assertEqual(sock.recv(65536), data)
        master = self.lab.node(cluster.master(self.before))
        counted = {row["reason"]: row["lan"] for row in master.query("counters")["reasons"]}
        self.assertGreater(counted["forward_fragment"], 0)


class Iperf(BalanceTest):
    """A program whose connections belong together: control and data must reach one node."""

    PORT = 5201

    def setUp(self) -> None:
        super().setUp()
        self.with_service_keys(
            f'\n[[cluster.service]]\nname = "iperf"\nprotocol = "tcp"\nports = "{self.PORT}"\naffinity = "address"\n'
        )
        self.balanced(*self.names, service="iperf")
        for name in self.names:
            argv = netns.inside(topology.namespace(name), "iperf3", "--server", "--port", str(self.PORT))
            server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(server.wait)
            self.addCleanup(server.terminate)

    def listens(self, name: str) -> bool:
        return str(self.PORT) in self.lab.execute(name, "ss", "-Hltn", f"sport = {self.PORT}").stdout

    def test_throughput_over_both_families(self) -> None:
        for name in self.names:
            until(functools.partial(self.listens, name), 5, f"iperf3 listens on {name}")
        for host in (SERVICE_V4, SERVICE_V6):
            for reverse in ("", "--reverse"):
                options = ["--client", host, "--port", str(self.PORT), "--time", "2", "--json", reverse]
                report = json.loads(self.gw("iperf3", *filter(None, options)))
                received = report["end"]["sum_received"]["bits_per_second"]
                self.assertGreater(received, 1e6, f"{host} {reverse}")


class Flood(BalanceTest):
    """SYNs from a million sources."""

    alone = True

    def resident(self, name: str) -> int:
        """Memory of a node's qured, in KiB."""
        status = Path(f"/proc/{self.lab.node(name).recorded().pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found, status
        return int(found.group(1))

    def send(self, mac: str, count: int) -> None:
        raw = open_raw("gw", "gw0")
        self.addCleanup(raw.close)
        head = struct.pack("!HHIIBBHHH", 0, 80, 1, 0, 5 << 4, 2, 65535, 0, 0)
        frame = bytearray(
            frames.ethernet(mac, "02:00:00:00:00:01", frames.IPV4, frames.ipv4("11.0.0.0", SERVICE_V4, 6, head))
        )
        # Ones' complement sums that the changing fields are added to (RFC 1071).
        ip_sum = ~struct.unpack_from("!H", frame, 24)[0] & 0xFFFF
        service = struct.unpack("!HH", frame[30:34])
        tcp_sum = sum(service) + 6 + 20 + sum(struct.unpack("!10H", head)) + 0x0B00
        fold = lambda value: ~((value & 0xFFFF) + (value >> 16)) & 0xFFFF  # noqa: E731
        for number in range(count):
            high, low, port = number >> 16, number & 0xFFFF, 1024 + number % 60000
            struct.pack_into("!BBH", frame, 26, 11, high, low)
            struct.pack_into("!H", frame, 24, fold(ip_sum + high + low))
            struct.pack_into("!H", frame, 34, port)
            struct.pack_into("!H", frame, 50, fold(tcp_sum + high + low + port))
            with contextlib.suppress(BlockingIOError):
                raw.send(frame)

    def test_downloads_go_on_and_memory_is_flat(self) -> None:
        master = cluster.master(self.before)
        (mac,) = [
            entry["mac"] for entry in self.lab.node(master).status()["addresses"] if entry["address"] == SERVICE_V4
        ]
        before = {name: self.resident(name) for name in self.names}
        with self.downloads(count=12, seconds=10 if QUICK else 40) as result:
            self.send(mac, 60_000 if QUICK else 1_000_000)
            flows = self.lab.node(master).query("flows")
            self.assertLessEqual(flows["flows"], 262_144 * 2)
            for name in self.names:
                self.assertLess(self.resident(name) - before[name], 8192, name)
        self.assert_broken_only_on(result)
