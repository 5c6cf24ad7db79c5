"""Remembers which sources were found clean, so that only what has changed since is looked at again, in any clone."""

import hashlib
import math
import os
import subprocess
from functools import lru_cache
from pathlib import Path

from qure_dev.checks.tree import compile_commands
from qure_dev.paths import ROOT


@lru_cache(maxsize=None)
def _digest(path: Path) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def _deps(build: Path) -> dict[str, tuple[Path, list[Path]]]:
    """Source, relative to the root -> its object, and all files that this was made from, as the last build recorded."""
    listed = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True).stdout
    found = {}
    for block in filter(str.strip, listed.split("\n\n")):
        head, *names = block.strip().splitlines()
        if "(VALID)" in head and names:
            paths = [(build / name.strip()).resolve() for name in names]
            if paths[0].is_relative_to(ROOT):
                found[str(paths[0].relative_to(ROOT))] = (build / head.partition(":")[0], paths)
    return found


def fresh_sources(build: Path) -> list[str]:
    """The sources that the last build compiled as they are now, with all that they include."""

    @lru_cache(maxsize=None)
    def changed(path: Path) -> float:
        return path.stat().st_mtime if path.exists() else math.inf

    deps = _deps(build).items()
    return [source for source, (made, inputs) in deps if made.exists() and max(map(changed, inputs)) <= changed(made)]


def _from_root(path: Path) -> str:
    """The same in every clone."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


class CleanSources:
    """A folder of empty files: one named by the hash of a source, of all it includes, of its flags and of the rules."""

    def __init__(self, build: Path, tool: str, rules: str) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(cache) / "qure" / tool
        self.folder.mkdir(parents=True, exist_ok=True)
        version = subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
        self.common = version + (ROOT / rules).read_bytes()
        self.commands = compile_commands(build)
        self.inputs = {source: inputs for source, (_, inputs) in _deps(build).items()}

    def _mark(self, source: str) -> Path | None:
        """Where a clean source leaves its mark; None before its first build, when what it includes is not known."""
        if source not in self.inputs or not all(path.exists() for path in self.inputs[source]):
            return None
        whole = hashlib.sha256(self.common + self.commands[source][1].replace(f"{ROOT}/", "").encode())
        for path in self.inputs[source]:
            whole.update(_from_root(path).encode() + _digest(path))
        return self.folder / whole.hexdigest()

    def __contains__(self, source: str) -> bool:
        mark = self._mark(source)
        return mark is not None and mark.exists()

    def add(self, source: str) -> None:
        mark = self._mark(source)
        if mark is not None:
            mark.touch()
