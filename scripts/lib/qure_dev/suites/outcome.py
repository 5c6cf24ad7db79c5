"""What became of a test, and what the suites are told."""

from dataclasses import dataclass

PASSED = "passed"
FAILED = "failed"
SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    name: str
    result: str
    seconds: float = 0.0
    detail: str = ""  # why it failed or was skipped
    count: int = 1  # test cases that this stands for


@dataclass(frozen=True)
class Options:
    full: bool = False  # the long run
    pattern: str = ""  # only tests whose name contains it

    def wants(self, name: str) -> bool:
        return self.pattern in name
