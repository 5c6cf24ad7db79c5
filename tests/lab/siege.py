#!/usr/bin/python3
"""The command line of scripts/siege: a cluster under every sender that we can think of, for minutes."""

import argparse
import contextlib
import json
import signal
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from balance_support import client
from qure_dev import dns_message, programs
from qure_dev.lab import cluster, netns, topology
from qure_dev.lab.lab import Lab, Request, add_host
from qure_dev.lab.lock import own
from qure_dev.lab.topology import SERVICE_V4
from qure_dev.waiting import watch
from siege_attacks import KINDS, Attack, Barrage, all_attacks, find_target
from wire import udp_socket

CONNECTIONS = 100
STEP = 64  # bytes that a connection carries, ten times a second
STALL = 20  # seconds: a segment comes every three
NODES = 3
WARM_UP = 0.2  # of the siege: by then what may grow has grown
MEMORY_KIB = 4096  # that a node may grow by after it
DNS_EVERY = 0.1  # seconds
DNS_TRIES = 3
DNS_TIMEOUT = 0.5  # seconds

_RATES = "\n".join(f"  {name:<13} {kind.rate:>6}  {kind.what}" for name, kind in KINDS.items())
EPILOG = f"""\
All at once, from a host in the LAN (frames a second at --scale 1):
{_RATES}

Meanwhile a client holds {CONNECTIONS} connections through the service address, and another asks a DNS question ten
times a second.

Exit status: 0 if nobody took over, no connection broke, every DNS question was answered (within {DNS_TRIES} tries) and
no node's memory grew by more than {MEMORY_KIB // 1024} MiB after the first fifth of the time; 1 otherwise."""


@dataclass
class Questions:
    """DNS questions asked meanwhile."""

    waits: list[float] = field(default_factory=list)  # seconds until the answer, of those answered
    repeated: int = 0
    unanswered: int = 0


@dataclass
class Watched:
    """What was seen of the cluster during the siege."""

    sent: dict[str, int]
    masters: list[str]  # before and after
    terms: list[Any]
    connections: dict[str, dict[str, int]]
    questions: Questions
    memory: dict[str, list[int]]  # node -> KiB after the warm-up and at the end

    def complaints(self) -> Iterator[str]:
        if self.terms[0] != self.terms[1]:
            yield f"takeover: term {self.terms[0]} of {self.masters[0]} -> {self.terms[1]} of {self.masters[1]}"
        for name, row in self.connections.items():
            if row["broken"]:
                yield f"{row['broken']} of {row['started']} connections of {name} broke"
        if sum(row["started"] for row in self.connections.values()) != CONNECTIONS:
            yield f"not all connections began: {self.connections}"
        if self.questions.unanswered or not self.questions.waits:
            yield f"{self.questions.unanswered} DNS questions were not answered"
        for name, (early, late) in self.memory.items():
            if late > early + MEMORY_KIB:
                yield f"memory of {name} grew from {early} to {late} KiB"

    def figures(self) -> dict[str, Any]:
        waits = sorted(self.questions.waits) or [0.0]
        return {
            "sent": self.sent,
            "masters": self.masters,
            "terms": self.terms,
            "connections": self.connections,
            "dns": {
                "answered": len(self.questions.waits),
                "unanswered": self.questions.unanswered,
                "repeated": self.questions.repeated,
                "p50_ms": round(statistics.median(waits) * 1e3, 2),
                "max_ms": round(waits[-1] * 1e3, 2),
            },
            "memory_kib": self.memory,
            "complaints": list(self.complaints()),
        }


def ask_until(end: float, questions: Questions) -> None:
    """Asks the service address for a name until the monotonic clock says `end`."""
    udp = udp_socket("gw", socket.AF_INET, DNS_TIMEOUT)
    identity = 0
    with contextlib.closing(udp):
        while time.monotonic() < end:
            identity = (identity + 1) & 0xFFFF
            start = time.monotonic()
            for attempt in range(DNS_TRIES):
                udp.sendto(dns_message.query("www.home.example", "A", identity), (SERVICE_V4, 53))
                if _answered(udp, identity):
                    questions.repeated += attempt
                    questions.waits.append(time.monotonic() - start)
                    break
            else:
                questions.unanswered += 1
            watch(max(0.0, DNS_EVERY - (time.monotonic() - start)))


def _answered(udp: socket.socket, identity: int) -> bool:
    try:
        while True:
            if struct.unpack("!H", udp.recv(4096)[:2])[0] == identity:
                return True
    except TimeoutError:
        return False


def _memory(lab: Lab) -> dict[str, int]:
    """Resident KiB of each node."""
    found = {}
    for node in lab.nodes():
        text = Path(f"/proc/{node.recorded().pid}/status").read_text()
        found[node.name] = int(text.partition("VmRSS:")[2].split()[0])
    return found


def besiege(lab: Lab, attacks: Sequence[Attack], seconds: float) -> Watched:
    """All attacks at once on a whole cluster, for so long."""
    before = lab.wait_whole()
    questions = Questions()
    arguments = ("--count", CONNECTIONS, "--seconds", seconds, "--step", STEP, "--stall", STALL)
    with client("downloads.py", *arguments) as downloads:
        assert downloads.stdout
        if downloads.stdout.readline() != "begun\n":
            raise RuntimeError("the connections did not begin")
        end = time.monotonic() + seconds
        asking = threading.Thread(target=ask_until, args=(end, questions))
        asking.start()
        barrages = [Barrage(lab.build, attack, "h1", "lan0", seconds) for attack in attacks]
        watch(seconds * WARM_UP)
        early = _memory(lab)
        asking.join()
        late = _memory(lab)
        sent = {barrage.attack.name: barrage.end() for barrage in barrages}
        output, _ = downloads.communicate(timeout=60 + seconds)
    after = lab.wait_whole()
    masters = [cluster.master(before), cluster.master(after)]
    return Watched(
        sent=sent,
        masters=masters,
        terms=[before[masters[0]]["term"], after[masters[1]]["term"]],
        connections=json.loads(output),
        questions=questions,
        memory={name: [early[name], late[name]] for name in early},
    )


def run(seconds: float, scale: float, out: TextIO) -> Watched:
    lab = Lab()
    lab.down()
    try:
        lab.up(Request(nodes=NODES), say=lambda text: print(text, file=out, flush=True))
        add_host("h1", "lan0", "198.51.100.99/24")
        mac = netns.ip(topology.namespace("h1"), "-br", "link", "show", "dev", "lan0").split()[2]
        views = lab.wait_whole()
        service_mac = views[cluster.master(views)]["addresses"][0]["mac"]
        attacks = all_attacks(find_target(list(views), service_mac), mac, scale)
        rate = sum(attack.rate for attack in attacks)
        print(f"{len(attacks)} attacks, {rate} frames a second, {seconds:.0f} s", file=out, flush=True)
        return besiege(lab, attacks, seconds)
    finally:
        lab.down()


def show(figures: dict[str, Any], out: TextIO) -> None:
    for name, sent in figures["sent"].items():
        print(f"  {name:<14} {sent:>10} frames sent", file=out)
    print(f"  master         {' -> '.join(figures['masters'])}", file=out)
    for name, row in sorted(figures["connections"].items()):
        print(f"  connections    {name}: {row['started']} held, {row['broken']} broken", file=out)
    dns = figures["dns"]
    counts = f"{dns['answered']} answered, {dns['unanswered']} not, {dns['repeated']} asked again"
    print(f"  dns            {counts}; p50 {dns['p50_ms']} ms, max {dns['max_ms']} ms", file=out)
    for name, (early, late) in figures["memory_kib"].items():
        print(f"  memory         {name}: {early} -> {late} KiB", file=out)
    for complaint in figures["complaints"]:
        print(f"  FAILED: {complaint}", file=out)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="siege",
        description="Attacks a cluster in a lab of its own in every way at once and reports what its clients saw.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="how long (default 10)")
    parser.add_argument("--scale", type=float, default=1, metavar="X", help="multiplies the rates (default 1)")
    parser.add_argument("--name", type=topology.valid_name, help="of the lab (default: one that nobody uses)")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, all else on standard error")
    arguments = parser.parse_args()
    if not 0 < arguments.minutes <= 60 or not 0 < arguments.scale <= 10:
        parser.error("--minutes is above 0 and at most 60, --scale above 0 and at most 10")
    out = sys.stderr if arguments.json else sys.stdout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    try:
        programs.build(programs.QURED, programs.QURECTL, programs.BARRAGE)
        with own(arguments.name or ""):
            figures = run(arguments.minutes * 60, arguments.scale, out).figures()
    except (RuntimeError, TimeoutError) as error:
        print(f"siege: {error}", file=sys.stderr)
        return 1
    show(figures, out)
    if arguments.json:
        print(json.dumps(figures))
    return 1 if figures["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
