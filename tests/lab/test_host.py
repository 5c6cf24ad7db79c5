"""The machine around a node: its links, and the hosts that share it."""

import difflib
import json
import re

from cluster_support import ClusterTest
from qure_dev.lab import netns, topology
from support import SERVICE_V4, SERVICE_V6, LabTest, Mixin, Request, until


class PartialChecksums(LabTest):
    """The gateway leaves checksums to network cards, and no card is on the way to the node: as it is between all hosts
    of one machine."""

    request = Request(mode="shared")

    def setUp(self) -> None:
        for where, port in (("gw", "gw0"), ("sw", "sw-gw"), ("sw", "sw-n1")):
            netns.run(*netns.inside(topology.namespace(where), "ethtool", "-K", port, "tx", "on"))
        # The kernel takes TCP at an IPv6 address once it has found that nobody else has it (RFC 4862 §5.4).
        tentative = ("ip", "-6", "addr", "show", "dev", "qure0", "tentative")
        until(lambda: not self.on_node(*tentative).stdout, 10, "qure0 has its IPv6 addresses")

    def checksum_errors(self) -> int:
        """Segments and datagrams that the node's kernel has refused for their checksums."""
        text = self.on_node("cat", "/proc/net/snmp", "/proc/net/snmp6").stdout
        named = [lines.split() for lines in re.findall(r"^(?:Tcp|Udp): .*$", text, re.MULTILINE)]
        errors = sum(
            int(values[names.index("InCsumErrors")]) for names, values in zip(named[::2], named[1::2], strict=True)
        )
        return errors + sum(int(count) for count in re.findall(r"^Udp6InCsumErrors\s+(\d+)", text, re.MULTILINE))

    def test_field_a12_partial_checksums(self) -> None:
        errors, dropped = self.checksum_errors(), self.counters()["udp_checksum"]
        for server in (SERVICE_V4, SERVICE_V6):
            self.assertIn(SERVICE_V4, self.dig("+short", "www.home.example", "A", server=server))
            self.assertIn("\nns1.", "\n" + self.dig("+tcp", "+short", "home.example", "NS", server=server))
        for host in (SERVICE_V4, f"[{SERVICE_V6}]"):
            self.assertEqual(self.curl(f"http://{host}/"), "n1\n")
            self.assertEqual(len(self.curl(f"http://{host}/bytes/300000")), 300000)
        self.assertEqual(self.checksum_errors(), errors)
        self.assertEqual(self.counters()["udp_checksum"], dropped)


class GreatMtu(LabTest):
    request = Request(mode="shared")

    def test_field_a15_jumbo_frames(self) -> None:
        """The host port takes no more than 1500: that much is used, and it is said once."""
        self.assertTrue(self.node.recorded().stop(grace=10))
        netns.ip(self.node.namespace, "link", "set", "lan0", "mtu", "9000")
        before = len(self.node.log.read_text())
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.assertEqual(len(self.curl(f"http://{SERVICE_V4}/bytes/300000")), 300000)
        self.assertIn("mtu 1500", self.on_node("ip", "link", "show", "qure0").stdout)
        self.assertEqual(self.node.log.read_text()[before:].count("MTU 9000"), 1)


class GivenBack(Mixin):
    """The machine is as it was: inherited once per mode."""

    def setUp(self) -> None:
        self.stop()
        self.on_node("ethtool", "-K", "lan0", "gro", "on")
        self.before = self.machine()
        self.assertNotIn("PROMISC", self.before["link"])
        self.assertNotIn("NOARP", self.before["link"])

    def stop(self) -> None:
        process = self.node.process()
        if process and process.alive():
            self.assertTrue(process.stop(grace=15), "did not end after SIGTERM")

    def machine(self) -> dict[str, str]:
        """All that qured might change and leave changed."""
        flags = json.loads(self.on_node("ip", "-j", "link", "show", "lan0").stdout)[0]["flags"]
        settings = self.on_node("sh", "-c", "grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null")
        return {
            "link": " ".join(sorted(flags)),
            "features": self.on_node("ethtool", "-k", "lan0").stdout,
            "addresses": self.on_node("ip", "-br", "addr").stdout,
            "routes": self.on_node("ip", "route", "show", "table", "all").stdout,
            "routes6": "".join(sorted(self.on_node("ip", "-6", "route", "show", "table", "all").stdout)),
            "rules": self.on_node("ip", "rule").stdout + self.on_node("ip", "-6", "rule").stdout,
            "settings": "\n".join(sorted(line for line in settings.stdout.splitlines() if "qure0" not in line)),
        }

    def assert_given_back(self) -> None:
        """The kernel takes the host port apart in its own time."""
        until(lambda: self.machine() == self.before, 10, lambda: self.difference())
        self.assertFalse((self.node.directory / "data/kernel.journal").exists())

    def difference(self) -> str:
        now = self.machine()
        lines = [
            f"{key}: {line}"
            for key, text in self.before.items()
            for line in difflib.unified_diff(text.splitlines(), now[key].splitlines(), lineterm="", n=0)
        ]
        return "the machine is as it was:\n" + "\n".join(lines)

    def test_field_d6_after_a_stop(self) -> None:
        self.node.start()
        self.assertNotEqual(self.machine()["features"], self.before["features"])
        self.assertIn("PROMISC", self.machine()["link"])
        self.stop()
        self.assert_given_back()

    def test_field_d6_killed_started_stopped(self) -> None:
        for _ in range(2):
            self.node.start()
            self.node.kill()
        self.node.start()
        self.stop()
        self.assert_given_back()

    def test_field_d6_restore_after_a_kill(self) -> None:
        self.node.start()
        refused = self.on_node(*self.node.program(), "--restore")
        self.assertNotEqual(refused.returncode, 0, refused.stdout)
        self.node.kill()
        done = self.on_node(*self.node.program(), "--restore")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("promisc", done.stdout)
        self.assert_given_back()
        again = self.on_node(*self.node.program(), "--restore")
        self.assertEqual(again.returncode, 0, again.stderr)


class GivenBackDedicated(GivenBack, LabTest):
    request = Request(mode="dedicated")


class GivenBackShared(GivenBack, LabTest):
    request = Request(mode="shared")


class TwoInterfaces(ClusterTest):
    """A standby has a second interface in the same LAN, with an address of the kernel's own."""

    request = Request(nodes=2, mode="shared")

    def add_second(self, name: str) -> str:
        """Returns the MAC of the second interface of a node."""
        namespace = topology.namespace(name)
        netns.add_veth(topology.switch(), "sw-second", namespace, "lan1")
        self.addCleanup(netns.ip, topology.switch(), "link", "del", "sw-second")
        netns.no_ip(topology.switch(), "sw-second")
        netns.ip(topology.switch(), "link", "set", "sw-second", "master", topology.BRIDGE, "up")
        netns.ip(namespace, "addr", "add", "198.51.100.99/24", "dev", "lan1")
        netns.ip(namespace, "link", "set", "lan1", "up")
        return str(json.loads(netns.ip(namespace, "-j", "link", "show", "lan1"))[0]["address"])

    def test_field_a1_only_the_service_mac_answers(self) -> None:
        master = next(name for name, status in self.before.items() if status["role"] == "master")
        mac = self.add_second(*self.others(master))
        self.assertEqual(self.answers("198.51.100.99"), {mac})
        service = self.lab.node(master).address(SERVICE_V4)["mac"]
        self.assertEqual(self.answers(SERVICE_V4), {service})

    def answers(self, address: str) -> set[str]:
        """The MACs of all that answer ARP for an address within a second."""
        output = self.lab.execute("gw", "arping", "-c", "3", "-w", "2", "-I", "gw0", address).stdout
        return {found.lower() for found in re.findall(r"\[([0-9A-Fa-f:]{17})\]", output)}


class Meddlers(LabTest):
    """Other programs change what is ours, and what it rests on."""

    request = Request(mode="shared")

    def serves(self) -> bool:
        done = self.lab.execute("gw", "curl", "-sS", "--max-time", "1", f"http://{SERVICE_V4}/")
        return done.stdout == "n1\n"

    def test_field_a3_put_back(self) -> None:
        for harm in (
            f"ip addr del {SERVICE_V4}/32 dev qure0",
            "ip addr flush dev qure0",
            f"ip rule del from {SERVICE_V4}",
            "ip route flush table 5351",
            "ip link set qure0 down",
            "ip link set lan0 down",
        ):
            with self.subTest(harm=harm):
                repairs = self.repairs_over()
                self.assertEqual(self.on_node("sh", "-c", harm).returncode, 0)
                until(lambda: self.repairs() > repairs, 5, f"it is put back after {harm}")
                until(self.serves, 10, f"it serves after {harm}")
        self.assertTrue(self.node.running())
        self.assertIn("put back", self.node.log.read_text())

    def test_field_a3_the_host_port_is_gone(self) -> None:
        self.addCleanup(self.node.start)
        self.on_node("ip", "link", "del", "qure0")
        until(lambda: not self.node.running(), 20, "it ends")
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertTrue(self.serves())


class LostInterface(LabTest):
    request = Request(mode="dedicated")

    def test_field_a3_the_lan_interface_is_another_one(self) -> None:
        """It vanishes and comes back under its name: the old port would stay deaf."""
        port = topology.switch_port("n1")
        netns.ip(self.node.namespace, "link", "del", "lan0")
        netns.add_veth(topology.switch(), port, self.node.namespace, "lan0")
        netns.no_ip(topology.switch(), port)
        netns.no_ip(self.node.namespace, "lan0")
        netns.ip(topology.switch(), "link", "set", port, "master", topology.BRIDGE, "up")
        netns.ip(self.node.namespace, "link", "set", "lan0", "up")
        until(lambda: not self.node.running(), 20, "it ends")
        self.assertIn("lan0 is gone", self.node.log.read_text())
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")


class Refusals(LabTest):
    """What cannot work says why, and what would."""

    request = Request(mode="shared")

    def refused(self, *prefix: str) -> str:
        done = self.on_node(*prefix, *self.node.program())
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stdout + done.stderr

    def setUp(self) -> None:
        process = self.node.process()
        if process and process.alive():
            process.stop(grace=15)
        text = self.node.config_path.read_text()
        self.addCleanup(self.node.config_path.write_text, text)

    def test_field_d10_not_root(self) -> None:
        text = self.refused("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
        self.assertIn("CAP_NET_ADMIN", text)

    def test_field_d10_an_empty_directory_that_is_read_only(self) -> None:
        empty = self.node.directory / "empty"
        empty.mkdir(exist_ok=True)
        self.edit_config(f'data_directory = "{self.node.directory}/data"', f'data_directory = "{empty}"')
        mounted = f'mount -t tmpfs -o ro tmpfs {empty} && exec "$@"'
        text = self.refused("unshare", "-m", "sh", "-c", mounted, "sh")
        self.assertIn(str(empty), text)
        self.assertIn("Read-only", text)
        self.assertIn("node.data_directory", text)

    def test_field_d10_a_tunnel(self) -> None:
        self.assertEqual(self.on_node("ip", "tuntap", "add", "tun9", "mode", "tun").returncode, 0)
        self.addCleanup(self.on_node, "ip", "link", "del", "tun9")
        self.edit_config('port = "af_packet:lan0"', 'port = "af_packet:tun9"')
        text = self.refused()
        for word in ("tun9", "Ethernet", "lan0"):
            self.assertIn(word, text)

    def test_field_d10_a_bridge_of_containers(self) -> None:
        self.assertEqual(self.on_node("ip", "link", "add", "docker0", "type", "bridge").returncode, 0)
        self.addCleanup(self.on_node, "ip", "link", "del", "docker0")
        self.edit_config('port = "af_packet:lan0"', 'port = "af_packet:docker0"')
        done = self.on_node(*self.node.program(), "--check")
        for word in ("docker0", "bridge", "lan0"):
            self.assertIn(word, done.stdout + done.stderr)
