"""What a cluster looks like from the switch: sources, groups, rates."""

import signal
import struct
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cluster_support import ClusterTest, cluster_frames
from qure_dev import frames
from qure_dev.failover.faults import ask_for_service
from qure_dev.frames import Seen
from qure_dev.lab import cluster, topology
from qure_dev.lab.capture import Sources
from qure_dev.paths import ROOT
from qure_dev.waiting import watch
from support import GATEWAY_V4, SERVICE_V4, until
from wire import Capture, open_raw

IGMP = 2
MOST_MULTICAST = 100  # frames a second, whatever the number of nodes
ALL_HOSTS = "01:00:5e:00:00:01"


def igmp_reports(seen: Iterable[Seen], group: str) -> list[Seen]:
    """Membership reports for the group: version 2 and version 3 (RFC 2236 section 2, RFC 3376 section 4.2)."""
    found = []
    wanted = bytes(map(int, group.split(".")))
    for frame in seen:
        if frame.ethertype != 0x0800 or frame.payload[9] != IGMP:
            continue
        body = frame.payload[(frame.payload[0] & 0x0F) * 4 :]
        if (body[0] == 0x16 and body[4:8] == wanted) or (body[0] == 0x22 and wanted in body[8:]):
            found.append(frame)
    return found


def igmp_query(version: int) -> bytes:
    """A general query (RFC 2236 section 2, RFC 3376 section 4.1), answered within a second."""
    body = struct.pack("!BBHI", 0x11, 10, 0, 0) + (b"\x02\x7d\0\0" if version == 3 else b"")
    body = body[:2] + struct.pack("!H", frames.checksum(body)) + body[4:]
    packet = bytearray(frames.ipv4(GATEWAY_V4, "224.0.0.1", IGMP, body))
    packet[8] = 1  # TTL
    packet[10:12] = b"\0\0"
    packet[10:12] = struct.pack("!H", frames.checksum(bytes(packet[:20])))
    return frames.ethernet(ALL_HOSTS, "02:00:00:00:00:fe", 0x0800, bytes(packet))


class OnTheSwitch(ClusterTest):
    def setUp(self) -> None:
        super().setUp()
        self.group = self.lab.node("n1").query("config", "show")["cluster"]["group"]

    def test_multicast_rate(self) -> None:
        with Capture("sw", "sw-gw") as wire:
            length = watch(5)
        flooded = [frame for frame in cluster_frames(wire.frames) if int(frame.destination[:2], 16) & 1]
        self.assertGreater(len(flooded), 0)
        self.assertLess(len(flooded) / length, MOST_MULTICAST)
        sources = {frame.source for frame in flooded}
        self.assertEqual(sources, {status["node_mac"] for status in self.before.values()}, "all speak, as themselves")

    def test_one_source_of_the_service_mac(self) -> None:
        """Through a kill and a handover, on every node: never two at once, never a stray."""
        macs = [entry["mac"] for entry in self.before["n1"]["addresses"]]
        with Sources(self.names, macs) as wire:
            ask_for_service()
            self.lab.node(cluster.master(self.before)).kill()
            after = self.whole(*self.others(cluster.master(self.before)))
            ask_for_service()
            self.control(cluster.master(after), "handover")
            until(lambda: cluster.master(cluster.views(self.lab.nodes())) != cluster.master(after), 10, "it hands over")
            ask_for_service()
            self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4)
            seen = wire.take()
        members = [frame.member for frame in seen]
        turns = [member for member, last in zip(members, [None, *members]) if member != last]
        self.assertEqual(len(turns), 3, turns)

    def test_joins_its_group_and_answers_queries(self) -> None:
        node = self.lab.node("n3")
        node.kill()
        with Capture("sw", "sw-n3") as wire:
            node.start()
            until(lambda: igmp_reports(wire.received(), self.group), 10, "a report when it joins")
            self.whole()
            querier = open_raw("gw", "gw0")
            self.addCleanup(querier.close)
            for version in (3, 2):
                seen = len(wire.received())
                querier.send(igmp_query(version))
                until(
                    lambda: igmp_reports(wire.received()[seen:], self.group),
                    10,
                    f"an answer to a query of version {version}",
                )
        for frame in igmp_reports(wire.received(), self.group):
            self.assertEqual(frame.source, node.status()["node_mac"], "a report steals the service MAC's port")
            self.assertEqual(frame.payload[8], 1, "TTL (RFC 3376 section 4)")

    def test_capture_command(self) -> None:
        with tempfile.TemporaryDirectory() as work:
            path = Path(work, "bridge.pcap")
            argv: list[str | Path] = [ROOT / "scripts/lab", "capture", path, "udp", "port", "7873"]
            with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tcpdump:
                try:
                    until(lambda: path.exists() and path.stat().st_size > 10_000, 20, "frames in the file")
                finally:
                    tcpdump.send_signal(signal.SIGINT)
            listed = subprocess.run(["tcpdump", "-n", "-e", "-r", path], capture_output=True, text=True).stdout
        for index in (1, 2, 3):
            self.assertIn(topology.node_addresses(index)[0].partition("/")[0], listed)
