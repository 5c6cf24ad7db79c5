"""What the lab tests share: a lab per test class, and short words for what they do to it."""

import os
import re
import subprocess
import time
import unittest
from typing import TYPE_CHECKING, Any

from qure_dev.lab.lab import Lab, Request, add_host, remove_host
from qure_dev.lab.node import Node
from qure_dev.lab.topology import GATEWAY_V4, GATEWAY_V6, METRICS, SERVICE_V4, SERVICE_V6
from qure_dev.waiting import until

QUICK = bool(os.environ.get("QURE_QUICK"))
__all__ = [
    "GATEWAY_V4",
    "GATEWAY_V6",
    "QUICK",
    "SERVICE_V4",
    "SERVICE_V6",
    "LabTest",
    "Mixin",
    "Request",
    "add_host",
    "remove_host",
    "until",
]


class LabTest(unittest.TestCase):
    """One lab for all tests of a class: `request` says which. `alone`: it measures, or needs the whole machine, so that
    no other class runs at the same time."""

    request = Request()
    alone = False
    lab: Lab
    node: Node  # the first

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = Lab()
        cls.lab.down()
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up(cls.request)
        cls.node = cls.lab.node("n1")

    def gw(self, *argv: str, **options: Any) -> str:
        """Runs a command in the gateway; it must succeed. Returns its output."""
        done = self.lab.execute("gw", *argv, **options)
        self.assertEqual(done.returncode, 0, f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def on_node(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in the node's namespace; returns the finished process."""
        return self.lab.execute("n1", *argv, **options)

    def dig(self, *arguments: str, server: str = SERVICE_V4) -> str:
        return self.gw("dig", f"@{server}", "+tries=1", "+time=2", *arguments)

    def curl(self, url: str, member: str = "gw") -> str:
        done = self.lab.execute(member, "curl", "-sS", "-g", "--fail", "--max-time", "10", url)
        self.assertEqual(done.returncode, 0, f"{member}: curl {url}: {done.stderr}")
        return done.stdout

    def forget_neighbors(self) -> None:
        """The gateway's caches are empty, so that what follows has to ask."""
        self.gw("ip", "neigh", "flush", "all")

    def counters(self) -> dict[str, int]:
        """Reason -> frames, LAN and host port together."""
        return {row["reason"]: row["lan"] + row["host"] for row in self.node.query("counters")["reasons"]}

    def worker(self) -> dict[str, float]:
        """The loop counters of all workers, summed."""
        rows = self.node.query("counters")["workers"]
        return {
            key: sum(row[key] for row in rows) for key in ("rounds", "busy_rounds", "sleeps", "sleep_seconds", "stalls")
        }

    def repairs(self) -> int:
        """How often the node has put something back that others had taken from it."""
        text = self.curl(f"http://{METRICS}/metrics", member="n1")
        found = re.search(r"^qure_host_repairs_total (\d+)", text, re.MULTILINE)
        assert found, text
        return int(found[1])

    def repairs_over(self) -> int:
        """The repairs, once there was none for so long that the next harm is not taken for the same that goes on
        (RepairWatch::kQuiet): of that a node despairs."""
        since, known = time.monotonic(), self.repairs()

        def quiet() -> bool:
            nonlocal since, known
            if (now := self.repairs()) != known:
                since, known = time.monotonic(), now
            return time.monotonic() - since > 0.6

        until(quiet, 20, "no repair for a while")
        return known

    def wait_for_counter(self, reason: str, more_than: int, deadline: float = 5) -> None:
        until(
            lambda: self.counters()[reason] > more_than,
            deadline,
            lambda: f"{reason} above {more_than}, is {self.counters()[reason]}",
        )

    def flood(self, count: int, *arguments: str) -> None:
        """ping -f until `count` were answered: all others, which are few, the node has withheld and counted, since the
        machine held it for longer than it keeps an answer back (HeldAnswers)."""
        before = self.counters()
        output = self.gw("ping", "-f", "-q", "-c", str(count), "-w", "90", *arguments, timeout=120)
        self.assertIn(f"{count} received", output)
        lost = self.lost(output)
        if lost > 0:
            after = self.counters()
            changed = {reason: n - before[reason] for reason, n in after.items() if n != before[reason]}
            self.assertLessEqual(lost, min(changed.get("gate_shut", 0), count // 1000), f"{output}{changed}")

    def lost(self, output: str) -> int:
        """Packets that a ping's summary says were lost."""
        found = re.search(r"(\d+) packets transmitted, (\d+) received", output)
        assert found, output
        return int(found.group(1)) - int(found.group(2))

    def edit_config(self, old: str, new: str) -> None:
        """Replaces text in the node's configuration file."""
        text = self.node.config_path.read_text()
        self.assertIn(old, text)
        self.node.config_path.write_text(text.replace(old, new, 1))


if TYPE_CHECKING:
    Mixin = LabTest  # of tests that several classes inherit beside LabTest
else:
    Mixin = object
