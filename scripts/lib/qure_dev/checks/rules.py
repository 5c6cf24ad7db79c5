"""Checks by reading alone: include walls, words, naps, scripts, commit form."""

import re
import subprocess

from qure_dev.checks.tree import cxx_files, files, scripts
from qure_dev.paths import ROOT

_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
_SYSTEM = (
    r"rte_|sys/|netinet/|net/|linux/|unistd\.h|poll\.h|pthread|time\.h|ctime|chrono|thread|mutex|random\b|"
    r"fstream|iostream|filesystem"
)
# Room, what it must not include, and why.
WALLS = (
    ("proto/", rf"(?:{_SYSTEM}|dataplane/|control/)", "proto is contracts: no DPDK, I/O, clock or other layer"),
    ("proto/net/", r"proto/(?:cluster|dns)/", "packet formats know neither the cluster nor DNS"),
    ("dataplane/", r"control/", "the dataplane does not know the control"),
    ("dataplane/pipeline/", rf"(?:{_SYSTEM}|dataplane/(?!pipeline/))", "the packet path is pure: no DPDK, I/O or clock"),
    ("dataplane/lease/", rf"(?:{_SYSTEM}|dataplane/(?!lease/))", "the lease is pure: no DPDK, I/O or clock"),
    ("control/", r"rte_", "only the dataplane includes DPDK"),
    ("control/base/", r"(?:dataplane/|control/(?!base/))", "what every folder may use knows none of them"),
    ("control/core/", rf"(?:{_SYSTEM}|dataplane/|control/(?!core/))", "the control core has no DPDK, I/O or clock"),
    ("control/config/", r"(?:dataplane/|control/(?!base/|core/|config/))", "config knows base and core"),
    ("control/store/", r"(?:dataplane/|control/(?!base/|core/|store/))", "store knows base and core"),
    ("control/kernel/", r"(?:dataplane/|control/(?!base/|core/|kernel/))", "kernel knows base and core"),
    ("control/names/", r"(?:dataplane/|control/(?!base/|core/|names/))", "the names know base and core, not what runs them"),
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
_WORDS = re.compile(
    r"\b("
    + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "for " "now", "place" "holder", "not " "implemented yet"))
    + r")\b"
)
_NAPS = re.compile(r"sleep_for\(|\busleep\(|time\.sleep\(|^\s*sleep [0-9]", re.MULTILINE)
_SUBJECT = re.compile(r"[a-z0-9][a-z0-9_./, -]*: [a-z]\S.*[^.\s]")
_PAST = re.compile(
    r"(added|adds|adding|fixed|fixes|fixing|changed|changes|updated|updates|removed|removes|implemented|implements)\b"
)
MAX_SUBJECT = 72
COMMITS = 50


def _matches(path, pattern):
    """(line number, matching text) of each match in a file."""
    text = (ROOT / path).read_text(errors="replace")
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group().strip()


def walls():
    problems = []
    for path in cxx_files():
        text = (ROOT / path).read_text()
        for room, forbidden, why in WALLS:
            if path.startswith(room):
                problems += [
                    f"{path}: includes {name}: {why}" for name in _INCLUDE.findall(text) if re.match(forbidden, name)
                ]
        if path.startswith(("proto/", "control/core/")):
            problems += [
                f"{path}:{line}: {found}: time and randomness are arguments here"
                for line, found in _matches(path, _CLOCKS)
            ]
    return problems


def words():
    """Nothing is left for later, and no test waits for a fixed time."""
    problems = []
    for path in files(".cc", ".h", ".py", ".md", ".toml", "meson.build") + sorted(scripts()):
        problems += [f"{path}:{line}: '{found}'" for line, found in _matches(path, _WORDS)]
    for path in files(".cc", ".py"):
        if path.startswith("tests/"):
            problems += [
                f"{path}:{line}: '{found}': wait for a condition with a deadline"
                for line, found in _matches(path, _NAPS)
            ]
    return problems


def programs():
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


def commits():
    """The form `area: imperative summary` of the last commits."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "log", f"-{COMMITS}", "--no-merges", "--format=%h %s"], capture_output=True, text=True
    )
    problems = []
    for line in listed.stdout.splitlines():
        commit, _, subject = line.partition(" ")
        if len(subject) > MAX_SUBJECT:
            problems.append(f"{commit}: the subject has {len(subject)} characters; at most {MAX_SUBJECT}")
        if not _SUBJECT.fullmatch(subject) or _PAST.match(subject.partition(": ")[2]):
            problems.append(f"{commit}: '{subject}' is not 'area: imperative summary'")
    return problems
