"""Whose the address is: probing, someone else's, taking over, defending for ever."""

from collections.abc import Callable

from qure_dev import frames
from qure_dev.frames import Seen
from qure_dev.lab import netns, topology
from support import GATEWAY_V4, SERVICE_V4, SERVICE_V6, LabTest, add_host, remove_host, until
from wire import Capture, open_raw

RETRY = 25  # seconds: well above the time after which a taken address is probed again
FOREIGN_MAC = "02:00:5e:00:53:66"


def mac_of(member: str, interface: str) -> str:
    return netns.ip(topology.namespace(member), "-br", "link", "show", "dev", interface).split()[2]


class AnotherHostHasIt(LabTest):
    """The node starts while a plain host holds both service addresses."""

    def setUp(self) -> None:
        self.node.kill()
        add_host("h1", "lan0", f"{SERVICE_V4}/24", f"{SERVICE_V6}/64")
        self.holder = mac_of("h1", "lan0")
        self.wire = Capture("sw", "sw-n1")
        self.wire.__enter__()
        self.addCleanup(self.wire.__exit__)
        self.node.start()

    def test_refused_then_taken_over(self) -> None:
        for address in (SERVICE_V4, SERVICE_V6):
            self.assertEqual(self.node.wait_for(address, state="taken")["holder"], self.holder)
        self.assertIn(self.holder, self.node.log.read_text())
        self.assertEqual(self.node.status()["role"], "standby")

        self.forget_neighbors()
        self.gw("ping", "-c", "2", "-i", "0.2", "-W", "2", SERVICE_V4)
        self.gw("ping", "-6", "-c", "2", "-i", "0.2", "-W", "2", SERVICE_V6)
        self.assertIn(self.holder, self.gw("ip", "neigh", "show", SERVICE_V4))
        for frame in self.wire.received():
            if frame.is_arp:
                self.assertNotEqual(frame.arp_sender[1], SERVICE_V4, f"answered for what it does not hold: {frame}")
            if frame.nd_type:
                self.assertNotEqual(
                    (frame.nd_type, frame.nd_target), (frames.ADVERTISEMENT, SERVICE_V6), f"answered: {frame}"
                )

        remove_host("h1")
        mac = self.node.wait_for(SERVICE_V4, deadline=RETRY, state="held")["mac"]
        self.node.wait_for(SERVICE_V6, deadline=RETRY, state="held")
        # The gateway still has the old entry: the announcement alone must lead it here.
        self.gw("ping", "-c", "3", "-i", "0.1", "-W", "2", SERVICE_V4)
        self.assertIn(mac, self.gw("ip", "neigh", "show", SERVICE_V4))
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")


class Alternatives(LabTest):
    def test_next_address_of_the_list(self) -> None:
        self.node.kill()
        add_host("h1", "lan0", f"{SERVICE_V4}/24")
        self.edit_config("alternatives = []", 'alternatives = ["198.51.100.51/24"]')
        self.node.start()
        self.node.wait_for("198.51.100.51", state="held")
        self.gw("ping", "-c", "1", "-W", "2", "198.51.100.51")


class SecondNode(LabTest):
    """A second QuRe node of another cluster that wants the same addresses."""

    def test_refused_while_the_first_lives(self) -> None:
        cluster = self.node.config_path.read_text()
        cluster = cluster[cluster.index("[cluster]") :].replace('name = "home"', 'name = "elsewhere"', 1)
        second = self.lab.add_node(2, text=cluster)
        mac = self.node.wait_for(SERVICE_V4, state="held")["mac"]
        second.start()
        self.assertEqual(second.wait_for(SERVICE_V4, state="taken")["holder"], mac)
        self.assertEqual(second.wait_for(SERVICE_V6, state="taken")["holder"], self.node.address(SERVICE_V6)["mac"])
        self.assertEqual(self.node.address(SERVICE_V4)["state"], "held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.node.kill()
        second.wait_for(SERVICE_V4, deadline=RETRY, state="held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n2\n")


def is_arp_defense(frame: Seen, mac: str) -> bool:
    return frame.is_arp and frame.arp_sender == (mac, SERVICE_V4) == (frame.source, frame.arp_target)


def is_nd_defense(frame: Seen, mac: str) -> bool:
    return frame.nd_type == frames.ADVERTISEMENT and (frame.nd_target, frame.source) == (SERVICE_V6, mac)


class Conflict(LabTest):
    """Someone claims an address that the node holds (RFC 5227 section 2.4 c)."""

    def setUp(self) -> None:
        self.node.kill()
        self.node.start()
        self.raw = open_raw("gw", "gw0")
        self.addCleanup(self.raw.close)

    def check_defended_for_ever(self, address: str, conflict: bytes, is_defense: Callable[[Seen, str], bool]) -> None:
        held = self.node.wait_for(address, state="held")
        with Capture("sw", "sw-n1") as wire:
            self.raw.send(conflict)
            self.node.wait_for(address, state="held", conflicts=held["conflicts"] + 1, defenses=held["defenses"] + 1)
            until(
                lambda: any(is_defense(frame, held["mac"]) for frame in wire.received()), 5, "the defense on the wire"
            )
        for number in range(2, 12):
            self.raw.send(conflict)
            now = self.node.wait_for(address, state="held", conflicts=held["conflicts"] + number)
            self.assertEqual(now["contested_by"], FOREIGN_MAC)
            self.assertEqual(now["defenses"], held["defenses"] + 1, "one in ten seconds")
            self.gw("ping", "-c", "1", "-W", "2", address)

    def test_field_e5_v4(self) -> None:
        conflict = frames.arp(frames.REQUEST, FOREIGN_MAC, SERVICE_V4, SERVICE_V4)
        self.check_defended_for_ever(SERVICE_V4, conflict, is_arp_defense)

    def test_field_e5_v6(self) -> None:
        self.check_defended_for_ever(SERVICE_V6, frames.advertisement(FOREIGN_MAC, SERVICE_V6), is_nd_defense)

    def test_a_probe_is_answered_not_a_conflict(self) -> None:
        held = self.node.wait_for(SERVICE_V4, state="held")
        with Capture("sw", "sw-n1") as wire:
            self.raw.send(frames.arp(frames.REQUEST, FOREIGN_MAC, "0.0.0.0", SERVICE_V4))
            until(
                lambda: any(
                    frame.is_arp and frame.arp_sender == (held["mac"], SERVICE_V4) for frame in wire.received()
                ),
                5,
                "the answer",
            )
        self.assertEqual(self.node.address(SERVICE_V4)["state"], "held")

    def test_gateway_may_ask(self) -> None:
        """Ordinary requests from others are no conflicts."""
        held = self.node.wait_for(SERVICE_V4, state="held")
        self.raw.send(frames.arp(frames.REQUEST, FOREIGN_MAC, GATEWAY_V4, SERVICE_V4))
        self.gw("arping", "-c", "3", "-f", "-w", "3", "-I", "gw0", SERVICE_V4)
        self.assertEqual(self.node.address(SERVICE_V4)["conflicts"], held["conflicts"])
