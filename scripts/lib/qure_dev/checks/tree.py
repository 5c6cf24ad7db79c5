"""The files of the project, and running a tool over many of them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from qure_dev.paths import ROOT

Item = TypeVar("Item")
CXX_FOLDERS = ("proto/", "dataplane/", "control/", "tests/")


def git(*words: str, root: Path = ROOT) -> list[str]:
    """The lines that git prints."""
    argv = ["git", "-C", str(root), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def files(*suffixes: str, root: Path = ROOT) -> list[str]:
    """Paths from the root of all files that git tracks or would track, with one of the suffixes (all if none)."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", root=root)
    return sorted({path for path in listed if (root / path).is_file() and (not suffixes or path.endswith(suffixes))})


def cxx_files(root: Path = ROOT) -> list[str]:
    return [path for path in files(".cc", ".h", root=root) if path.startswith(CXX_FOLDERS)]


def by_last_change(paths: Iterable[str]) -> list[str]:
    """The paths, those that were changed last first: a branch counts by what its merge has changed."""
    order: dict[str, int] = {}
    uncommitted = [line[3:] for line in git("status", "--porcelain")]
    for path in uncommitted + git("log", "--first-parent", "--format=", "--name-only"):
        order.setdefault(path, len(order))
    return sorted(paths, key=lambda path: order.get(path, len(order)))


def scripts(root: Path = ROOT) -> dict[str, str]:
    """The programs in scripts/ and .ci/: path to first line."""
    found = {}
    for path in files(root=root):
        if path.startswith(("scripts/", ".ci/")) and os.access(root / path, os.X_OK):
            found[path] = (root / path).read_text(errors="replace").partition("\n")[0]
    return found


def python_files(root: Path = ROOT) -> list[str]:
    """All Python: modules, and programs without a suffix."""
    programs = {path for path, first in scripts(root).items() if "python" in first}
    return sorted(programs | set(files(".py", root=root)))


def in_parallel(function: Callable[[Item], list[str]], items: Iterable[Item]) -> list[str]:
    """Calls `function` for each item on all cores; the problems of all, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for problems in pool.map(function, items) for problem in problems]


def compile_commands(build: Path) -> dict[str, tuple[str, str]]:
    """Source path relative to the root -> directory and arguments of its compiler call."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        commands[source] = (entry["directory"], entry["command"])
    return commands
