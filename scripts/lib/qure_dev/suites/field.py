"""The field cases: inputs from real LANs, hosts and senders that once failed, each held by tests named after its id.

GoogleTest suites are called FieldB4…, tests of Python test_field_b4_…; this suite runs them wherever they live."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qure_dev.paths import ROOT
from qure_dev.suites import lab_tests, native, python
from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Options, Outcome


def field(options: Options) -> Iterator[Outcome]:
    """The tests of all cases, or of the case whose id is the pattern."""
    failure = native.build("plain")
    if failure:
        yield failure
        return
    chosen = gtest_filter(options.pattern)
    for program in programs(ROOT / "build", chosen):
        yield from of_program(program, chosen)
    for suite in (python.scripts, lab_tests.lab):
        yield from suite(Options(options.full, python_name(options.pattern)))


def gtest_filter(case: str) -> str:
    """GoogleTest's suites of a case, or of all; those with parameters have a prefix."""
    return f"Field{case.upper()}.*:*/Field{case.upper()}.*" if case else "Field*:*/Field*"


def python_name(case: str) -> str:
    """What the names of the Python tests of a case, or of all, have in common."""
    return f"test_field_{case.lower()}_" if case else "test_field_"


def programs(build: Path, chosen: str) -> list[Path]:
    """The test programs that have cases of this filter."""
    listed = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True)
    found = {Path(test["cmd"][0]) for test in json.loads(listed.stdout)}
    return sorted(path for path in found if path.name.endswith("_test") and _has_cases(path, chosen))


def of_program(program: Path, chosen: str) -> Iterator[Outcome]:
    """An outcome for each case of this filter in a GoogleTest program."""
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        argv = [str(program), f"--gtest_filter={chosen}", f"--gtest_output=json:{report}"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, errors="replace")
        if not report.exists():
            yield Outcome(program.name, FAILED, detail=f"exit status {done.returncode}\n{done.stdout[-2000:]}")
            return
        suites = json.loads(report.read_text())["testsuites"]
    for suite in suites:
        for case in suite["testsuite"]:
            yield Outcome(f"{program.name}: {suite['name']}.{case['name']}", *_judged(case))


def _has_cases(program: Path, chosen: str) -> bool:
    argv = [str(program), "--gtest_list_tests", f"--gtest_filter={chosen}"]
    listed = subprocess.run(argv, capture_output=True, text=True).stdout
    return any(line.startswith("  ") for line in listed.splitlines())


def _judged(case: dict[str, object]) -> tuple[str, float, str]:
    """Result, seconds and detail of a case in GoogleTest's report."""
    seconds = float(str(case["time"]).rstrip("s"))
    failures = case.get("failures", [])
    if failures:
        assert isinstance(failures, list)
        return FAILED, seconds, "\n".join(failure["failure"] for failure in failures)
    return (SKIPPED, seconds, "skipped by itself") if case["result"] == "SKIPPED" else (PASSED, seconds, "")
