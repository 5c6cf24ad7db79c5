"""A small repository in which a test plants what a check must refuse."""

import subprocess
import tempfile
import unittest
from pathlib import Path


class PlantedTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-planted-")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name).resolve()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        argv = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(self.root), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def plant(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file
