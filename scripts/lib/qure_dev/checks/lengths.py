"""Functions of at most 70 lines, files of at most 800, lines of at most 120 columns."""

import ast
import re
from collections.abc import Iterator

from qure_dev.checks.tree import cxx_files, files, scripts
from qure_dev.paths import ROOT

MAX_FUNCTION = 70
MAX_FILE = 800
MAX_LINE = 120
_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|^[ \t]*#(?:[^\n\\]|\\\n|\\.)*',
    re.DOTALL | re.MULTILINE,
)
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$")
_NAME = re.compile(r"([~\w:]+|operator\W{1,3})\s*\(")


def _blank(match: re.Match[str]) -> str:
    """A match as spaces, its line breaks kept."""
    return re.sub(r"[^\n]", " ", match.group())


def cxx_functions(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, last line) of each function: a brace in namespace or class scope that is no such scope."""
    code = _NOISE.sub(_blank, text)
    found: list[tuple[str, int, int]] = []
    scopes: list[int | None] = []
    head = 0
    for position, character in enumerate(code):
        if character in ";}" and all(scope is None for scope in scopes):
            head = position + 1
        if character == "{":
            before = code[head:position]
            if any(scope is not None for scope in scopes):
                scopes.append(0)
            elif "(" in before and not _SCOPE.search(before):
                start = head + len(before) - len(before.lstrip())
                scopes.append(start)
            else:
                scopes.append(None)
                head = position + 1
        elif character == "}" and scopes:
            begun = scopes.pop()
            if begun and all(scope is None for scope in scopes):
                name = _NAME.search(code[begun:position])
                first = code.count("\n", 0, begun) + 1
                found.append((name.group(1) if name else "?", first, code.count("\n", 0, position) + 1))
                head = position + 1
    return found


def python_functions(text: str) -> Iterator[tuple[str, int, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno or node.lineno


def check() -> list[str]:
    problems = []
    python = set(files(".py")) | {path for path, first in scripts().items() if "python" in first}
    for path in files(".cc", ".h", ".md", ".pml") + sorted(python | set(scripts())):
        lines = (ROOT / path).read_text().splitlines()
        if len(lines) > MAX_FILE:
            problems.append(f"{path}: {len(lines)} lines; at most {MAX_FILE}")
        if not path.endswith(".md"):  # a table's row cannot be broken
            long = [number for number, line in enumerate(lines, 1) if len(line) > MAX_LINE]
            problems += [f"{path}:{number}: more than {MAX_LINE} columns" for number in long]
    for paths, functions in ((cxx_files(), cxx_functions), (sorted(python), python_functions)):
        for path in paths:
            for name, first, last in functions((ROOT / path).read_text()):
                if last - first + 1 > MAX_FUNCTION:
                    problems.append(f"{path}:{first}: {name} has {last - first + 1} lines; at most {MAX_FUNCTION}")
    return problems
