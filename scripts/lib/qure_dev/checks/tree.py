"""The files of the project, and running a tool over many of them."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from qure_dev.paths import ROOT

ROOMS = ("proto/", "dataplane/", "control/", "tests/")


def files(*suffixes):
    """Paths from the root of all files that git tracks or would track, with one of the suffixes (all if none)."""
    argv = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted({path for path in listed if (ROOT / path).is_file() and (not suffixes or path.endswith(suffixes))})


def cxx_files():
    return [path for path in files(".cc", ".h") if path.startswith(ROOMS)]


def by_last_change(paths):
    """The paths, those that were changed last first."""

    def git(*words):
        argv = ["git", "-C", str(ROOT), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    order = {}
    for path in [line[3:] for line in git("status", "--porcelain")] + git("log", "--format=", "--name-only"):
        order.setdefault(path, len(order))
    return sorted(paths, key=lambda path: order.get(path, len(order)))


def scripts():
    """The programs in scripts/ and .ci/: path to first line."""
    found = {}
    for path in files():
        if path.startswith(("scripts/", ".ci/")) and os.access(ROOT / path, os.X_OK):
            found[path] = (ROOT / path).read_text(errors="replace").partition("\n")[0]
    return found


def in_parallel(function, items):
    """Calls `function` for each item on all cores; the problems of all, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for problems in pool.map(function, items) for problem in problems]


def compile_commands(build):
    """Source path relative to the root -> the arguments of its compiler call."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        commands[source] = (entry["directory"], entry["command"])
    return commands
