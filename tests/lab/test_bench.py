"""The benches with networks run to their end; what they measure is hardly judged here."""

import json
import os
import subprocess
import sys
import unittest

from qure_dev.paths import LIBRARY


def run(bench: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The report of a bench."""
    argv = [sys.executable, "-m", f"qure_dev.{bench}", "--json", *arguments]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240)


class DnsBench(unittest.TestCase):
    alone = True

    def test_servers_are_measured_and_a_zone_is_swapped(self) -> None:
        done = run("bench_dns", "--quick")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual([row["names"] for row in report["rows"]], [10, 100_000])
        for row in report["rows"]:
            self.assertGreater(row["ns"], row["plain_ns"])
            self.assertAlmostEqual(row["ratio"], row["ns"] / row["plain_ns"], places=3)
        self.assertEqual(set(report["veth"]), {"qured", "knot", "nsd"})
        for name, row in report["veth"].items():
            self.assertGreater(row["qps"], 100, name)
            self.assertGreaterEqual(row["lost"], 0, name)
            self.assertTrue(0 < row["cpu_us"] < 10_000, row)
        self.assertGreaterEqual(report["swap"]["lost"], 0)
        self.assertGreater(report["swap"]["p999_ratio"], 0)


class PortBench(unittest.TestCase):
    alone = True

    def test_every_kind_of_port_is_measured(self) -> None:
        done = run("bench_port", "--rounds", "1", "--seconds", "0.3")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["port"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertEqual(set(rows), {"net_ring", "af_packet", "memif"})
        self.assertNotIn("skipped", rows["net_ring"])  # takes no device of the machine's
        for row in rows.values():
            if not row.get("skipped"):
                self.assertGreater(row["qure_pps"], 0)
                self.assertGreater(row["beside_pps"], 0)
