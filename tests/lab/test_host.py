"""The machine around a node: its links, and the hosts that share it."""

import re

from qure_dev.lab import netns, topology
from support import SERVICE_V4, SERVICE_V6, LabTest, Request


class PartialChecksums(LabTest):
    """The gateway leaves checksums to network cards, and no card is on the way to the node: as it is between all hosts
    of one machine."""

    request = Request(mode="shared")

    def setUp(self) -> None:
        for where, port in (("gw", "gw0"), ("sw", "sw-gw"), ("sw", "sw-n1")):
            netns.run(*netns.inside(topology.namespace(where), "ethtool", "-K", port, "tx", "on"))

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
