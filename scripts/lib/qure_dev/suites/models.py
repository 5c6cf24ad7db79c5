"""The models in tests/models as a suite: SPIN looks at every state of a model, and each rule that is broken on purpose
must break what the model names for it.

A model names its mutants in its head comment, a line each: what to define, the rule that must break, how many harms
that takes, and what is broken on purpose."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from qure_dev.paths import ROOT
from qure_dev.suites import progress
from qure_dev.suites.outcome import FAILED, PASSED, Options, Outcome

MEMORY_MB = 1500
IN_PARALLEL = 2
DEPTH = 10_000  # steps of a run; no run may be longer
_MUTANT = re.compile(r"^ \*   M_(\w+) +(\w+) +(\d+)  ", re.MULTILINE)
_BROKEN = re.compile(r"^broken: (\w+)$", re.MULTILINE)
_STATES = re.compile(r"^ *(\d+) states, stored$", re.MULTILINE)
_NOT_A_STEP = re.compile(r"\s|pan:|spin:")  # in a replay: places in the model
_SHOWN = 60  # steps of a run that breaks a rule


@dataclass(frozen=True)
class Search:
    """A search through all states of a model, as it is or with a rule broken on purpose."""

    model: Path
    mutant: str = ""
    rule: str = ""  # that the mutant must break
    harms: str = ""  # as the model says, if empty

    @property
    def name(self) -> str:
        return f"{self.model.stem}, mutant {self.mutant.lower()}" if self.mutant else f"{self.model.stem}, every state"


@dataclass(frozen=True)
class Found:
    """What SPIN says, and the run in which a rule broke, if there is one."""

    report: str
    run: str = ""


def models(options: Options) -> Iterator[Outcome]:
    searches = [search for model in sorted((ROOT / "tests/models").glob("*.pml")) for search in searches_of(model)]
    chosen = [search for search in searches if options.wants(search.name)]
    progress.doing("models")
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        yield from pool.map(outcome_of, chosen)


def searches_of(model: Path) -> list[Search]:
    text = model.read_text()
    mutants = [Search(model, *words) for words in _MUTANT.findall(text)]
    return [Search(model), *mutants]


def outcome_of(search: Search) -> Outcome:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qure-model-") as work:
        found = explore(search, Path(work))
    flaw = flaw_of_mutant(search.rule, found) if search.mutant else flaw_of_model(found)
    return Outcome(search.name, FAILED if flaw else PASSED, time.monotonic() - start, flaw)


def explore(search: Search, work: Path) -> Found:
    """Makes the searching program, runs it in `work`, and replays what it has found."""
    defined = [f"-DM_{search.mutant}"] if search.mutant else []
    defined += [f"-DHARMS={search.harms}"] if search.harms else []
    optimized = "-O0" if search.mutant else "-O1"  # most mutants are caught sooner than they are compiled
    made = _run(work, "spin", "-a", *defined, search.model)
    if made.returncode == 0:
        made = _run(work, "cc", "-w", optimized, "-DSAFETY", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c")
    if made.returncode != 0:
        return Found(made.stdout)
    report = _run(work, work / "pan", f"-m{DEPTH}", "-w22").stdout
    trail = work / f"{search.model.name}.trail"
    return Found(report, steps_of(_run(work, work / "pan", "-r", trail).stdout) if trail.exists() else "")


def _run(work: Path, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def steps_of(replay: str) -> str:
    """What the model prints in a replay."""
    lines = replay.partition("spin: trail ends")[0].splitlines()
    return "\n".join(line for line in lines if line and not _NOT_A_STEP.match(line))


def flaw_of_model(found: Found) -> str:
    """Empty: all states were looked at, each of them whole, and no rule is broken."""
    states = _STATES.search(found.report)
    if not states or "Full statespace search" not in found.report:
        return f"no search of all states\n{_end(found.report.splitlines())}"
    if "errors: 0" not in found.report:
        return f"{_violation(found.report)}\n{_end(found.run.splitlines())}"
    for sign in ("max search depth too small", "Search not completed", "Bit statespace", "Hash Compact", "-DMEMLIM"):
        if sign.lower() in found.report.lower():
            return f"not all states were looked at: {sign}\n{_end(found.report.splitlines())}"
    return ""


def flaw_of_mutant(rule: str, found: Found) -> str:
    """Empty: the rule was broken."""
    broken = _BROKEN.findall(found.run)
    if broken == [rule]:
        return ""
    if broken or found.run:
        return f"'{rule}' must break, not {broken}: {_violation(found.report)}\n{_end(found.run.splitlines())}"
    return f"nothing notices; '{rule}' must break\n{_end(found.report.splitlines())}"


def _violation(report: str) -> str:
    return next((line for line in report.splitlines() if line.startswith("pan:")), "no violation")


def _end(lines: Sequence[str]) -> str:
    return "\n".join(lines[-_SHOWN:])
