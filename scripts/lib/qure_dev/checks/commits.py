"""The form of commit subjects: `area: imperative summary`, where the area is a folder. Also the commit-msg hook."""

import re
import subprocess
from pathlib import Path, PurePath

from qure_dev.checks.tree import git
from qure_dev.paths import ROOT

MAX_SUBJECT = 72
OLD_COMMITS = 50  # before there were areas, so many are held to the form alone
NEW_COMMITS = 500
# What is no folder, or has no name of its own.
AREAS = ("build", "ci", "hooks", "license", "readme", "release", "repository")
_FORM = re.compile(r"([a-z0-9][a-z0-9_./, -]*): ([a-z]\S.*[^.\s])")
_PAST = re.compile(
    r"(added|adds|adding|fixed|fixes|fixing|changed|changes|updated|updates|removed|removes|implemented|implements)\b"
)
_FIXES = re.compile(r"^Fixes: *(.*)$", re.MULTILINE)


def subject_problems(subject: str, folders: set[str] | None) -> list[str]:
    """What is wrong with a subject. `folders`: those of the tree, if the area must be one of them."""
    problems = []
    if len(subject) > MAX_SUBJECT:
        problems.append(f"the subject has {len(subject)} characters; at most {MAX_SUBJECT}")
    form = _FORM.fullmatch(subject)
    if not form or _PAST.match(form.group(2)):
        return [*problems, f"'{subject}' is not 'area: imperative summary'"]
    area = form.group(1)
    if folders is not None and area not in folders and area not in AREAS:
        problems.append(f"the area '{area}' is no folder; others are {', '.join(AREAS)}")
    return problems


def folder_names(paths: list[str]) -> set[str]:
    """Every folder of these files: its path, and its name alone."""
    folders = {str(parent) for path in paths for parent in PurePath(path).parents} - {"."}
    return folders | {PurePath(folder).name for folder in folders} | {folder.lstrip(".") for folder in folders}


def _first_of_the_rule(root: Path) -> str:
    """The commit that brought this file, or "" if none has yet."""
    path = str(Path(__file__).resolve().relative_to(ROOT))
    found = git("log", "--diff-filter=A", "--format=%H", "--", path, root=root)
    return found[-1] if found else ""


def _folders_at(commit: str, root: Path) -> set[str]:
    """The folders before and after a commit: it may move things into one, or out of it."""
    parents = git("rev-list", "--parents", "-1", commit, root=root)[0].split()[1:]
    paths = [path for each in (commit, *parents) for path in git("ls-tree", "-r", "--name-only", each, root=root)]
    return folder_names(paths)


def _fixes_problems(message: str, root: Path) -> list[str]:
    problems = []
    for found in _FIXES.findall(message):
        commit = found.split()[0] if found else ""
        if not re.fullmatch(r"[0-9a-f]{7,40}", commit):
            problems.append(f"'Fixes: {found}' names no commit by its hash")
        elif git("rev-parse", "--is-shallow-repository", root=root) == ["false"] and not _known(commit, root):
            problems.append(f"'Fixes: {found}': there is no such commit")
    return problems


def _known(commit: str, root: Path) -> bool:
    try:
        git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", root=root)
        return True
    except subprocess.CalledProcessError:
        return False


def commits(root: Path = ROOT) -> list[str]:
    """New commits have the whole form; older ones, as far as they are looked at, the form without areas."""
    first = _first_of_the_rule(root)
    new = (
        set(git("rev-list", "--ancestry-path", "--no-merges", f"-{NEW_COMMITS}", f"{first}..HEAD", root=root))
        if first
        else set()
    )
    problems = []
    for line in git("log", f"-{max(OLD_COMMITS, len(new))}", "--no-merges", "--format=%H %s", root=root):
        commit, _, subject = line.partition(" ")
        found = subject_problems(subject, _folders_at(commit, root) if commit in new else None)
        if commit in new:
            found += _fixes_problems("\n".join(git("log", "-1", "--format=%B", commit, root=root)), root)
        problems += [f"{commit[:9]}: {problem}" for problem in found]
    return problems


def message_problems(message: str, root: Path = ROOT) -> list[str]:
    """What is wrong with the message of a commit that is about to be made."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = next((line for line in lines if line.strip()), "")
    if subject.startswith(("Merge ", "fixup! ", "squash! ")):
        return []
    paths = [*git("ls-files", root=root), *git("ls-tree", "-r", "--name-only", "HEAD", root=root)]
    problems = subject_problems(subject, folder_names(paths)) + _fixes_problems("\n".join(lines), root)
    if len(lines) > 1 and lines[0].strip() and lines[1].strip():
        problems.append("a blank line must follow the subject")
    return problems
