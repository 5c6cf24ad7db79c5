"""The command line of scripts/failover."""

import argparse
import contextlib
import json
import signal
import sys
from typing import Any, TextIO

from qure_dev import programs
from qure_dev.failover import figures, keepalived, qure
from qure_dev.failover.faults import FAULTS
from qure_dev.failover.figures import Run
from qure_dev.lab import topology
from qure_dev.lab.lock import own

EPILOG = """\
faults, always of the present master:
  kill          SIGKILL
  pause         SIGSTOP for 0.8 s, then SIGCONT with ARP requests waiting in its ring
  cut           the switch forwards nothing from or to it; it keeps its carrier
  graceful      SIGTERM: it hands over and ends
  control-hang  its control thread alone stands still for 3 s, then goes on

A client in the gateway's namespace pings the service address, which it resolves by ARP like anyone. Per run: outage,
the longest time without a packet that was answered; packets lost; duplicates, packets answered twice or, on the wire,
by two nodes; the winner, who is master afterwards; how long the takeover took by its own account, and why; the lease
before the fault; stray, frames from the service MACs that the old master sent after its successor's first (pause: after
it was resumed).

--peer keepalived runs Debian's keepalived (VRRPv3, advert_int 0.01, nopreempt) in the same topology afterwards. A
killed or stopped keepalived leaves its address in the kernel, which answers on, so its node is cut off at the switch
for kill, pause and cut.

Exit status: 0 if every run found a new master and no stray frame, 1 otherwise."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="failover",
        description="Takes the master away, again and again, and tells what a client saw of it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=10, metavar="N")
    parser.add_argument("--fault", choices=FAULTS, default="kill")
    parser.add_argument("--rate", type=int, default=1000, metavar="PPS", help="packets a second (default 1000)")
    parser.add_argument("--peer", choices=[keepalived.NAME], help="measure this too, and print the ratio")
    parser.add_argument("--nodes", type=int, default=topology.DEFAULT_NODES, metavar="N", help="at least 2 (default 3)")
    parser.add_argument("--name", type=topology.valid_name, help="of the lab (default: one that nobody uses)")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, all else on standard error")
    arguments = parser.parse_args()
    if arguments.runs < 1 or arguments.nodes < 2 or arguments.rate < 1:
        parser.error("it takes a run, two nodes and a packet a second at least")
    if arguments.peer and arguments.fault not in keepalived.FAULTS:
        parser.error(f"{arguments.peer} has no counterpart of {arguments.fault}")
    return arguments


def line(number: int, run: Run) -> str:
    believed = "" if run.believed_ms is None else f", by itself {run.believed_ms:.1f} ms ({run.cause})"
    lease = "" if run.lease_ms is None else f", lease {run.lease_ms:.1f} ms"
    doubt = f", STRAY frames of the old master: {list(run.stray)}" if run.stray else ""
    counts = f"{run.lost} of {run.sent} lost, {run.duplicates} duplicates"
    return f"  run {number:>3}  outage {run.outage_ms:>8.1f} ms, {counts}; winner {run.winner}{believed}{lease}{doubt}"


def spread_text(name: str, spread: dict[str, Any]) -> str:
    return f"{name:<11} outage p50 {spread['p50']:.1f} ms, p99 {spread['p99']:.1f} ms, max {spread['max']:.1f} ms"


def measure(name: str, session: qure.Session | keepalived.Session, runs: int, out: TextIO) -> list[Run]:
    print(f"{name}:", file=out, flush=True)
    done = []
    with contextlib.closing(session):
        session.open(lambda text: print(text, file=out, flush=True))
        for number in range(1, runs + 1):
            done.append(session.run())
            print(line(number, done[-1]), file=out, flush=True)
    return done


def show(result: dict[str, Any], out: TextIO) -> None:
    print(spread_text("qure", result["outage_ms"]) + f", {result['lost_total']} packets lost in all", file=out)
    if result["peer"]:
        print(spread_text(result["peer"]["name"], result["peer"]["outage_ms"]), file=out)
        print(f"ratio of the medians: {result['ratio_p50']}", file=out)


def main() -> int:
    arguments = parse()
    out = sys.stderr if arguments.json else sys.stdout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    what = (arguments.fault, arguments.rate, arguments.nodes)
    peer_runs = None
    try:
        programs.build(programs.QURED, programs.QURECTL, programs.PROBE, programs.HANG)
        with own(arguments.name or ""):
            runs = measure("qure", qure.Session(*what), arguments.runs, out)
            if arguments.peer:
                peer_runs = measure(arguments.peer, keepalived.Session(*what), arguments.runs, out)
    except (RuntimeError, TimeoutError) as error:
        print(f"failover: {error}", file=sys.stderr)
        return 1
    result = figures.summary(arguments.fault, runs, arguments.peer, peer_runs)
    show(result, out)
    if arguments.json:
        print(json.dumps(result))
    return 1 if any(run.stray for run in runs) else 0
