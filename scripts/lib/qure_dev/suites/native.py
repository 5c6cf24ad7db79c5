"""The C++ tests: plain, under sanitizers, and the fuzz targets."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qure_dev.paths import ROOT
from qure_dev.suites import progress
from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Options, Outcome

FUZZED = [path.stem for path in sorted((ROOT / "tests/fuzz").glob("fuzz_*.cc"))]
UNITS = tuple(path.name for path in sorted((ROOT / "tests/unit").iterdir()) if path.is_dir())
# Test -> what builds it. Under AddressSanitizer not those of broken rules: they show that other tests notice.
MEMORY = (
    {name: f"tests/unit/{name}/{name}_test" for name in UNITS}
    | {"packet": "tests/packet/packet_test", "lease": "tests/lease/lease_test", "sim": "tests/sim/sim_test"}
    | {name: f"tests/fuzz/{name}" for name in FUZZED}
)
# Every day those of what reads bytes from outside; the simulator alone takes a quarter of an hour.
MEMORY_EVERYDAY = {
    name: target
    for name, target in MEMORY.items()
    if name in ("proto", "core", "dataplane", "config", "names", "packet", "lease") or name in FUZZED
}
# Threads of ours meet in these folders; the others have nothing that ThreadSanitizer could find.
THREADED = {
    name: f"tests/unit/{name}/{name}_test"
    for name in ("base", "config", "dataplane", "kernel", "names", "operator", "qured", "store")
}
THREADED_EVERYDAY = {"dataplane": THREADED["dataplane"]}
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={Path(__file__).with_name('tsan.supp')}",
}
KEPT_LINES = 40  # of a program that fails
SHOWN_COLUMNS = 90  # of what a program says of its progress
FUZZ_SECONDS = 60
FUZZ_IN_PARALLEL = 2
_GTEST_COUNT = re.compile(r"^\[  (PASSED|SKIPPED|FAILED) +\] (\d+) tests?(?:\.|, listed below:)", re.MULTILINE)
_GTEST_KINDS = {"PASSED": PASSED, "SKIPPED": SKIPPED, "FAILED": FAILED}


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])


def _watched(what: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Runs a program and tells from each line of its output how far it is; its exit status and the output's end."""
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(argv, cwd=ROOT, env=env, text=True, errors="replace", **pipes) as process:  # type: ignore
        for line in process.stdout:
            kept.append(line.rstrip("\n"))
            if line.strip():
                progress.doing(f"{what}: {line.strip()[:SHOWN_COLUMNS]}")
    return process.returncode, "\n".join(kept)


def build(kind: str, *targets: str) -> Outcome | None:
    """Builds; a failure is an Outcome, success is None."""
    start = time.monotonic()
    status, output = _watched(f"building {kind}", [ROOT / "scripts/build", "--type", kind, *targets])
    return None if status == 0 else Outcome("build", FAILED, time.monotonic() - start, output)


def _outcomes(entry: dict[str, Any]) -> Iterator[Outcome]:
    """One test of Meson's log: the cases that GoogleTest counted in it, or itself."""
    name, seconds, text = (
        entry["name"].rpartition(" / ")[2],
        entry["duration"],
        entry.get("stdout", "") + entry.get("stderr", ""),
    )
    counts = {_GTEST_KINDS[kind]: int(count) for kind, count in _GTEST_COUNT.findall(text)}
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        counts = counts or {PASSED: 1}
    elif entry["result"] == "SKIP":
        counts = {SKIPPED: 1}
    else:
        counts.setdefault(FAILED, 1)
    for result, count in counts.items():
        detail = {PASSED: "", SKIPPED: "skipped by itself", FAILED: f"{entry['result']}\n{_tail(text)}"}[result]
        yield Outcome(name, result, seconds, detail, count)


def _meson_tests(directory: str, names: Container[str], options: Options) -> Iterator[Outcome]:
    """Runs Meson's tests of these names (all if none) in a build directory."""
    argv = ["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", "--logbase", "scripts-test"]
    listed = subprocess.run(
        ["meson", "test", "-C", directory, "--no-rebuild", "--list"], cwd=ROOT, capture_output=True, text=True
    )
    known = [line.rpartition(" / ")[2] for line in listed.stdout.splitlines() if " / " in line]
    chosen = [name for name in known if (not names or name in names) and options.wants(name)]
    if not chosen:
        return
    log = ROOT / directory / "meson-logs/scripts-test.json"
    log.unlink(missing_ok=True)
    _, output = _watched(f"testing in {directory}", [*argv, *chosen], os.environ | SANITIZERS)
    if not log.exists():
        yield Outcome("meson test", FAILED, detail=output)
        return
    for line in log.read_text().splitlines():
        yield from _outcomes(json.loads(line))


def _suite(
    kind: str, directory: str, targets: Mapping[str, str] | None = None, quick: Mapping[str, str] | None = None
) -> Callable[[Options], Iterator[Outcome]]:
    """All tests, or those of `targets` (test -> what builds it), or in the everyday run those of `quick`."""

    def run(options: Options) -> Iterator[Outcome]:
        chosen = (not options.full and quick) or targets or {}
        failure = build(kind, *chosen.values())
        if failure:
            yield failure
            return
        yield from _meson_tests(directory, chosen, options)

    return run


unit = _suite("plain", "build")
asan = _suite("asan", "build-asan", MEMORY, MEMORY_EVERYDAY)
tsan = _suite("tsan", "build-tsan", THREADED, THREADED_EVERYDAY)


def _fuzz_one(target: Path, seconds: float) -> Outcome:
    """Replays the corpus of a target, then looks for more. What it finds is told with the input, to keep as a test."""
    start = time.monotonic()
    corpus = ROOT / "tests/fuzz/corpus" / target.name
    with tempfile.TemporaryDirectory() as work:
        argv: list[str | Path] = [
            target,
            f"-max_total_time={seconds}",
            "-max_len=2048",
            "-rss_limit_mb=2048",
            "-timeout=5",
            "-print_final_stats=1",
            f"-artifact_prefix={work}/",
            work,
            *([corpus] if corpus.is_dir() else []),
        ]
        done = subprocess.run(argv, env=os.environ | SANITIZERS, capture_output=True, text=True)
        found = [
            f"{path.name}: {path.read_bytes().hex()}"
            for path in Path(work).glob("*-*")
            if path.name.startswith(("crash", "timeout", "oom", "leak"))
        ]
    spent = time.monotonic() - start
    if done.returncode == 0:
        return Outcome(target.name, PASSED, spent)
    return Outcome(target.name, FAILED, spent, "\n".join([_tail(done.stderr, 30), *found]))


def fuzz(options: Options) -> Iterator[Outcome]:
    if not options.full:
        yield Outcome("search", SKIPPED, detail="only with --full; asan replays the corpora")
        return
    names = [name for name in FUZZED if options.wants(name)]
    failure = build("fuzz", *[f"tests/fuzz/{name}" for name in names])
    if failure:
        yield failure
        return
    with ThreadPoolExecutor(FUZZ_IN_PARALLEL) as pool:
        yield from pool.map(lambda name: _fuzz_one(ROOT / "build-fuzz/tests/fuzz" / name, FUZZ_SECONDS), names)
