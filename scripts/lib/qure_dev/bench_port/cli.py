"""The command line of `scripts/bench port`."""

import argparse
import json
import os
import signal
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from qure_dev.bench_port.kinds import KINDS, Kind
from qure_dev.bench_port.programs import Bench, Figures, Unable
from qure_dev.paths import build_directory

EPILOG = """\
QuRe's dataplane as it is in production (ports, worker, host port, flow table, open gate) is master of a site whose
service is another node's: frames of 1,024 known UDP flows come in from the gateway and leave for that peer by the same
port. Beside it, on the same port, with the same generator and device arguments, dpdk-testpmd swaps MAC addresses.

  net_ring   both ends in one process, where testpmd cannot be; beside it a plain loop: receive, swap, send
  af_packet  a veth pair; each end a process
  memif      shared memory; each end a process, the generator the client

One CPU for the device, one for the generator, which keeps 512 frames on their way: it sends each again that comes back.
The figures are medians of turns taken one after the other: frames a second that came back; the ratio of QuRe's to the
other's; lost, of all turns; idle, the share of the time in which the generator waited for the device. Where that is
near 0 the generator is the limit, and the ratio says little. A kind that this machine cannot do is reported as skipped.
Huge pages are not used; the size is without the frame check sequence. Needs root and two CPUs."""

FRAME_SIZE = 64


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench port",
        description="Packets a second through QuRe's worker between real ports, beside dpdk-testpmd.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [kind.name for kind in KINDS]
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each (default 5)")
    parser.add_argument("--seconds", type=float, default=1.5, metavar="S", help="length of a turn (default 1.5)")
    parser.add_argument("--port", choices=names, action="append", help="only this kind; may be repeated")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("it takes a round and some time at least")
    return arguments


def summary(turns: Sequence[Figures]) -> Figures:
    return {
        "pps": round(statistics.median(turn["pps"] for turn in turns)),
        "idle": round(statistics.median(turn["idle"] for turn in turns), 3),
        "lost": sum(turn["lost"] for turn in turns),
    }


def row(kind: type[Kind], bench: Bench, rounds: int) -> dict[str, Any]:
    """A row of the report."""
    base = {"port": kind.name, "size": FRAME_SIZE}
    try:
        turns = kind().measure(bench, rounds)
    except Unable as reason:
        return base | {"skipped": str(reason)}
    qure, beside = map(summary, turns)
    ours = {f"qure_{key}": value for key, value in qure.items()}
    theirs = {f"beside_{key}": value for key, value in beside.items()}
    return base | ours | {"beside": kind.beside} | theirs | {"ratio": round(qure["pps"] / beside["pps"], 3)}


def line(entry: dict[str, Any]) -> str:
    if "skipped" in entry:
        return f"{entry['port']:<10} skipped: {entry['skipped']}"
    return (
        f"{entry['port']:<10} {entry['qure_pps']:>10,} {entry['qure_idle']:>6.2f} {entry['qure_lost']:>6}"
        f" {entry['beside_pps']:>12,} {entry['beside_idle']:>6.2f} {entry['beside_lost']:>6} {entry['ratio']:>6.2f}"
        f"  {entry['beside']}"
    )


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the namespace is removed on the way out
    cpus = sorted(os.sched_getaffinity(0))[:2]
    kinds = [kind for kind in KINDS if not arguments.port or kind.name in arguments.port]
    if len(cpus) < 2 or os.geteuid() != 0:
        print("bench port: it takes root and two CPUs", file=sys.stderr)
        return 1
    if not arguments.json:
        print("port         QuRe pps   idle   lost   beside pps   idle   lost  ratio  beside", flush=True)
    rows = []
    try:
        with Bench(build_directory(), cpus, arguments.seconds) as bench:
            for kind in kinds:
                rows.append(row(kind, bench, arguments.rounds))
                if not arguments.json:
                    print(line(rows[-1]), flush=True)
    except RuntimeError as error:
        print(f"bench port: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"rows": rows}, indent=2))
    return 0
