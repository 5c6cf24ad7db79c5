"""The master goes, and a client hardly notices. Bounds are loose: scripts/failover measures."""

import subprocess

from cluster_support import ClusterTest
from qure_dev.failover import qure
from qure_dev.failover.figures import Run
from qure_dev.failover.probe import Probe
from qure_dev.lab import cluster
from support import SERVICE_V4, until

RATE = 1000
OUTAGE_MS = 1500  # a busy machine; without the deputy an election alone takes a second


class Failover(ClusterTest):
    alone = True

    def check(self, fault: str, outage_ms: float = OUTAGE_MS) -> Run:
        old = cluster.master(self.before)
        run = qure.Session(fault, RATE, 3).run()
        self.assertNotEqual(run.winner, old)
        self.assertLess(run.outage_ms, outage_ms)
        self.assertEqual(run.stray, (), "the old master still spoke for the service address")
        return run

    def test_killed(self) -> None:
        self.assertEqual(self.check("kill").winner, cluster.deputy(self.before))

    def test_paused(self) -> None:
        self.check("pause")

    def test_cut_off(self) -> None:
        self.check("cut")

    def test_control_thread_hangs(self) -> None:
        self.check("control-hang")

    def test_left(self) -> None:
        run = self.check("graceful")
        self.assertEqual((run.lost, run.duplicates), (0, 0))
        self.assertEqual(run.cause, "handover")

    def test_handed_over(self) -> None:
        old, deputy = cluster.master(self.before), cluster.deputy(self.before)
        with Probe(self.lab.build, SERVICE_V4, RATE) as probe:
            self.control(old, "handover")
            self.assertEqual(cluster.master(self.whole()), deputy)
            report = probe.report()
        self.assertEqual((report["lost"], report["duplicates"]), (0, 0), report)

    def test_dns_is_answered_again(self) -> None:
        """The other thing that a master answers by itself."""
        old = cluster.master(self.before)
        with Probe(self.lab.build, SERVICE_V4, RATE, extra=("--dns", "www.home.example")) as probe:
            self.lab.node(old).kill()
            self.whole(*self.others(old))
            report = probe.report()
        self.assertLess(report["outage_ms"], OUTAGE_MS, report)

    def test_master_and_deputy_die_together(self) -> None:
        old, deputy = cluster.master(self.before), cluster.deputy(self.before)
        survivor = next(name for name in self.names if name not in (old, deputy))
        with Probe(self.lab.build, SERVICE_V4, RATE) as probe:
            for name in (old, deputy):
                self.lab.node(name).kill()
            until(
                lambda: self.lab.execute("gw", "ping", "-c", "1", "-W", "1", SERVICE_V4).returncode == 0,
                20,
                "the third serves",
            )
            report = probe.report()
        self.assertEqual(cluster.masters(cluster.views([self.lab.node(survivor)])), [survivor])
        self.assertLess(report["outage_ms"], 5000, report)

    def test_one_core_is_busy(self) -> None:
        """No takeover because somebody else computes."""
        with subprocess.Popen(["sh", "-c", "while :; do :; done"], stdin=subprocess.DEVNULL) as busy:
            try:
                with Probe(self.lab.build, SERVICE_V4, RATE, extra=("--seconds", "5")) as probe:
                    probe.finished()
            finally:
                busy.kill()
        after = self.whole()
        self.assertEqual(after["n1"]["term"], self.before["n1"]["term"])
