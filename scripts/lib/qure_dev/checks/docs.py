"""Docs and code name the same things: every command of qurectl and every configuration key is in the reference, and
nothing else is. Prose is at most 100 columns wide."""

import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from qure_dev.checks.tree import files
from qure_dev.paths import ROOT

MAX_PROSE = 100
KEYS = "docs/configuration.md"
COMMANDS = "docs/reference-qurectl.md"
EXAMPLE = "docs/example.toml"
_SPAN = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^\s*(```+|~~~+)\s*([\w-]*)(?:\s+([\w-]+))?")


# Markdown


class Fenced(NamedTuple):
    """A block of code: its first line, and what stands behind the fence: ```sh first."""

    line: int
    language: str
    machine: str  # where it is typed; empty: it is not said
    text: str


@dataclass
class Markdown:
    """A document as far as the checks look: what is prose, what is a table, what is a block of code."""

    prose: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Fenced] = field(default_factory=list)
    rows: list[tuple[int, str, str, list[str]]] = field(default_factory=list)  # line, heading, first column, cells

    @staticmethod
    def of(text: str) -> "Markdown":
        document = Markdown()
        heading, columns = "", [""]
        lines = iter(enumerate(text.splitlines(), 1))
        for number, line in lines:
            fence = _FENCE.match(line)
            if fence:
                mark = fence.group(1)
                body = itertools.takewhile(lambda each: not each[1].strip().startswith(mark), lines)
                block = "\n".join(text for _, text in body)
                document.blocks.append(Fenced(number + 1, fence.group(2), fence.group(3) or "", block))
            elif line.startswith("|"):
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
                if columns == [""]:
                    columns = cells
                elif not re.fullmatch(r"[\s|:-]+", line):
                    document.rows.append((number, heading, columns[0], cells))
            else:
                columns = [""]
                heading = line.lstrip("#").strip() if line.startswith("#") else heading
                document.prose.append((number, line))
        return document


def _read(path: Path) -> Markdown:
    return Markdown.of(path.read_text())


def widths(root: Path = ROOT) -> list[str]:
    """Prose in *.md is at most 100 columns wide, but for what cannot be broken: one word, which may be a link."""
    problems = []
    for path in files(".md", root=root):
        for number, line in _read(root / path).prose:
            text = re.sub(r"^\s*([-*+>]|\d+\.)\s+", "", line).strip()
            if len(line) > MAX_PROSE and " " in re.sub(r"\[[^\]]*\]", "[]", text):
                problems.append(f"{path}:{number}: {len(line)} columns; at most {MAX_PROSE}")
    return problems


# Commands


def _expanded(words: list[str]) -> Iterator[str]:
    """The command words at the beginning of a usage: "maintenance on|off" is two, "weight NODE SERVICE W" is one."""
    leading = itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+(\|[a-z]+)*", word), words)
    for chosen in itertools.product(*[word.split("|") for word in leading]):
        if chosen:
            yield " ".join(chosen)


def _help_text(root: Path) -> str:
    """The usage of qurectl: the raw string in its sources that begins with "usage: qurectl"."""
    for path in files(".cc", ".h", root=root):
        if path.startswith("control/qurectl/"):
            found = re.search(r'R"(\w*)\((usage: qurectl.*?)\)\1"', (root / path).read_text(), re.DOTALL)
            if found:
                return found.group(2)
    return ""


def commands_of_help(text: str) -> set[str]:
    """The commands in a help text: its lines that are indented by two spaces and begin with a lower-case word. What
    they do stands in the column where the first of them has it, or on the next line."""
    lines = [line for line in text.splitlines() if re.match(r"  [a-z]", line)]
    found = next(filter(None, (re.match(r"  \S+(?: \S+)* {2,}", line) for line in lines)), None)
    column = found.end() if found else 0
    usages = [line[:column] if line[column - 1 : column] == " " else line for line in lines]
    return {command for usage in usages for command in _expanded(usage.split())}


def _documented_commands(root: Path) -> dict[str, int]:
    """Command -> line of the reference."""
    found: dict[str, int] = {}
    for number, _, column, cells in _read(root / COMMANDS).rows:
        if column == "command":
            for usage in _SPAN.findall(cells[0]):
                found.update({command: number for command in _expanded(usage.replace("\\|", "|").split())})
    return found


def _uses_of_qurectl(document: Markdown) -> Iterator[tuple[int, list[str]]]:
    """(line, words behind `qurectl` and its options) wherever a document calls it."""
    texts = [(number, span) for number, line in document.prose for span in _SPAN.findall(line)]
    texts += [(number, span) for number, *_, cells in document.rows for cell in cells for span in _SPAN.findall(cell)]
    for block in document.blocks:
        if block.language == "sh":
            texts += list(enumerate(block.text.splitlines(), block.line))
    for number, text in texts:
        for call in re.findall(r"(?:^|[\s(|;&])qurectl((?: +[^\s|;&)]+)+)", text):
            words = call.split()
            while words and words[0].startswith("-"):
                words = words[2:] if words[0] == "--socket" else words[1:]
            if words and re.fullmatch(r"[a-z][a-z|]*", words[0]):
                yield number, words


def _unknown(words: list[str], known: set[str]) -> bool:
    """Whether these words neither begin with a command nor are the beginning of one."""
    for command in _expanded(words):
        parts = command.split()
        complete = any(" ".join(parts[:count]) in known for count in range(1, len(parts) + 1))
        if not complete and not any(whole.startswith(f"{command} ") for whole in known):
            return True
    return False


def _command_problems(root: Path) -> list[str]:
    text = _help_text(root)
    known, documented = commands_of_help(text), _documented_commands(root)
    if not known:
        return ["control/qurectl: no raw string begins with 'usage: qurectl': its commands cannot be found"]
    problems = [f"{COMMANDS}: '{command}' of qurectl is missing" for command in sorted(known - documented.keys())]
    problems += [
        f"{COMMANDS}:{number}: qurectl has no command '{command}'"
        for command, number in documented.items()
        if command not in known
    ]
    options = set(re.findall(r"--[a-z][a-z-]*", text))
    problems += [
        f"{COMMANDS}: option {option} of qurectl is missing"
        for option in sorted(options - set(re.findall(r"--[a-z][a-z-]*", (root / COMMANDS).read_text())))
    ]
    for path in files(".md", root=root):
        for number, words in _uses_of_qurectl(_read(root / path)):
            if _unknown(words, known):
                problems.append(f"{path}:{number}: qurectl has no command '{' '.join(words)}'")
    return problems


# Configuration keys

# How the code reads a key: by a method of TableReader, or by a function that is given the reader and the key, or that
# knows the reader.
_READER = re.compile(
    r"(?:\.|->)(?:OptionalString|String|RequiredString|Boolean|Integer|Interval|Strings|Integers|Tables?|"
    r"(?:Required)?Choice(?:<[^>]*>)?)\(\s*\"([a-z_]+)\""
)
_HELPER = re.compile(r"\b(?!Concat)[A-Z]\w*\(\s*(?:&?[a-z]\w*,\s*)?\"([a-z][a-z_]*)\",")
_DOTTED = re.compile(r"\"((?:node|cluster)(?:\.[a-z_]+)+)(?:\.\*)?\"")


@dataclass
class CodeKeys:
    names: set[str] = field(default_factory=set)  # of keys and tables, whatever table they are in
    dotted: set[str] = field(default_factory=set)  # with the tables they are in, as the table of all keys spells them


def code_keys(root: Path = ROOT) -> CodeKeys:
    """The keys that the configuration readers ask for. Elsewhere requests of operators are read, which look alike."""
    found = CodeKeys()
    for path in files(".cc", ".h", root=root):
        if path.startswith("control/config/") and "config_reader." not in path:
            text = (root / path).read_text()
            found.names |= set(_READER.findall(text)) | set(_HELPER.findall(text))
            found.dotted |= set(_DOTTED.findall(text))
    return found


def section_of(heading: str) -> str | None:
    """ "[[cluster.zone]]" -> "cluster.zone"; "check of a service" -> "cluster.service.check"."""
    found = re.match(r"`?\[{1,2}([a-z_.]+)\]{1,2}`?", heading)
    if found:
        return found.group(1)
    inner = re.match(r"`?(\w+)`? of (?:a|an|the) (\w+)$", heading)
    return f"cluster.{inner.group(2)}.{inner.group(1)}" if inner else None


def documented_keys(root: Path = ROOT) -> dict[str, int]:
    """Dotted key -> line of the reference, from the tables whose first column is "key"; and the sections."""
    found: dict[str, int] = {}
    for number, heading, column, cells in _read(root / KEYS).rows:
        section = section_of(heading)
        if column != "key" or section is None:
            continue
        found.setdefault(section, number)
        for name in _SPAN.findall(cells[0]):
            found[f"{section}.{name}"] = number
    return found


def _toml_keys(text: str) -> Iterator[tuple[int, str]]:
    """(line, dotted key) of a TOML text, line by line, so that what is commented out as a key or section counts too.
    Without a section before it a key has none."""
    section = ""
    for number, line in enumerate(text.splitlines()):
        line = line.removeprefix("# ")
        header = re.match(r"\s*\[{1,2}([a-z_.]+)\]{1,2}\s*(#|$)", line)
        assignment = re.match(r"\s*([a-z_]+) *= *(\{.*\})?", line)
        if header:
            section = header.group(1)
            yield number, section
        elif assignment:
            key = f"{section}.{assignment.group(1)}" if section else assignment.group(1)
            yield number, key
            for inner in re.findall(r"[{,] *([a-z_0-9]+) *=", assignment.group(2) or ""):
                yield number, f"{key}.{inner}"


def _is_known(key: str, keys: set[str]) -> bool:
    """Whether a key or section is one of these. Names that users choose stand below a key: weights = { n1 = 2 }."""
    if key in keys or any(other.startswith(f"{key}.") for other in keys):
        return True
    above = key.rpartition(".")[0]
    return above in keys and not any(other.startswith(f"{above}.") for other in keys)


def _toml_texts(root: Path) -> Iterator[tuple[str, int, str]]:
    """(file, line, text) of all TOML that users may copy."""
    yield EXAMPLE, 1, (root / EXAMPLE).read_text()
    for path in files(".md", root=root):
        for block in _read(root / path).blocks:
            if block.language == "toml":
                yield path, block.line, block.text


def _toml_problems(root: Path, documented: set[str]) -> list[str]:
    problems = []
    names = {key.rpartition(".")[2] for key in documented}
    for path, first, text in _toml_texts(root):
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{path}:{first}: not TOML: {error}")
        for number, key in _toml_keys(text):
            if not _is_known(key, documented) and key not in names:
                problems.append(f"{path}:{first + number}: there is no key {key}")
    return problems


def _key_problems(root: Path) -> list[str]:
    lines, code = documented_keys(root), code_keys(root)
    documented = set(lines)
    names = {part for key in documented for part in key.split(".")}
    problems = [f"{KEYS}: the key '{name}' is missing" for name in sorted(code.names - names)]
    problems += [f"{KEYS}: the key {key} is missing" for key in sorted(code.dotted) if not _is_known(key, documented)]
    problems += [
        f"{KEYS}:{number}: the configuration has no key '{key}'"
        for key, number in lines.items()
        if not _is_known(key, code.dotted)
    ]
    return problems + _toml_problems(root, documented)


def docs(root: Path = ROOT) -> list[str]:
    missing = [f"{path} is missing" for path in (KEYS, COMMANDS, EXAMPLE) if not (root / path).exists()]
    return missing or _command_problems(root) + _key_problems(root)
