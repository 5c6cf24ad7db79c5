"""Words that must not stand anywhere: what is left for later, tests that nap, and the dead words."""

import re
from collections.abc import Iterator
from pathlib import Path

from qure_dev.checks.tree import files, scripts
from qure_dev.paths import ROOT

_LATER = re.compile(
    r"\b("
    + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "for " "now", "place" "holder", "not " "implemented yet"))
    + r")\b"
)
_NAPS = re.compile(r"sleep_for\(|\busleep\(|time\.sleep\(|^\s*sleep [0-9]", re.MULTILINE)

# Words and phrases of a dialect that the project once spoke -> what to write instead. Each is a regular expression for
# whole words, also those within a name, in any case; a space stands for any white space and for the comment marks of a
# line that was broken there. Only what is wrong in every sense it may have is listed.
DEAD_WORDS = {
    r"(so )?manieth": "a number, or 'the n-th'",
    r"(is|are|was|were|be|been) told (of|about)": "is notified of, is reported",
    r"nobody's": "free, without an owner",
    r"whoever": "the node that, the host that",
    r"whereabouts": "peer address",
    r"gets? its voice back": "may answer again",
    r"may not be away for so long": "must return within",
    r"of its own accord": "unasked, by itself",
    r"lies ready": "is ready",
    r"for good measure": "leave it out",
    r"in vain": "without success",
    r"by itself alone": "alone",
    r"askers?": "client",
    r"crowds?": "heavy hitter",
    r"service_?words?": "ServiceStatus",
    r"flow_?asks?": "FlowQuery",
    r"flow_?told": "FlowReply",
    r"stands?( |_)back": "ineligible",
    r"tables? of shares": "Maglev lookup table",
    r"rows of the table of shares": "entries of the Maglev lookup table",
    r"flow exceptions?": "pinned flow",
    r"(the|a) house": "the layers, the folders",
    r"rooms? of the house": "layers, folders",
}
_EXEMPT = ("scripts/lib/qure_dev/checks/words.py", "CHANGELOG.md")  # this list; what tells old names from new ones
_GAP = r"(?:[ \t]|\n[ \t]*(?://|#|\*)?[ \t]*)+"
_HUMP = r"(?-i:(?<=[a-z])(?=[A-Z]))"  # inside of a CamelCase name
_DEAD = {
    re.compile(rf"(?:(?<![a-z])|{_HUMP}){pattern.replace(' ', _GAP)}(?-i:(?![a-z]))", re.IGNORECASE): instead
    for pattern, instead in DEAD_WORDS.items()
}
_TEXT = (".cc", ".h", ".py", ".md", ".toml", ".proto", ".pml", "meson.build", "meson_options.txt", ".yml", ".yaml")


def matches(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """(line number, matching text) of each match in a file."""
    text = path.read_text(errors="replace")
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, " ".join(match.group().split())


def _texts(root: Path) -> list[str]:
    return sorted({*files(*_TEXT, root=root), *scripts(root)})


def words(root: Path = ROOT) -> list[str]:
    """Nothing is left for later, and no test waits for a fixed time."""
    problems = []
    for path in _texts(root):
        problems += [f"{path}:{line}: '{found}'" for line, found in matches(root / path, _LATER)]
    for path in files(".cc", ".py", root=root):
        if path.startswith("tests/"):
            problems += [
                f"{path}:{line}: '{found}': wait for a condition with a deadline"
                for line, found in matches(root / path, _NAPS)
            ]
    return problems


def dead_words(root: Path = ROOT) -> list[str]:
    """No dead word in docs, comments, strings, names."""
    problems = []
    for path in _texts(root):
        if path in _EXEMPT:
            continue
        for pattern, instead in _DEAD.items():
            problems += [f"{path}:{line}: '{found}': {instead}" for line, found in matches(root / path, pattern)]
    return problems
