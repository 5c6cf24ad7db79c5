"""What unittest reports, as Outcomes, as it happens."""

import time
import unittest
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Outcome


def cases(suite: Iterable[Any]) -> Iterator[unittest.TestCase]:
    """All tests of a suite, one by one."""
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from cases(entry)
        else:
            yield entry


class Collector(unittest.TestResult):
    """`detail`: what there is to say beside the traceback of a test that failed."""

    def __init__(self, give: Callable[[Outcome], None], detail: Callable[[], list[str]] = lambda: []) -> None:
        super().__init__()
        self._give = give
        self._detail = detail
        self._started = time.monotonic()
        self._failed = False

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._started = time.monotonic()
        self._failed = False

    def _add(self, test: Any, result: str, detail: str = "") -> None:
        self._give(Outcome(test.id(), result, time.monotonic() - self._started, detail))

    def addSuccess(self, test: Any) -> None:
        if not self._failed:
            self._add(test, PASSED)

    def addFailure(self, test: Any, err: Any) -> None:
        self._failed = True
        text = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]
        self._add(test, FAILED, "\n".join([text, *self._detail()]))

    def addError(self, test: Any, err: Any) -> None:
        self.addFailure(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addFailure(subtest, err)

    def addSkip(self, test: Any, reason: str) -> None:
        self._add(test, SKIPPED, reason)
