"""Births and deaths: eras, ages and the history that all share; a node that was away; a cloned disk."""

import os
import random
import shutil

from cluster_support import ClusterTest
from qure_dev.lab import cluster
from support import QUICK, SERVICE_V4, until

ROUNDS = int(os.environ.get("QURE_ROUNDS") or (1 if QUICK else 3))
ERAS_KEPT = 8  # events of older eras become a summary


class Lifetimes(ClusterTest):
    def test_started_at_once_in_any_order(self) -> None:
        """All are killed and started again: one master, the next era, every age one more, the history intact."""
        for turn in range(ROUNDS):
            order = random.sample(self.names, len(self.names))
            with self.subTest(turn=turn, order=order):
                before, known = self.whole(), self.same_history()
                self.kill_all()
                self.lab.start(order)
                after = self.whole()
                era = before["n1"]["era"] + 1
                for name in self.names:
                    self.assertEqual((after[name]["era"], after[name]["age"]), (era, before[name]["age"] + 1), name)
                    self.assertEqual(after[name].get("lineage"), before[name].get("lineage"), name)
                recent = {key for key, event in known.items() if event["era"] > era - ERAS_KEPT}
                self.assertEqual(recent - self.same_history().keys(), set(), "events are lost")
                self.assertIn(" 0% packet loss", self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4))

    def test_started_one_after_the_other(self) -> None:
        before = self.whole()
        self.kill_all()
        self.lab.start(random.sample(self.names, len(self.names)), staggered=True)
        after = self.whole()
        for name in self.names:
            self.assertEqual(after[name]["era"], before[name]["era"] + 1, name)
            self.assertEqual(after[name]["age"], before[name]["age"] + 1, name)

    def test_a_node_that_was_away_learns_what_it_missed(self) -> None:
        known = self.same_history()
        self.lab.node("n3").kill()
        self.whole("n1", "n2")
        self.lab.node("n1").kill()
        self.lab.node("n1").start()
        self.whole("n1", "n2")
        missed = self.same_history("n1", "n2").keys() - known.keys()
        events = self.history("n1")
        self.assertIn("boot", [events[key]["kind"] for key in missed])
        self.lab.node("n3").start()
        after = self.whole()
        self.assertEqual(missed - self.same_history().keys(), set())
        self.assertEqual(after["n3"]["era"], self.before["n3"]["era"], "an era goes on while one node lives")

    def test_a_node_gives_what_only_it_knew(self) -> None:
        self.same_history()
        self.kill_all()
        alone = self.lab.node("n3")
        alone.start()
        self.whole("n3")
        status = alone.status()
        own = {key for key in self.history("n3") if key[:2] == (status["node_id"], status["age"])}
        self.assertTrue(own)
        alone.kill()
        self.lab.start(["n1", "n2"])
        self.whole("n1", "n2")
        self.assertFalse(own & self.same_history("n1", "n2").keys())
        alone.start()
        self.whole()
        self.assertEqual(own - self.same_history().keys(), set())


class Clone(ClusterTest):
    def test_a_cloned_disk_takes_a_new_identity(self) -> None:
        """n3 starts from a copy of n1's data while n1 lives: it is n3 that becomes another."""
        for name in ("n1", "n3"):
            self.lab.node(name).kill()
        data = self.lab.node("n3").directory / "data"
        shutil.rmtree(data)
        shutil.copytree(self.lab.node("n1").directory / "data", data)
        self.lab.node("n1").start()
        self.whole("n1", "n2")
        self.lab.node("n3").launch()
        until(
            lambda: (self.lab.node("n3").status() or {}).get("node_id") not in (None, self.before["n1"]["node_id"]),
            30,
            lambda: f"the clone takes a new id; {self.lab.node('n3').last_words()}",
        )
        after = self.whole()
        self.assertEqual(after["n1"]["node_id"], self.before["n1"]["node_id"])
        self.assertEqual(after["n2"]["node_id"], self.before["n2"]["node_id"])
        self.assertEqual(len({status["node_id"] for status in after.values()}), 3)
        self.assertEqual(len({status["node_mac"] for status in after.values()}), 3)
        until(
            lambda: not any(status["ineligible"] for status in self.whole().values()),
            30,
            "no node is ineligible any more",
        )
        self.assertIn(cluster.master(after), ("n1", "n2"), "the clone came last")
