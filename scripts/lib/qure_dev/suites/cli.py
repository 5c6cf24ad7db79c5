"""The command line of scripts/test."""

import argparse
import dataclasses
import json
import signal
import sys
import time

from qure_dev.suites import form, lab_tests, native, sim
from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Options

SUITES = {
    "unit": ("unit and packet tests, as released", native.unit),
    "sim": ("the cluster under the simulator: 2000 seeds over all scenarios (200 with --quick), broken rules", sim.sim),
    "lab": ("real nodes in network namespaces, real clients", lab_tests.lab),
    "check": ("scripts/check: format, walls, headers, tidy, lengths, commits", form.check),
    "asan": ("those under AddressSanitizer and UBSan, but for broken rules (with --quick, the simulator)", native.asan),
    "tsan": ("those with threads under ThreadSanitizer (those of the dataplane with --quick)", native.tsan),
    "fuzz": ("each fuzz target: its corpus, then a minute of search (not with --quick)", native.fuzz),
}


def parse():
    width = max(map(len, SUITES))
    listed = "\n".join(f"  {name:<{width}}  {what}" for name, (what, _) in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="test",
        description="Installs what is missing, builds, and runs all tests. The last line: N passed, N failed.",
        epilog=f"suites:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="flood for seconds instead of a minute, 2 minutes for tidy instead of 15, fewer seeds, no fuzz search",
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
        if only.partition(":")[0] not in SUITES:
            parser.error(f"no suite '{only}'")
    return arguments


def report(outcome, out):
    mark = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}[outcome.result]
    cases = f", {outcome.count} cases" if outcome.count > 1 else ""
    print(f"  {mark:<7} {outcome.name} ({outcome.seconds:.1f} s{cases})", file=out)
    if outcome.detail:
        print("\n".join(f"          {line}" for line in outcome.detail.splitlines()), file=out)
    out.flush()


def run(arguments, out):
    """Runs the chosen suites; returns suite -> outcomes."""
    chosen = [only.partition(":")[::2] for only in arguments.only] or [(name, "") for name in SUITES]
    results = {}
    for name, pattern in chosen:
        what, suite = SUITES[name]
        print(f"{name}: {what}", file=out, flush=True)
        start = time.monotonic()
        for outcome in suite(Options(arguments.quick, pattern)):
            results.setdefault(name, []).append(outcome)
            report(outcome, out)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=out, flush=True)
    return results


def main():
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    out = sys.stderr if arguments.json else sys.stdout
    results = run(arguments, out)
    outcomes = [outcome for suite in results.values() for outcome in suite]
    totals = {
        result: sum(outcome.count for outcome in outcomes if outcome.result == result)
        for result in (PASSED, FAILED, SKIPPED)
    }
    for name, suite in results.items():
        for outcome in suite:
            if outcome.result == FAILED:
                print(f"FAILED: {name}: {outcome.name}", file=out)
    if arguments.json:
        suites = {name: [dataclasses.asdict(outcome) for outcome in suite] for name, suite in results.items()}
        print(json.dumps({"suites": suites, **totals}))
    skipped = f", {totals[SKIPPED]} skipped" if totals[SKIPPED] else ""
    print(f"{totals[PASSED]} passed, {totals[FAILED]} failed{skipped}", file=out)
    return 1 if totals[FAILED] or not totals[PASSED] else 0
