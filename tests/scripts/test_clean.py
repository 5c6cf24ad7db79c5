"""scripts/test --clean: a green .ci/run of what is committed is recorded, and nothing else is."""

import contextlib
import io

from planted import PlantedTest
from qure_dev.suites import clean


class Clean(PlantedTest):
    def commit(self, script: str) -> str:
        self.plant(".ci/run", f"#!/bin/sh\n{script}\n").chmod(0o755)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "ci: run")
        return self.git("rev-parse", "HEAD")

    def run_clean(self) -> int:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return clean.run(self.root)

    def test_green_is_recorded(self) -> None:
        head = self.commit('[ "$CI" = true ] && [ -z "$(cat)" ] && [ -z "$(git status --porcelain)" ]')
        self.plant("uncommitted", "")
        self.assertEqual(self.run_clean(), 0)
        self.assertEqual((self.root / ".git/tested").read_text(), f"{head}\n")

    def test_red_is_not(self) -> None:
        self.commit("exit 1")
        self.assertEqual(self.run_clean(), 1)
        self.assertFalse((self.root / ".git/tested").exists())
