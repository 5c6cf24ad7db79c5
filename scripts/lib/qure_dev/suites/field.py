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

PYTHON_NAME = "test_field_"
FILTER = "Field*:*/Field*"


def field(options: Options) -> Iterator[Outcome]:
    failure = native.build("plain")
    if failure:
        yield failure
        return
    for program in programs(ROOT / "build"):
        yield from of_program(program, options)
    for suite in (python.scripts, lab_tests.lab):
        for outcome in suite(Options(options.full, PYTHON_NAME)):
            if _wanted(outcome.name, options) or outcome.result != PASSED:
                yield outcome


def programs(build: Path) -> list[Path]:
    """The test programs that have field cases."""
    listed = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True)
    found = {Path(test["cmd"][0]) for test in json.loads(listed.stdout)}
    return sorted(path for path in found if path.name.endswith("_test") and _has_cases(path))


def of_program(program: Path, options: Options) -> Iterator[Outcome]:
    """An outcome for each field case of a GoogleTest program."""
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        argv = [str(program), f"--gtest_filter={FILTER}", f"--gtest_output=json:{report}"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, errors="replace")
        if not report.exists():
            yield Outcome(program.name, FAILED, detail=f"exit status {done.returncode}\n{done.stdout[-2000:]}")
            return
        suites = json.loads(report.read_text())["testsuites"]
    for suite in suites:
        for case in suite["testsuite"]:
            name = f"{program.name}: {suite['name']}.{case['name']}"
            if _wanted(name, options):
                yield Outcome(name, *_judged(case))


def _wanted(name: str, options: Options) -> bool:
    """Ids are written E7 in C++ and e7 in Python."""
    return options.pattern.lower() in name.lower()


def _has_cases(program: Path) -> bool:
    argv = [str(program), "--gtest_list_tests", f"--gtest_filter={FILTER}"]
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
