"""scripts/bench port runs to its end; what it measures is not judged here."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class PortBench(unittest.TestCase):
    def test_every_kind_of_port_is_measured(self):
        argv = [sys.executable, "-m", "bench_port", "--json", "--rounds", "1", "--seconds", "0.3"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts/lib")}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["port"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertEqual(set(rows), {"net_ring", "af_packet", "memif"})
        self.assertNotIn("skipped", rows["net_ring"])  # takes no device of the machine's
        for row in rows.values():
            if not row.get("skipped"):
                self.assertGreater(row["qure_pps"], 0)
                self.assertGreater(row["beside_pps"], 0)
