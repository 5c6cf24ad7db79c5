"""The Python of the project: black's form, mypy's types."""

import os
import subprocess
from pathlib import Path

from qure_dev.checks.tree import files, python_files
from qure_dev.paths import ROOT


def black(root: Path = ROOT) -> list[str]:
    done = subprocess.run(
        ["black", "--check", *python_files(root)], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return []
    lines = [line.removeprefix(f"would reformat {root}/") for line in done.stderr.splitlines() if "reformat" in line]
    return [f"{line}: run black on it" for line in lines if "would be" not in line] or done.stderr.splitlines()


def mypy(root: Path = ROOT) -> list[str]:
    """With its cache outside the tree, shared by all clones."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qure/mypy"
    argv = ["mypy", "--no-error-summary", "--hide-error-context", "--cache-dir", str(cache), *files(".py", root=root)]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()
