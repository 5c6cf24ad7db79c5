"""The command line of `scripts/bench dns`."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qure_dev import programs
from qure_dev.bench_dns import generator, servers, zone
from qure_dev.bench_dns.generator import Turn
from qure_dev.bench_dns.servers import Server
from qure_dev.lab.lock import LabError, own
from qure_dev.lab.node import Node
from qure_dev.paths import build_directory
from qure_dev.waiting import until

EPILOG = """\
In memory: ns a query through the production pipeline, with zones of 10, 100,000 and 1,000,000 names, beside a plain
pass over the same frames; limiter: of them for the rate limit.

Over the lab's switch, a zone of 100,000 names: qured, knotd and nsd, one thread each, answer dnsperf in the gateway's
namespace, turn about. Queries a second are what generator and server do together on this machine's CPUs; lost, of all
turns; cpu, the server's own CPU time a query, with what qured spends on looking for frames. No server limits rates.

Swap: the 100,000 names are read again under full load. lost, of all turns; p999 ratio: the latency that one query in a
thousand exceeds, of the turns with a reload to those without.

Needs root."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench dns",
        description="DNS queries: in memory, over a switch beside Knot and NSD, and while a zone is swapped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns, and no zone of 1,000,000 names")
    return parser.parse_args()


def in_memory(build: Path, quick: bool) -> list[dict[str, Any]]:
    argv = [str(build / "tests/bench/bench_dns"), "--json", *(["--quick"] if quick else [])]
    with tempfile.TemporaryDirectory(prefix="qure-bench-") as directory:
        environment = os.environ | {"RUNTIME_DIRECTORY": directory}  # of DPDK's files
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"bench_dns: {done.stderr.strip()}")
    return json.loads(done.stdout)["rows"]


def _turn(server: Server, questions: Path, seconds: float) -> tuple[Turn, float]:
    before = server.cpu_seconds()
    turn = generator.run(server, questions, seconds)
    return turn, server.cpu_seconds() - before


def over_veth(everybody: Sequence[Server], questions: Path, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """All servers, turn about, so that a noisy neighbour hits all."""
    turns: dict[str, list[tuple[Turn, float]]] = {server.name: [] for server in everybody}
    for _ in range(rounds):
        for server in everybody:
            turns[server.name].append(_turn(server, questions, seconds))
    return {
        name: {
            "qps": round(statistics.median(turn.qps for turn, _ in done)),
            "lost": sum(turn.lost for turn, _ in done),
            "cpu_us": round(statistics.median(cpu * 1e6 / turn.completed for turn, cpu in done), 3),
        }
        for name, done in turns.items()
    }


def _p999(turn: Turn) -> float:
    if not turn.latencies:
        raise RuntimeError("dnsperf told no latencies")
    return turn.latencies[min(len(turn.latencies) - 1, len(turn.latencies) * 999 // 1000)]


def _serial(node: Node) -> int:
    zones = (node.query("config", "show") or {"cluster": {"zone": []}})["cluster"]["zone"]
    return next((row["serial"] for row in zones if row["name"] == f"{zone.APEX}."), 0)


def _swap(server: Server, node: Node, zone_file: Path, serial: int, questions: Path, seconds: float) -> Turn:
    """A turn with a reload in it: the zone is a new one before it ends."""
    zone.write_zone(zone_file, serial)
    before = _answered(node)
    with generator.Generator(server, questions, seconds, each=True) as load:
        until(lambda: _answered(node) > before, 5, "queries come in")
        done = node.control("reload", timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"reload: {done.stdout}{done.stderr}")
        turn = load.finish()
    until(lambda: _serial(node) == serial, 30, f"the zone has serial {serial}")
    return turn


def _answered(node: Node) -> int:
    return next(row["lan"] for row in node.query("counters")["reasons"] if row["reason"] == "dns_answer")


def swap(server: Server, node: Node, zone_file: Path, questions: Path, rounds: int, seconds: float) -> dict[str, float]:
    quiet, swapped = [], []
    for number in range(rounds):
        quiet.append(generator.run(server, questions, seconds, each=True))
        swapped.append(_swap(server, node, zone_file, 2 + number, questions, seconds))
    p999 = [statistics.median(map(_p999, turns)) for turns in (swapped, quiet)]
    return {
        "lost": sum(turn.lost for turn in swapped),
        "p999_ratio": round(p999[0] / p999[1], 2),
        "p999_us": round(p999[0] * 1e6),
        "quiet_p999_us": round(p999[1] * 1e6),
    }


def measure(build: Path, quick: bool) -> dict[str, Any]:
    report: dict[str, Any] = {"rows": in_memory(build, quick)}
    rounds, seconds = (1, 1) if quick else (5, 2)
    with tempfile.TemporaryDirectory(prefix="qure-bench-") as name, own():
        directory = Path(name)
        zone_file, questions = directory / "bench.zone", directory / "questions"
        zone.write_zone(zone_file)
        zone.write_questions(questions)
        with servers.all_of_them(directory, zone_file) as (everybody, node):
            report["veth"] = over_veth(everybody, questions, rounds, seconds)
            report["swap"] = swap(everybody[0], node, zone_file, questions, 1 if quick else 3, 2)
    return report


def show(report: dict[str, Any]) -> None:
    print("    names       ns  plain ns  ratio  limiter ns")
    for row in report["rows"]:
        times = f"{row['ns']:>8.1f} {row['plain_ns']:>9.1f} {row['ratio']:>6.2f} {row['limiter_ns']:>11.1f}"
        print(f"{row['names']:>9} {times}")
    print("\nserver   queries/s     lost  cpu us")
    for name, row in report["veth"].items():
        print(f"{name:<8} {row['qps']:>9,} {row['lost']:>8} {row['cpu_us']:>7.2f}")
    swapped = report["swap"]
    print(f"\nswap: {swapped['lost']} lost, p999 {swapped['p999_us']} us, otherwise {swapped['quiet_p999_us']} us")


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    try:
        programs.build(programs.QURED, programs.QURECTL)
        report = measure(build_directory(), arguments.quick)
    except (RuntimeError, TimeoutError, LabError) as error:
        print(f"bench dns: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    return 0
