"""The command line of scripts/check."""

import argparse
import json
import math
import time

from qure_dev.checks import compiler, lengths, rules
from qure_dev.paths import ROOT

# Name -> (what it demands, function, whether it needs a configured build directory)
CHECKS = {
    "format": ("clang-format changes nothing", compiler.formatted, False),
    "walls": ("each room includes only what it may", rules.walls, False),
    "words": ("nothing left for later, no test that naps", rules.words, False),
    "length": (
        f"functions to {lengths.MAX_FUNCTION} lines, files to {lengths.MAX_FILE}, lines to {lengths.MAX_LINE} columns",
        lengths.check,
        False,
    ),
    "scripts": ("every script parses and has --help", rules.programs, False),
    "commits": ("subjects are 'area: imperative summary'", rules.commits, False),
    "headers": ("each header compiles alone", compiler.headers, True),
    "tidy": ("clang-tidy finds nothing", compiler.tidy, True),
}


def run(names, build, patience=math.inf):
    """Yields one row per check: {"name", "ok", "seconds", "problems", "note"}."""
    for name in names:
        _, function, needs_build = CHECKS[name]
        start = time.monotonic()
        look = compiler.Look(build, patience)
        if needs_build and not (build / "compile_commands.json").exists():
            problems = [f"{build} is not configured: run scripts/build first"]
        else:
            problems = function(look) if needs_build else function()
        seconds = round(time.monotonic() - start, 1)
        yield {"name": name, "ok": not problems, "seconds": seconds, "problems": problems, "note": look.note}


def main():
    width = max(map(len, CHECKS))
    parser = argparse.ArgumentParser(
        prog="check",
        description="Checks the form of the tree. Exit status 0: nothing found.",
        epilog="\n".join(f"  {name:<{width}}  {what}" for name, (what, _, _) in CHECKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--build",
        default=ROOT / "build",
        type=lambda text: ROOT / text,
        metavar="DIR",
        help="configured build directory, for headers and tidy (default: build)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="how long tidy may take; the sources that changed last come first (default: until all are looked at)",
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("names", nargs="*", metavar="CHECK", help="only these (default: all)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(CHECKS)
    if unknown:
        parser.error(f"no check {', '.join(sorted(unknown))}")
    rows = []
    for row in run(arguments.names or CHECKS, arguments.build, 60 * arguments.minutes):
        rows.append(row)
        if not arguments.json:
            print(f"{row['name']:<{width}}  {'ok' if row['ok'] else 'FAILED'}  {row['seconds']:.1f} s", flush=True)
            for line in [*row["problems"], *filter(None, [row["note"]])]:
                print(f"  {line}")
    if arguments.json:
        print(json.dumps({"checks": rows}))
    return 0 if all(row["ok"] for row in rows) else 1
