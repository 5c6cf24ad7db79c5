"""What the cluster tests share: three nodes, whole before each test, and what they say of each other."""

import re
from typing import Any

from qure_dev.frames import Seen
from qure_dev.lab import cluster, topology
from support import LabTest, Request, until
from wire import Capture

CLUSTER_PORT = 7873
__all__ = ["CLUSTER_PORT", "ClusterTest", "cluster_frames", "overhear", "udp_payload_offset"]


class ClusterTest(LabTest):
    request = Request(nodes=3)

    def setUp(self) -> None:
        """Whatever the test before has done: all nodes run, reach each other and are one cluster."""
        self.lab.heal()
        self.lab.start()
        self.before = self.lab.wait_whole()

    @property
    def names(self) -> list[str]:
        return list(self.before)

    def whole(self, *names: str, deadline: float = 30) -> cluster.Views:
        """Waits until these nodes, or all, are one cluster; what they say, by name."""
        return self.lab.wait_whole([self.lab.node(name) for name in names or self.names], deadline)

    def others(self, name: str) -> list[str]:
        return [other for other in self.names if other != name]

    def kill_all(self) -> None:
        for node in self.lab.nodes():
            node.kill()

    def history(self, name: str) -> dict[tuple[str, int, int], dict[str, Any]]:
        return cluster.history(self.lab.node(name))

    def same_history(self, *names: str, deadline: float = 15) -> dict[tuple[str, int, int], dict[str, Any]]:
        """Waits until these nodes, or all, know the same events; returns them."""
        known = {}

        def equal() -> bool:
            known.update({name: self.history(name) for name in names or self.names})
            first, *rest = known.values()
            return bool(first) and all(other.keys() == first.keys() for other in rest)

        until(equal, deadline, lambda: f"equal histories: {({name: len(events) for name, events in known.items()})}")
        return next(iter(known.values()))

    def control(self, name: str, *arguments: str, status: int = 0) -> str:
        """qurectl for a node; it must end with this status, or with any verdict of `qurectl status`. Returns its
        output."""
        done = self.lab.node(name).control(*arguments, timeout=15)
        wanted = (0, 1, 2) if "status" in arguments and status == 0 else (status,)
        self.assertIn(done.returncode, wanted, f"{name}: qurectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def rejected(self, name: str) -> dict[str, int]:
        """Reason -> cluster datagrams and heartbeats that a node did not believe."""
        text = self.curl(f"http://{topology.METRICS}/metrics", member=name)
        found = re.findall(r'^qure_(?:datagrams|heartbeats)_rejected_total\{reason="(\w+)"\} (\d+)', text, re.MULTILINE)
        sums: dict[str, int] = {}
        for reason, count in found:
            sums[reason] = sums.get(reason, 0) + int(count)
        return sums

    def wait_rejected(self, name: str, before: dict[str, int], *reasons: str, deadline: float = 10) -> None:
        """Waits until a node has rejected more for any of these reasons than `before` (see `rejected`)."""

        def risen() -> bool:
            now = self.rejected(name)
            return any(now[reason] > before[reason] for reason in reasons)

        until(risen, deadline, lambda: f"{name} rejects for {reasons}; {before} -> {self.rejected(name)}")

    def assert_unchanged(self, before: cluster.Views, after: cluster.Views) -> None:
        """Nobody restarted, nobody took over."""
        for name, status in before.items():
            for key in ("node_id", "age", "era", "lineage", "term", "master"):
                self.assertEqual(after[name].get(key), status.get(key), f"{name}: {key}")


def udp_payload_offset(seen: Seen) -> int | None:
    """Where the UDP payload of a captured frame begins in its IPv4 payload, or None if it is no cluster frame."""
    payload = seen.payload
    if seen.ethertype != 0x0800 or len(payload) < 28 or payload[9] != 17:
        return None
    header = (payload[0] & 0x0F) * 4
    if int.from_bytes(payload[header + 2 : header + 4], "big") != CLUSTER_PORT:
        return None
    return header + 8


def overhear(names: list[str], count: int) -> list[Seen]:
    """What these nodes say to each other, heartbeats included: so many frames at least."""
    captures = [Capture("sw", topology.switch_port(name)) for name in names]
    for capture in captures:
        capture.__enter__()
    try:
        until(
            lambda: sum(len(cluster_frames(capture.received())) for capture in captures) >= count,
            30,
            "the nodes speak",
        )
    finally:
        for capture in captures:
            capture.__exit__()
    return [frame for capture in captures for frame in cluster_frames(capture.received())]


def cluster_frames(seen: list[Seen]) -> list[Seen]:
    """Those that nodes say to each other."""
    return [frame for frame in seen if udp_payload_offset(frame) is not None]
