"""The simulator as a suite: each scenario over many seeds is one test, each rule broken on purpose another."""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

from qure_dev.paths import ROOT
from qure_dev.suites import native
from qure_dev.suites.outcome import FAILED, PASSED, Options, Outcome

SEEDS = 25  # in each scenario
FULL_SEEDS = 250
_TARGETS = {name: f"tests/sim/{name}" for name in ("qure-sim", "qure-sim-mutants")}
_MUTANT = re.compile(r"^mutant (\S+) +caught in (\S+), (\d+) seeds$", re.MULTILINE)
_SHOWN = 5  # seeds of a scenario that failed, with what they violate


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "build" / _TARGETS[name], *arguments], capture_output=True, text=True)


def sim(options: Options) -> Iterator[Outcome]:
    failure = native.build("plain", *_TARGETS.values())
    if failure:
        yield failure
        return
    yield from _scenarios(options)
    for mutant, scenario, seeds in _MUTANT.findall(_run("qure-sim-mutants", "--list").stdout):
        if options.wants(f"mutant {mutant}"):
            yield _caught(mutant, scenario, seeds)


def _scenarios(options: Options) -> Iterator[Outcome]:
    """All seeds in one run; its rows by scenario."""
    start = time.monotonic()
    done = _run("qure-sim", "--json", "--each", "--seeds", str(FULL_SEEDS if options.full else SEEDS))
    spent = time.monotonic() - start
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    runs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if "scenario" in row:
            runs.setdefault(row["scenario"], []).append(row)
    for scenario, of_it in sorted(runs.items()):
        if options.wants(scenario):
            yield _judged(scenario, of_it, spent * len(of_it) / len(rows))
    if not runs or (done.returncode != 0 and not any(row["violations"] for of_it in runs.values() for row in of_it)):
        yield Outcome("qure-sim", FAILED, spent, f"exit status {done.returncode}: {done.stderr.strip()}")


def _judged(scenario: str, runs: Sequence[dict[str, Any]], seconds: float) -> Outcome:
    failed = [run for run in runs if run["violations"]]
    lines = [f"{len(failed)} of {len(runs)} seeds violate an invariant"]
    for run in failed[:_SHOWN]:
        first = run["violations"][0]
        replay = f"qure-sim --scenario {scenario} --seed {run['seed']}"
        lines.append(f"{replay}: {first['at']:.6f} s  {first['invariant']}: {first['text']}")
    return Outcome(scenario, FAILED if failed else PASSED, seconds, "\n".join(lines) if failed else "")


def _caught(mutant: str, scenario: str, seeds: str) -> Outcome:
    """A broken rule must be noticed by some seed."""
    start = time.monotonic()
    arguments = ("--mutate", mutant, "--scenario", scenario, "--seeds", seeds)
    done = _run("qure-sim-mutants", *arguments)
    result = PASSED if done.returncode == 1 else FAILED
    detail = "" if result == PASSED else f"no seed of {scenario} notices: {(done.stdout + done.stderr).strip()[-300:]}"
    return Outcome(f"mutant {mutant}", result, time.monotonic() - start, detail)
