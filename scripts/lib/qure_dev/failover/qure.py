"""QuRe under fault: one run after the other, the cluster whole before each."""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from qure_dev.failover import wire
from qure_dev.failover.faults import FAULTS, Fault, Pause
from qure_dev.failover.figures import Run, Stray
from qure_dev.failover.probe import Probe
from qure_dev.lab import cluster
from qure_dev.lab.capture import Frame, Sources
from qure_dev.lab.cluster import Views
from qure_dev.lab.lab import Lab, Request
from qure_dev.lab.node import Node
from qure_dev.lab.topology import SERVICE_V4
from qure_dev.waiting import until, watch

STEADY = (0.3, 0.6)  # seconds of service before the fault: it strikes at any phase of a heartbeat


class Session:
    def __init__(self, fault: str, rate: int, nodes: int, build: Path | None = None) -> None:
        self._lab = Lab(build)
        self._fault = fault
        self._rate = rate
        self._nodes = nodes

    def open(self, say: Callable[[str], None]) -> None:
        self._lab.up(Request(nodes=self._nodes), say=say)

    def close(self) -> None:
        self._lab.down()

    def run(self) -> Run:
        """One fault, from a whole cluster to a whole cluster."""
        before = self._lab.wait_whole()
        old = self._lab.node(cluster.master(before))
        macs = [entry["mac"] for entry in before[old.name]["addresses"]]
        others = [node for node in self._lab.nodes() if node.name != old.name]
        fault = FAULTS[self._fault]()
        with Sources(list(before), macs) as capture:
            with Probe(self._lab.build, SERVICE_V4, self._rate) as probe:
                watch(random.uniform(*STEADY))
                fault.strike(old)
                after = self._await_master([*others, old] if fault.returns else others, before[old.name]["term"])
                report = probe.report()
            frames = capture.take()
        fault.mend(old)
        self._lab.wait_whole()
        winner = cluster.master(after)
        takeover = after[winner]["last_takeover"] or {}
        lease = before[old.name]["lease"]["seconds"]
        took = takeover.get("took_seconds")
        return Run(
            outage_ms=report["outage_ms"],
            sent=report["sent"],
            lost=report["lost"],
            duplicates=max(report["duplicates"], wire.answered_twice(frames)),
            winner=winner,
            believed_ms=None if took is None else round(took * 1e3, 3),
            cause=takeover.get("cause"),
            lease_ms=round(lease * 1e3, 3),
            stray=self._stray(fault, frames, old.name),
        )

    @staticmethod
    def _await_master(nodes: Iterable[Node], old_term: Any) -> Views:
        """What the nodes say once one of them is master under a later term."""
        last: Views = {}

        def found() -> bool:
            last.clear()
            last.update(cluster.views(nodes))
            names = cluster.masters(last)
            return len(names) == 1 and last[names[0]]["term"] != old_term

        until(found, 20, lambda: f"a new master; last seen {last}")
        return dict(last)

    def _stray(self, fault: Fault, frames: Sequence[Frame], old: str) -> Stray:
        """Frames from the service MACs that the old master must not have sent."""
        if isinstance(fault, Pause):
            return wire.sent_since(frames, old, fault.resumed_ns)
        return wire.sent_after_successor(frames, old)
