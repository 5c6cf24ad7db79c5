"""The command line of scripts/test."""

import argparse
import dataclasses
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from qure_dev.suites import clean, field, form, lab_tests, models, native, progress, python, sim
from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Options, Outcome

SUITES: dict[str, tuple[str, Callable[[Options], Iterator[Outcome]]]] = {
    "scripts": ("the scripts' own tests: every check refuses what it must", python.scripts),
    "unit": ("unit and packet tests, as released", native.unit),
    "check": ("scripts/check: form, layers, words, docs, commits", form.check),
    "sim": (
        f"the cluster under the simulator, {sim.SEEDS} seeds of each scenario ({sim.FULL_SEEDS} with --full); "
        "broken rules are noticed",
        sim.sim,
    ),
    "models": ("every state of the models, by SPIN; broken rules are noticed", models.models),
    "lab": ("real nodes in network namespaces, real clients", lab_tests.lab),
    "asan": ("tests of what reads bytes from outside, under AddressSanitizer and UBSan; all with --full", native.asan),
    "tsan": ("the dataplane's tests under ThreadSanitizer; all that has threads with --full", native.tsan),
    "fuzz": ("each fuzz target searches for a minute, with --full only; asan replays the corpora", native.fuzz),
}
# Tests of the suites above, chosen across them.
CHOICES: dict[str, tuple[str, Callable[[Options], Iterator[Outcome]]]] = {
    "field": ("with --only: the tests of field cases, wherever they live", field.field),
}


def parse() -> argparse.Namespace:
    named = SUITES | CHOICES
    width = max(map(len, named))
    listed = "\n".join(f"  {name:<{width}}  {what}" for name, (what, _) in named.items())
    parser = argparse.ArgumentParser(
        prog="test",
        description="Installs what is missing, builds, and runs the tests that must pass before a change lands. The "
        "last line: N passed, N failed.",
        epilog=f"suites:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="the long run: floods of a minute, 15 minutes for tidy instead of 2, ten times the seeds, fuzz search, "
        "everything under the sanitizers",
    )
    parser.add_argument(
        "--clean",
        action="store_true",
        help="run .ci/run in a clean clone of HEAD; if it is green, write HEAD's hash to .git/tested",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="SUITE[:TEXT]",
        help="only this suite, or its tests whose name contains TEXT; may be repeated",
    )
    parser.add_argument(
        "--json", action="store_true", help="the outcomes as JSON on standard output, progress on standard error"
    )
    arguments = parser.parse_args()
    for only in arguments.only:
        if only.partition(":")[0] not in named:
            parser.error(f"no suite '{only}'")
    if arguments.clean and (arguments.full or arguments.only or arguments.json):
        parser.error("--clean is what .ci/run does: no other option goes with it")
    return arguments


def report(outcome: Outcome, out: TextIO) -> None:
    mark = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}[outcome.result]
    cases = f", {outcome.count} cases" if outcome.count > 1 else ""
    lines = [f"  {mark:<7} {outcome.name} ({outcome.seconds:.1f} s{cases})"]
    lines += [f"          {line}" for line in outcome.detail.splitlines()]
    progress.say("\n".join(lines), out)


def run(arguments: argparse.Namespace, out: TextIO) -> dict[str, list[Outcome]]:
    """Runs the chosen suites; returns suite -> outcomes."""
    chosen = [only.partition(":")[::2] for only in arguments.only] or [(name, "") for name in SUITES]
    results: dict[str, list[Outcome]] = {}
    for name, pattern in chosen:
        what, suite = (SUITES | CHOICES)[name]
        progress.say(f"{name}: {what}", out)
        progress.doing(name)
        start = time.monotonic()
        for outcome in suite(Options(arguments.full, pattern)):
            results.setdefault(name, []).append(outcome)
            report(outcome, out)
        progress.say(f"{name}: {time.monotonic() - start:.0f} s", out)
    return results


def summary(results: dict[str, list[Outcome]], seconds: float, as_json: bool, out: TextIO) -> int:
    """Prints what failed, the time and the totals; returns the exit status."""
    outcomes = [outcome for suite in results.values() for outcome in suite]
    totals = {
        result: sum(outcome.count for outcome in outcomes if outcome.result == result)
        for result in (PASSED, FAILED, SKIPPED)
    }
    for name, suite in results.items():
        for outcome in suite:
            if outcome.result == FAILED:
                print(f"FAILED: {name}: {outcome.name}", file=out)
    if as_json:
        suites = {name: [dataclasses.asdict(outcome) for outcome in suite] for name, suite in results.items()}
        print(json.dumps({"suites": suites, "seconds": round(seconds), **totals}))
    skipped = f", {totals[SKIPPED]} skipped" if totals[SKIPPED] else ""
    print(f"total time: {seconds // 60:.0f} min {seconds % 60:.0f} s", file=out)
    print(f"{totals[PASSED]} passed, {totals[FAILED]} failed{skipped}", file=out)
    return 1 if totals[FAILED] or not totals[PASSED] else 0


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the labs are taken down on the way out
    if arguments.clean:
        return clean.run()
    out = sys.stderr if arguments.json else sys.stdout
    start = time.monotonic()
    with progress.shown(out):
        results = run(arguments, out)
    return summary(results, time.monotonic() - start, arguments.json, out)
