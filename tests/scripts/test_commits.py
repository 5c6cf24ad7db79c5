"""The form of commit messages, in history and in the hook."""

import os
import subprocess

from planted import PlantedTest
from qure_dev.checks import commits
from qure_dev.paths import ROOT

GOOD = ("docs: explain leases", "cluster: count boots", "control/core: split the controller", "build: use ninja")
BAD = (
    "explain leases",
    "docs: Explain leases",
    "docs: explain leases.",
    "docs: " + "explained " + "x" * 70,
    "docs: added leases",
    "nowhere: explain leases",
    "Docs: explain leases",
)


class Commits(PlantedTest):
    def setUp(self) -> None:
        super().setUp()
        self.plant("docs/index.md", "text\n")
        self.plant("control/core/cluster/node.h", "\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "docs: begin")

    def test_messages(self) -> None:
        for subject in GOOD:
            self.assertEqual(commits.message_problems(f"{subject}\n\nWhy.\n", self.root), [], subject)
        for subject in BAD:
            self.assertNotEqual(commits.message_problems(f"{subject}\n", self.root), [], subject)

    def test_fixes_names_a_commit(self) -> None:
        head = self.git("rev-parse", "--short", "HEAD")
        self.assertEqual(commits.message_problems(f"docs: mend\n\nFixes: {head}\n", self.root), [])
        for other in ("the bug", "deadbee" if not head.startswith("deadbee") else "deadbef"):
            self.assertNotEqual(commits.message_problems(f"docs: mend\n\nFixes: {other}\n", self.root), [])

    def test_history_before_the_rule_has_no_areas(self) -> None:
        self.plant("docs/index.md", "more\n")
        self.git("commit", "--quiet", "-am", "anything: extend the index")
        self.assertEqual(commits.commits(self.root), [])

    def test_history_since_the_rule(self) -> None:
        self.plant("scripts/lib/qure_dev/checks/commits.py", "\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "checks: hold areas")
        for subject in ("anything: extend the index", "docs: move the index"):
            self.plant("docs/index.md", f"{subject}\n")
            self.git("commit", "--quiet", "-am", subject)
        (problem,) = commits.commits(self.root)
        self.assertIn("anything", problem)

    def test_the_hook_refuses(self) -> None:
        """As scripts/setup --hooks installs it, in a clone of this tree."""
        clone = self.root / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", ROOT, clone], check=True)
        (clone / "scripts").mkdir()
        for name in ("setup", "check", "lib"):
            os.symlink(ROOT / "scripts" / name, clone / "scripts" / name)
        setup = (ROOT / "scripts/setup").read_text()
        (clone / "scripts/setup").unlink()
        (clone / "scripts/setup").write_text(setup)
        subprocess.run(["bash", clone / "scripts/setup", "--hooks"], check=True)
        for subject, accepted in (("docs: explain leases", True), ("leases", False)):
            argv = [
                "git",
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.org",
                "commit",
                "--allow-empty",
                "-m",
                subject,
            ]
            done = subprocess.run(argv, cwd=clone, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode == 0, accepted, done.stdout + done.stderr)
