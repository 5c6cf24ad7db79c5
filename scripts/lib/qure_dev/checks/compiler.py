"""Checks that need the compiler's view: format, tidy, self-contained headers."""

import math
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qure_dev.checks.clean import CleanSources, fresh_sources
from qure_dev.checks.tree import by_last_change, compile_commands, cxx_files, in_parallel
from qure_dev.paths import ROOT


FILES_AT_ONCE = 24


@dataclass
class Look:
    """What a check that needs a build is given, and what it has to say beside its problems."""

    build: Path
    patience: float = math.inf  # seconds, after which the rest is left for another time
    note: str = ""


def _first_lines(text: str, count: int = 12) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][:count]


def formatted() -> list[str]:
    """The first place of each file that clang-format would change. It takes longer to start than to read a file."""

    def some(paths: list[str]) -> list[str]:
        argv = ["clang-format", "--dry-run", "-Werror", *paths]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return []
        first: dict[str, str] = {}
        for line in done.stderr.splitlines():
            if ": error: " in line:
                first.setdefault(line.partition(":")[0], line)
        return list(first.values()) or _first_lines(done.stderr, 1)

    files = cxx_files()
    return in_parallel(some, [files[at : at + FILES_AT_ONCE] for at in range(0, len(files), FILES_AT_ONCE)])


def tidy(look: Look) -> list[str]:
    """clang-tidy over every source of ours that is compiled. Flags that clang does not know are no finding."""
    compiled = compile_commands(look.build)
    sources = [path for path in by_last_change(cxx_files()) if path in compiled]
    clean = CleanSources(look.build, "clang-tidy", ".clang-tidy")
    deadline = time.monotonic() + look.patience
    left = []

    def one(path: str) -> list[str]:
        if path in clean:
            return []
        if time.monotonic() > deadline:
            left.append(path)
            return []
        argv = ["clang-tidy", "--quiet", "-p", str(look.build), "--extra-arg=-Wno-unknown-warning-option", path]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        findings = [line for line in done.stdout.splitlines() if re.search(r": (warning|error): ", line)]
        if done.returncode != 0 and not findings:
            findings = [f"{path}: clang-tidy: exit status {done.returncode}"] + _first_lines(done.stderr)
        if not findings:
            clean.add(path)
        return [finding.removeprefix(f"{ROOT}/") for finding in findings]

    problems = sorted(set(in_parallel(one, sources)))
    if left:
        look.note = f"{len(left)} of {len(sources)} sources, those that have not changed for longest, not looked at"
    return problems


def _flags(command: str) -> list[str]:
    """A compiler call without its source, output and dependency files."""
    words, kept = iter(shlex.split(command)), []
    for word in words:
        if word in ("-o", "-MF", "-MQ", "-c"):
            next(words)
        elif word not in ("-MD",):
            kept.append(word)
    return kept


def _folders_flags(path: str, commands: dict[str, tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """How the sources beside a header (else those of the tests) are compiled: each way once, with its directory."""
    beside = [source for source in commands if source.rpartition("/")[0] == path.rpartition("/")[0]]
    beside = beside or [source for source in commands if source.startswith("tests/")]
    return sorted({(commands[source][0], tuple(_flags(commands[source][1]))) for source in beside})


def _included_first(sources: Iterable[str]) -> set[str]:
    """The headers that some source includes before anything else: they were compiled alone when it was."""
    first = re.compile(r'(?:\s|//[^\n]*\n|/\*.*?\*/)*#\s*include\s*"([^"]+)"', re.DOTALL)
    return {found.group(1) for found in (first.match((ROOT / source).read_text()) for source in sources) if found}


def headers(look: Look) -> list[str]:
    """Each header compiles alone, and twice, in one of the ways of its folder. What the build has shown already is not
    compiled again: a header with a #pragma once that a source includes before all others."""
    commands = compile_commands(look.build)
    shown = _included_first(source for source in fresh_sources(look.build) if source in commands)

    def one(path: str) -> list[str]:
        if path in shown and "\n#pragma once\n" in f"\n{(ROOT / path).read_text()}":
            return []
        errors: list[str] = []
        for directory, flags in _folders_flags(path, commands):
            with tempfile.NamedTemporaryFile("w", suffix=".cc") as source:
                source.write(f'#include "{path}"\n#include "{path}"\n')
                source.flush()
                argv = [*flags, "-fsyntax-only", "-fdiagnostics-color=never", source.name]
                done = subprocess.run(argv, cwd=directory, capture_output=True, text=True)
            if done.returncode == 0:
                return []
            errors = _first_lines(done.stderr, 4)
        return [f"{path}: is not self-contained:", *errors]

    return in_parallel(one, [path for path in cxx_files() if path.endswith(".h")])
