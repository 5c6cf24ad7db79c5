"""scripts/test --clean: what is committed, and nothing else, in a folder that has seen no build."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from qure_dev.paths import ROOT


def _git(root: Path, *arguments: str | Path) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def run(root: Path = ROOT) -> int:
    """Clones HEAD, runs .ci/run there and, if it is green, writes HEAD's hash to .git/tested of this checkout. Prints
    nothing after .ci/run has ended: its last line is ours."""
    head = _git(root, "rev-parse", "HEAD")
    tested = Path(_git(root, "rev-parse", "--absolute-git-dir")) / "tested"
    if _git(root, "status", "--porcelain"):
        print(
            "test: this checkout has changes that are not committed; they are not tested", file=sys.stderr, flush=True
        )
    with tempfile.TemporaryDirectory(prefix="qure-clean-") as directory:
        clone = Path(directory) / "qure"
        _git(root, "clone", "--quiet", "--no-checkout", root, clone)
        _git(clone, "checkout", "--quiet", "--detach", head)
        print(f"clean clone of {head}", flush=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("QURE_", "PYTHON"))}
        done = subprocess.run(
            [clone / ".ci/run"], cwd=clone, stdin=subprocess.DEVNULL, env=environment | {"CI": "true"}
        )
    if done.returncode == 0:
        tested.write_text(f"{head}\n")
    return done.returncode
