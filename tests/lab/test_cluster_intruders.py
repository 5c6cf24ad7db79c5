"""Frames that nobody should believe: replayed, from elsewhere, changed on the way, of another cluster.

Rejected, counted, no more."""

import random
from collections.abc import Callable

from cluster_support import ClusterTest, overhear, udp_payload_offset
from qure_dev import frames
from qure_dev.frames import Seen
from qure_dev.lab import config, netns, topology
from support import SERVICE_V4, SERVICE_V6, add_host, remove_host
from wire import Capture, open_raw

CAPTURED = 400
FLIPPED = 300


Change = Callable[[bytearray, int], None]  # of an IPv4 payload whose UDP payload begins at the offset


def unchanged(_payload: bytearray, _offset: int) -> None:
    pass


class Intruders(ClusterTest):
    def setUp(self) -> None:
        super().setUp()
        self.known = self.same_history()
        add_host("h1", "lan0", "198.51.100.99/24")
        self.addCleanup(remove_host, "h1")
        self.mac = netns.ip(topology.namespace("h1"), "-br", "link", "show", "dev", "lan0").split()[2]
        # The intruder may use the nodes' own MACs: what a switch makes of a stolen one is another matter.
        port = topology.switch_port("h1")
        netns.ip(topology.switch(), "link", "set", port, "type", "bridge_slave", "learning", "off")
        self.raw = open_raw("h1", "lan0")
        self.addCleanup(self.raw.close)

    def inject(self, frame: Seen, change: Change = unchanged, relabel: bool = False) -> None:
        """A captured frame, changed, from the MAC that it came from; `relabel`: from the intruder's own."""
        payload = bytearray(frame.payload)
        offset = udp_payload_offset(frame)
        assert offset
        payload[offset - 2 : offset] = b"\0\0"  # no UDP checksum: it is not what keeps intruders out (RFC 768)
        change(payload, offset)
        source = self.mac if relabel else frame.source
        head = frames.mac_bytes(frame.destination) + frames.mac_bytes(source)
        self.raw.send(head + frame.ethertype.to_bytes(2, "big") + bytes(payload))

    def assert_nothing_changed(self) -> None:
        self.assert_unchanged(self.before, self.whole())
        self.assertEqual(self.same_history().keys(), self.known.keys())
        self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4)

    def test_replayed_at_once(self) -> None:
        overheard = overhear(self.names, CAPTURED)
        before = {name: self.rejected(name) for name in self.names}
        for frame in overheard:
            self.inject(frame)
        for name in self.names:
            self.wait_rejected(name, before[name], "replayed")
        self.assert_nothing_changed()

    def test_field_e1_relabelled(self) -> None:
        """Where a node is stands in what it has sealed, and a repetition does not move it."""
        overheard = overhear(self.names, CAPTURED)
        before = {name: self.rejected(name) for name in self.names}
        with Capture("h1", "lan0") as wire:
            for frame in overheard:
                self.inject(frame, relabel=True)
            for name in self.names:
                self.wait_rejected(name, before[name], "relabelled")
            self.assert_nothing_changed()
        self.assertEqual([frame for frame in wire.received() if frame.destination == self.mac], [])

    def test_replayed_to_later_boots(self) -> None:
        """Boots that ended are not alive again because their words are heard again."""
        overheard = overhear(self.names, CAPTURED)
        self.kill_all()
        self.lab.start()
        self.before = self.whole()
        self.known = self.same_history()
        before = {name: self.rejected(name) for name in self.names}
        for frame in overheard:
            self.inject(frame)
        for name in self.names:
            self.wait_rejected(name, before[name], "unknown_boot", "too_many", "replayed", "unexpected")
        self.assert_nothing_changed()

    def test_flipped_bits(self) -> None:
        overheard = overhear(self.names, CAPTURED)
        before = {name: self.rejected(name) for name in self.names}
        chance = random.Random(20_000)

        def flip(payload: bytearray, offset: int) -> None:
            position = chance.randrange(offset, len(payload))
            payload[position] ^= 1 << chance.randrange(8)

        for _ in range(FLIPPED):
            self.inject(chance.choice(overheard), flip)
        for name in self.names:
            self.wait_rejected(name, before[name], "unauthentic")
        self.assert_nothing_changed()

    def test_another_cluster_in_the_same_group(self) -> None:
        """Its key and group are ours, only its name is not: two clusters in one LAN never mix."""
        group = self.lab.node("n1").query("config", "show")["cluster"]["group"]
        text = config.cluster_part(self.lab.node("n1").config_path.read_text())
        text = text.replace('name = "home"', f'name = "elsewhere"\ngroup = "{group}"', 1)
        text = text.replace(SERVICE_V4, "198.51.100.60").replace(SERVICE_V6, "2001:db8:2::60")
        before = {name: self.rejected(name) for name in self.names}
        stranger = self.lab.add_node(4, text=text)
        self.addCleanup(stranger.destroy)
        stranger.start()
        stranger.wait_for("198.51.100.60", deadline=20, state="held")
        for name in self.names:
            self.wait_rejected(name, before[name], "unauthentic")
        self.wait_rejected("n4", dict.fromkeys(self.rejected("n4"), 0), "unauthentic")
        self.assertEqual(len(stranger.query("nodes")["nodes"]), 1)
        self.assert_unchanged(self.before, self.whole(*self.names))
        self.assertEqual(self.same_history().keys(), self.known.keys())
