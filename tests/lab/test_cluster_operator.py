"""What an operator does with a cluster: look at it, hand over, take a node out, change the key."""

import json
import secrets
import tempfile
from pathlib import Path
from typing import Any

from cluster_support import ClusterTest
from qure_dev.failover.probe import Probe
from qure_dev.lab import cluster
from support import SERVICE_V4, until


class Operator(ClusterTest):
    alone = True

    def setUp(self) -> None:
        super().setUp()
        self.old = cluster.master(self.before)

    def test_every_node_shows_all(self) -> None:
        for name in self.names:
            rows = {row["name"]: row for row in json.loads(self.control(name, "--json", "nodes"))["nodes"]}
            self.assertEqual(set(rows), set(self.names))
            for other, row in rows.items():
                self.assertEqual(row["age"], self.before[other]["age"], f"{name} on {other}")
                self.assertEqual(row["state"], "self" if other == name else "alive", f"{name} on {other}")
            self.assertEqual([other for other, row in rows.items() if row["role"] == "master"], [self.old])
            term = json.loads(self.control(name, "--json", "term"))
            self.assertEqual((term["term"], term["master"]["name"]), (self.before[name]["term"], self.old))
            for command in ("nodes", "status", "term", "history"):
                self.assertIn(self.old, self.control(name, command))

    def test_history_is_drawn(self) -> None:
        self.assertTrue(self.control("n1", "history", "--plot").strip())
        with tempfile.TemporaryDirectory() as work:
            path = Path(work, "online.svg")
            self.control("n1", "history", "--svg", str(path))
            self.assertIn("<svg", path.read_text())

    def test_handover_to_a_named_node(self) -> None:
        member = next(name for name in self.names if name not in (self.old, cluster.deputy(self.before)))
        with Probe(self.lab.build, SERVICE_V4, 1000) as probe:
            self.control(self.old, "handover", member)
            until(lambda: cluster.master(self.whole()) == member, 10, f"{member} leads")
            report = probe.report()
        self.assertEqual((report["lost"], report["duplicates"]), (0, 0), report)
        self.assertIn("nobody", self.control(member, "handover", "nobody", status=1))

    def test_maintenance(self) -> None:
        self.control(self.old, "maintenance", "on")
        self.addCleanup(self.control, self.old, "maintenance", "off")
        until(lambda: cluster.master(self.whole()) != self.old, 10, f"{self.old} hands over")
        successor = cluster.master(self.whole())
        third = next(name for name in self.names if name not in (self.old, successor))
        self.control(successor, "handover", self.old, status=1)
        self.lab.node(successor).kill()
        self.whole_but_for(successor, third)
        self.assertTrue(self.lab.node(self.old).status()["maintenance"])

    def whole_but_for(self, gone: str, wanted: Any) -> None:
        """Waits until `wanted` is master while `gone` is: the node in maintenance does not lead, nor is it deputy."""
        rest = [self.lab.node(name) for name in self.others(gone)]
        until(lambda: cluster.masters(cluster.views(rest)) == [wanted], 20, f"{wanted} leads")
        self.assertIsNone(self.lab.node(wanted).status()["deputy"])

    def test_key_rotation(self) -> None:
        listed = json.loads(self.control("n1", "--json", "key", "list"))["keys"]
        (first,) = [key["id"] for key in listed if key["in_use"]]
        second, key = first + 1, secrets.token_hex(32)
        with Probe(self.lab.build, SERVICE_V4, 200) as probe:
            for step in (("add", str(second), key), ("use", str(second)), ("remove", str(first))):
                for name in self.names:
                    self.control(name, "key", *step)
                    self.assert_unchanged(self.before, self.whole())
            report = probe.report()
        self.assertEqual(report["lost"], 0, report)
        for name in self.names:
            keys = json.loads(self.control(name, "--json", "key", "list"))["keys"]
            self.assertEqual(keys, [{"id": second, "in_use": True}])
        self.lab.node("n3").kill()
        self.lab.node("n3").start()
        self.whole()
