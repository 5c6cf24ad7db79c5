"""What is measured in a run, and what all runs together say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


Stray = tuple[tuple[float, str], ...]  # frames: when (seconds), of which kind


@dataclass(frozen=True)
class Run:
    outage_ms: float
    sent: int
    lost: int
    duplicates: int  # packets that two masters answered, or that the client saw answered twice
    winner: str
    believed_ms: float | None = None  # from the first sign of a missing master to its claim, by the winner itself
    cause: str | None = None  # of the takeover, by the winner itself
    lease_ms: float | None = None  # between master and deputy before the fault
    stray: Stray = ()  # frames of the old master from the service MACs when it was master no more: seconds, kind

    def row(self) -> dict[str, Any]:
        """The run as JSON."""
        named = {key: getattr(self, key) for key in ("outage_ms", "sent", "lost", "duplicates", "winner")}
        return named | {key: getattr(self, key) for key in ("believed_ms", "cause", "lease_ms", "stray")}


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank: the least value that `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(runs: Sequence[Run]) -> dict[str, float]:
    outages = [run.outage_ms for run in runs]
    return {"p50": round(median(outages), 3), "p99": percentile(outages, 99), "max": max(outages)}


def summary(
    fault: str, runs: Sequence[Run], peer_name: str | None = None, peer_runs: Sequence[Run] | None = None
) -> dict[str, Any]:
    """The form of `scripts/failover --json`."""
    ours = spread(runs)
    theirs = spread(peer_runs) if peer_runs else None
    ratio = ours["p50"] / theirs["p50"] if theirs and theirs["p50"] else None
    return {
        "fault": fault,
        "runs": [run.row() for run in runs],
        "outage_ms": ours,
        "lost_total": sum(run.lost for run in runs),
        "peer": {"name": peer_name, "outage_ms": theirs} if theirs else None,
        "ratio_p50": None if ratio is None else round(ratio, 3),
    }
