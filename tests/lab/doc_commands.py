"""The command blocks of a document, and what it takes to run them as they are written."""

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

from qure_dev import programs
from qure_dev.checks.docs import Markdown
from qure_dev.lab import topology
from qure_dev.lab.node import Node
from qure_dev.paths import LIBRARY, ROOT

# What stands for a script when a block is run: it gets the arguments of the document. What would build or test the
# whole tree from within a test only reads them.
STAND_INS = {
    "bench": 'exec "$root/scripts/bench" "$@" --help',
    "build": 'for target; do [ -e "build/$target" ] || { echo "no $target is built" >&2; exit 1; }; done',
    "check": 'exec "$root/scripts/check" --help',
    "demo": 'exec "$root/scripts/demo" "$@"',
    "failover": 'exec "$root/scripts/failover" "$@" --runs 1',
    "lab": 'exec "$root/scripts/lab" "$@"',
    "setup": 'exec "$root/scripts/setup" --list "$@"',
    "siege": 'exec "$root/scripts/siege" --help',
    "test": 'exec "$root/scripts/test" "$@" --help',
}
# On a node, in mount and network namespaces of its own: files below /etc and /root are the test's.
ON_A_NODE = """\
for folder in etc root; do
  mkdir -p "$files/$folder" "$files/.$folder"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$files/$folder,workdir=$files/.$folder" "/$folder"
done
qurectl() {
  local status=0
  command qurectl "$@" || status=$?
  [ "$1" != status ] || [ "$status" -gt 2 ] || status=0  # a verdict on the cluster
  [ "$1 ${2:-}" != "config diff" ] || [ "$status" -gt 1 ] || status=0  # there is a difference
  return "$status"
}
qured() {
  setsid "$program" "$@" >>"$log" 2>&1 </dev/null &
  echo $! >"$files/started"
  until qurectl status >/dev/null 2>&1; do kill -0 $!; done
}
"""


@dataclass(frozen=True)
class Block:
    path: str
    line: int
    text: str
    machine: str = ""  # where it is typed, if not on any cluster: see test_docs.py and test_site.py

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def is_of_the_tree(self) -> bool:
        """Whether it is typed in a checkout; other blocks are typed on a node."""
        return re.search(r"^(scripts/|meson )", self.text, re.MULTILINE) is not None

    @property
    def is_for_all_nodes(self) -> bool:
        """Whether it is typed on one node after the other: each keeps its own keys."""
        return re.search(r"^qurectl key (add|use|remove)", self.text, re.MULTILINE) is not None

    @property
    def starts_qured(self) -> bool:
        return re.search(r"^qured --config", self.text, re.MULTILINE) is not None


def blocks(path: str, root: Path = ROOT) -> list[Block]:
    """The blocks of a document that are marked as sh. Those marked otherwise are no commands."""
    found = Markdown.of((root / path).read_text()).blocks
    return [
        Block(path, each.line, f"{textwrap.dedent(each.text)}\n", each.machine)
        for each in found
        if each.language == "sh"
    ]


def make_checkout(directory: Path, build: Path) -> None:
    """A folder in which the blocks that are typed in a checkout run."""
    (directory / "scripts").mkdir(parents=True)
    for name, command in STAND_INS.items():
        script = directory / "scripts" / name
        script.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\nroot={shlex.quote(str(ROOT))}\n{command}\n")
        script.chmod(0o755)
    (directory / "build").symlink_to(build)
    for name in ("docs", "tests"):
        (directory / name).symlink_to(ROOT / name)


def on_node(block: Block, node: Node, files: Path) -> str:
    """The script that runs the block on a node, whose configuration is /etc/qure/qure.toml. `files`: a folder that
    lasts from one block to the next."""
    build = node.build
    values = {
        "PATH": f"{(build / programs.QURECTL).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "QURE_SOCKET": node.socket,
        "RUNTIME_DIRECTORY": node.directory,
        "files": files,
        "log": node.log,
        "program": build / programs.QURED,
    }
    settings = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
    given = f"mkdir -p /etc/qure\ncp {shlex.quote(str(node.config_path))} /etc/qure/qure.toml"
    return "\n".join(["set -euo pipefail", *settings, ON_A_NODE + given, "set -x", block.text])


def in_checkout(block: Block, directory: Path) -> str:
    """The script that runs the block in `directory` (see make_checkout), with a lab of its own."""
    values = {
        "DESTDIR": directory / "installed",
        "PYTHONPATH": LIBRARY,
        "QURE_BUILD": (directory / "build").resolve(),
        "QURE_LAB": f"{topology.lab_name()}d",
    }
    settings = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
    return "\n".join(["set -euo pipefail", *settings, f"cd {shlex.quote(str(directory))}", "set -x", block.text])
