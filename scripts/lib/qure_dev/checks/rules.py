"""Checks by reading alone: include walls, scripts."""

import re
import subprocess
from pathlib import Path

from qure_dev.checks.tree import cxx_files, files, scripts
from qure_dev.checks.words import matches
from qure_dev.paths import ROOT

_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
_SYSTEM = (
    r"rte_|sys/|netinet/|net/|linux/|unistd\.h|poll\.h|pthread|time\.h|ctime|chrono|thread|mutex|random\b|"
    r"fstream|iostream|filesystem"
)
_MEMORY = _SYSTEM.replace("sys/", r"sys/(?!mman\.h)")  # the flow table takes its pages from the kernel
# Folder, what it must not include, and why.
WALLS = (
    ("proto/", rf"(?:{_SYSTEM}|dataplane/|control/)", "proto is contracts: no DPDK, I/O, clock or other layer"),
    ("proto/net/", r"proto/(?:cluster|dns)/", "packet formats know neither the cluster nor DNS"),
    ("dataplane/", r"control/", "the dataplane does not know the control"),
    ("dataplane/pipeline/", rf"(?:{_MEMORY}|dataplane/(?!pipeline/))", "the packet path has no DPDK, I/O or clock"),
    ("dataplane/lease/", rf"(?:{_SYSTEM}|dataplane/(?!lease/))", "the lease is pure: no DPDK, I/O or clock"),
    ("control/", r"rte_", "only the dataplane includes DPDK"),
    ("control/base/", r"(?:dataplane/|control/(?!base/))", "what every folder may use knows none of them"),
    ("control/core/", rf"(?:{_SYSTEM}|dataplane/|control/(?!core/))", "the control core has no DPDK, I/O or clock"),
    ("control/config/", r"(?:dataplane/|control/(?!base/|core/|config/))", "config knows base and core"),
    ("control/store/", r"(?:dataplane/|control/(?!base/|core/|store/))", "store knows base and core"),
    ("control/kernel/", r"(?:dataplane/|control/(?!base/|core/|kernel/))", "kernel knows base and core"),
    (
        "control/names/",
        r"(?:dataplane/|control/(?!base/|core/|names/))",
        "the names know base and core, not what runs them",
    ),
    (
        "control/operator/",
        r"control/(?!base/|core/|config/|operator/)",
        "operator shows the planes, and does not know what runs them",
    ),
    (
        "control/qurectl/",
        r"(?:dataplane/|control/(?!base/|core/|config/|operator/|qurectl/))",
        "the command line speaks to qured by its socket alone",
    ),
    ("control/qured/", r"control/qurectl/", "the appliance does not know the command line"),
)
_CLOCKS = re.compile(r"absl::Now\(|steady_clock|system_clock|clock_gettime|std::this_thread|random_device")


def walls(root: Path = ROOT) -> list[str]:
    """Each folder includes only what it may, in the tree at `root`."""
    problems = []
    for path in cxx_files(root):
        text = (root / path).read_text()
        for folder, forbidden, why in WALLS:
            if path.startswith(folder):
                problems += [
                    f"{path}: includes {name}: {why}" for name in _INCLUDE.findall(text) if re.match(forbidden, name)
                ]
        if path.startswith(("proto/", "control/core/")):
            problems += [
                f"{path}:{line}: {found}: time and randomness are arguments here"
                for line, found in matches(root / path, _CLOCKS)
            ]
    return problems


def programs() -> list[str]:
    """Every script parses and explains itself."""
    problems = []
    for path, first in scripts().items():
        if "bash" in first:
            done = subprocess.run(["bash", "-n", ROOT / path], capture_output=True, text=True)
            problems += [f"{path}: {done.stderr.strip()}"] if done.returncode else []
        if path.startswith("scripts/") and "/" not in path.removeprefix("scripts/"):
            done = subprocess.run([ROOT / path, "--help"], capture_output=True, text=True)
            if done.returncode != 0 or not done.stdout.strip():
                problems.append(f"{path} --help: exit status {done.returncode}: {done.stderr.strip()}")
    for path in files(".py"):
        try:
            compile((ROOT / path).read_text(), path, "exec")
        except SyntaxError as error:
            problems.append(f"{path}:{error.lineno}: {error.msg}")
    return problems
