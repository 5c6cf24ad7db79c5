"""The command line of scripts/check."""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from qure_dev.checks import commits, compiler, docs, lengths, python, rules, words
from qure_dev.paths import ROOT

# Name -> (what it demands, function); those below need a configured build directory.
CHECKS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "format": ("clang-format changes nothing", compiler.formatted),
    "black": ("black changes nothing", python.black),
    "mypy": ("mypy finds nothing", python.mypy),
    "walls": ("each folder includes only what it may", rules.walls),
    "words": ("nothing left for later, no test that naps", words.words),
    "dead-words": ("none of the words in checks/words.py", words.dead_words),
    "docs": ("docs and code have the same commands and configuration keys", docs.docs),
    "doc-width": (f"prose in *.md to {docs.MAX_PROSE} columns", docs.widths),
    "length": (
        f"functions to {lengths.MAX_FUNCTION} lines, files to {lengths.MAX_FILE}, lines to {lengths.MAX_LINE} columns",
        lengths.check,
    ),
    "scripts": ("every script parses and has --help", rules.programs),
    "commits": ("subjects are 'area: imperative summary', areas are folders", commits.commits),
}
BUILD_CHECKS: dict[str, tuple[str, Callable[[compiler.Look], list[str]]]] = {
    "headers": ("each header compiles alone", compiler.headers),
    "tidy": ("clang-tidy finds nothing", compiler.tidy),
}
NAMES = (*CHECKS, *BUILD_CHECKS)
Row = dict[str, Any]


def run(names: Iterable[str], build: Path, patience: float = math.inf) -> Iterator[Row]:
    """Yields one row per check: {"name", "ok", "seconds", "problems", "note"}."""
    for name in names:
        start = time.monotonic()
        look = compiler.Look(build, patience)
        if name in CHECKS:
            problems = CHECKS[name][1]()
        elif (build / "compile_commands.json").exists():
            problems = BUILD_CHECKS[name][1](look)
        else:
            problems = [f"{build} is not configured: run scripts/build first"]
        seconds = round(time.monotonic() - start, 1)
        yield {"name": name, "ok": not problems, "seconds": seconds, "problems": problems, "note": look.note}


def check_message(path: Path) -> int:
    """The commit-msg hook."""
    problems = commits.message_problems(path.read_text())
    for problem in problems:
        print(f"commit message: {problem}", file=sys.stderr)
    return 1 if problems else 0


def parse() -> argparse.Namespace:
    width = max(map(len, NAMES))
    listed = [f"  {name:<{width}}  {what}" for name, (what, _) in (CHECKS | BUILD_CHECKS).items()]
    parser = argparse.ArgumentParser(
        prog="check",
        description="Checks the form of the tree. Exit status 0: nothing found.",
        epilog="\n".join(listed),
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
    parser.add_argument("--message", type=Path, metavar="FILE", help="check this commit message, and nothing else")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("names", nargs="*", metavar="CHECK", help="only these (default: all)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no check {', '.join(sorted(unknown))}")
    return arguments


def main() -> int:
    arguments = parse()
    if arguments.message:
        return check_message(arguments.message)
    width = max(map(len, NAMES))
    rows = []
    for row in run(arguments.names or NAMES, arguments.build, 60 * arguments.minutes):
        rows.append(row)
        if not arguments.json:
            print(f"{row['name']:<{width}}  {'ok' if row['ok'] else 'FAILED'}  {row['seconds']:.1f} s", flush=True)
            for line in [*row["problems"], *filter(None, [row["note"]])]:
                print(f"  {line}")
    if arguments.json:
        print(json.dumps({"checks": rows}))
    return 0 if all(row["ok"] for row in rows) else 1
