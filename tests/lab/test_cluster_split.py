"""A LAN that falls apart and comes together again."""

import time
from typing import Any

from cluster_support import ClusterTest
from qure_dev.lab import cluster
from qure_dev.lab.capture import Sources
from qure_dev.waiting import watch
from support import SERVICE_V4, until

OVERLAP = 1.0  # seconds: 50 ms are proven in the simulator; here only that it ends


def ticket(term: Any) -> Any:
    """Terms in their order."""
    return term["era"], term["epoch"], int(term["holder"], 16)


class Split(ClusterTest):
    def test_one_and_two_and_healed(self) -> None:
        """Each part has the gateway, so each has a master while they are apart; then one steps down."""
        old = cluster.master(self.before)
        rest = self.others(old)
        macs = [entry["mac"] for entry in self.before[old]["addresses"]]
        self.lab.split([old], rest)
        views = {}

        def two() -> bool:
            views.update(cluster.views(self.lab.nodes()))
            return len(cluster.masters(views)) == 2

        until(two, 20, lambda: f"a master on either side: {cluster.problem(views)}")
        self.assertIn(old, cluster.masters(views))
        with Sources(self.names, macs) as wire:
            healed = time.time_ns()
            self.lab.heal()
            after = self.whole()
            self.gw("ping", "-c", "20", "-i", "0.05", "-W", "2", SERVICE_V4)
            frames = wire.take()
        winner = cluster.master(after)
        greatest = max(ticket(views[name]["term"]) for name in cluster.masters(views))
        self.assertGreaterEqual(ticket(after[winner]["term"]), greatest)
        late = [frame for frame in frames if frame.member != winner and frame.time_ns > healed + OVERLAP * 1e9]
        self.assertEqual(late, [])
        events = self.same_history()
        holders = {event["node"] for event in events.values() if event["kind"] == "master"}
        self.assertGreaterEqual(len(holders), 2)

    def test_master_alone_without_the_gateway(self) -> None:
        """A master that cannot reach the gateway is of no use: it gives up, and follows when it is back."""
        old = cluster.master(self.before)
        self.lab.node(old).cut()
        after = self.whole(*self.others(old))
        self.assertEqual(after[cluster.master(after)]["era"], self.before[old]["era"])
        self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4)
        self.assertEqual(self.lab.node(old).status()["gate"], "shut")
        self.lab.heal()
        healed = self.whole()
        self.assertEqual(cluster.master(healed), cluster.master(after))
        self.same_history()

    def test_member_away_disturbs_nobody(self) -> None:
        old, deputy = cluster.master(self.before), cluster.deputy(self.before)
        member = next(name for name in self.names if name not in (old, deputy))
        self.lab.node(member).cut()
        until(
            lambda: any(row["state"] == "down" for row in self.lab.node(old).query("nodes")["nodes"]),
            20,
            "the master misses it",
        )
        watch(1)
        self.lab.heal()
        after = self.whole()
        self.assertEqual(after[old]["term"], self.before[old]["term"])
