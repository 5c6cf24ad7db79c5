"""The node's kernel never speaks ARP or ND for a service address: shown by a capture while it is provoked."""

from collections.abc import Iterable

from qure_dev.frames import Seen
from support import GATEWAY_V4, GATEWAY_V6, SERVICE_V4, SERVICE_V6, LabTest, Mixin, Request, until
from wire import Capture

UNKNOWN_V4 = "198.51.100.77"
UNKNOWN_V6 = "2001:db8:2::77"
# The kernel's own restraint is taken away: the dataplane must not depend on it. In the shell that provokes, since qured
# puts it back as soon as it sees that.
UNRESTRAINED = """
for where in all qure0; do
  for key in arp_ignore arp_announce; do echo 0 >/proc/sys/net/ipv4/conf/$where/$key; done
done
"""
# Looks for duplicates at once, and not after up to a second in which qured may take the address away.
WITH_DAD = """
for key in accept_dad dad_transmits; do echo 1 >/proc/sys/net/ipv6/conf/qure0/$key; done
echo 0 >/proc/sys/net/ipv6/conf/qure0/router_solicitation_delay
"""


class SilenceTests(Mixin):
    """Inherited once per mode."""

    def setUp(self) -> None:
        self.mac4 = self.node.wait_for(SERVICE_V4, state="held", verified=True)["mac"]
        self.mac6 = self.node.wait_for(SERVICE_V6, state="held", verified=True)["mac"]

    def provoke(self, *commands: str) -> list[Seen]:
        """Runs commands in the node's namespace, whatever becomes of them, and returns what the node sent meanwhile."""
        with Capture("sw", "sw-n1") as wire:
            for command in commands:
                self.repairs_over()
                self.on_node("sh", "-c", UNRESTRAINED + command)
            self._mark(wire)
        return wire.received()

    def _mark(self, wire: Capture) -> None:
        """Waits for the answer to a question asked last: all that was sent before it has been captured."""
        seen = len(wire.received())
        self.forget_neighbors()
        self.gw("ping", "-c", "1", "-W", "2", SERVICE_V4)
        until(
            lambda: any(
                frame.is_arp and frame.arp_sender == (self.mac4, SERVICE_V4) for frame in wire.received()[seen:]
            ),
            5,
            "the ARP reply that ends the capture",
        )

    def assert_silent(self, sent: Iterable[Seen]) -> None:
        for frame in sent:
            if frame.is_arp and SERVICE_V4 in (frame.arp_sender[1], frame.arp_target):
                self.assertEqual(
                    (frame.source, frame.arp_sender), (self.mac4, (self.mac4, SERVICE_V4)), f"leaked: {frame}"
                )
            if frame.nd_type and SERVICE_V6 in (frame.ipv6_source, frame.nd_target):
                self.assertEqual(frame.source, self.mac6, f"leaked: {frame}")

    def test_solicitations_carry_no_service_address(self) -> None:
        before = self.counters()
        sent = self.provoke(
            "ip neigh flush all",
            f"ping -c 2 -i 0.2 -W 1 -I {SERVICE_V4} {GATEWAY_V4}",
            f"ping -6 -c 2 -i 0.2 -W 1 -I {SERVICE_V6} {GATEWAY_V6}",
            f"ping -c 2 -i 0.2 -W 1 -I {SERVICE_V4} {UNKNOWN_V4}",
            f"ping -6 -c 2 -i 0.2 -W 1 -I {SERVICE_V6} {UNKNOWN_V6}",
        )
        self.assert_silent(sent)
        after = self.counters()
        for reason in ("lan_arp_anonymous", "lan_nd_anonymous"):
            self.assertGreater(after[reason], before[reason], "the kernel was not provoked")
        self.assertTrue(
            any(frame.is_arp and frame.arp_target == UNKNOWN_V4 for frame in sent), "the kernel's request did not pass"
        )
        self.assertTrue(
            any(frame.nd_type == 135 and frame.nd_target == UNKNOWN_V6 for frame in sent),
            "the solicitation did not pass",
        )

    def test_kernel_reaches_neighbors_from_the_service_address(self) -> None:
        self.on_node("ip", "neigh", "flush", "all")
        for arguments in ((SERVICE_V4, GATEWAY_V4), (SERVICE_V6, GATEWAY_V6)):
            done = self.on_node("ping", "-c", "3", "-i", "0.1", "-W", "2", "-I", *arguments)
            self.assertIn(" 0% packet loss", done.stdout, done.stderr)

    def test_gratuitous_arp(self) -> None:
        before = self.counters()["host_arp_blocked"]
        self.assert_silent(
            self.provoke(
                f"arping -c 2 -w 2 -U -I qure0 {SERVICE_V4}",
                f"arping -c 2 -w 2 -A -I qure0 {SERVICE_V4}",
                f"arping -c 2 -w 2 -I qure0 -s {SERVICE_V4} {UNKNOWN_V4}",
            )
        )
        self.assertGreater(self.counters()["host_arp_blocked"], before)

    def test_addresses_set_again(self) -> None:
        """The kernel looks for duplicates of an IPv6 address that appears (RFC 4862 section 5.4)."""
        before = self.counters()["host_nd_blocked"]
        self.addCleanup(self.restart)  # with an address the kernel also forgets the routes that led through it

        addresses = (f"{SERVICE_V4}/32", f"{SERVICE_V6}/128")
        # By one process: the less time there is between the two, the rarer qured is quicker.
        again = "".join(f"addr del {address} dev qure0\\naddr add {address} dev qure0\\n" for address in addresses)

        def appear() -> bool:
            """Whether the kernel has looked, which it may not if qured was quicker."""
            self.assert_silent(
                self.provoke(
                    f"{WITH_DAD}printf '{again}' | ip -force -batch -\n"
                    f"while ip -6 addr show dev qure0 tentative | grep -q {SERVICE_V6}; do :; done"
                )
            )
            return self.counters()["host_nd_blocked"] > before

        until(appear, 30, "the kernel's solicitation for the service address")

    def restart(self) -> None:
        self.node.kill()
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held", verified=True)
        self.node.wait_for(SERVICE_V6, state="held", verified=True)

    def test_only_qured_sources_the_service_mac(self) -> None:
        """What the kernel sends for the service address leaves from the node's MAC."""
        with Capture("sw", "sw-n1") as wire:
            self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
            self._mark(wire)
        tcp = [frame for frame in wire.received() if frame.ethertype == 0x0800 and frame.payload[9] == 6]
        self.assertTrue(tcp)
        for frame in tcp:
            self.assertNotEqual(frame.source, self.mac4, frame)


class Dedicated(SilenceTests, LabTest):
    request = Request(mode="dedicated")


class Shared(SilenceTests, LabTest):
    request = Request(mode="shared")
