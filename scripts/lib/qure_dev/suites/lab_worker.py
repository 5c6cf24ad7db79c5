"""Runs tests of tests/lab, class by class, in a lab of its own: a line of names in, a line for each outcome out.

A line on standard input: a JSON list of tests, all of one class. On standard output: an Outcome as JSON for each, then
null. At the end of the input, or after SIGTERM and the test that runs, the lab is taken down."""

import dataclasses
import json
import os
import signal
import sys
import unittest
from typing import Any

from qure_dev.lab.lab import Lab
from qure_dev.lab.lock import own
from qure_dev.paths import LAB_TESTS
from qure_dev.suites.collector import Collector
from qure_dev.suites.outcome import Outcome

PATIENCE = 60  # seconds that a test has to end after SIGTERM


def _last_words() -> list[str]:
    return [node.last_words() for node in Lab().nodes()]


def main() -> int:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a test prints is no outcome
    sys.path.insert(0, str(LAB_TESTS))

    def give(outcome: Outcome | None) -> None:
        print(json.dumps(outcome and dataclasses.asdict(outcome)), file=answers, flush=True)

    collector = Collector(give, _last_words)

    def end(*_: Any) -> None:
        collector.stop()
        signal.alarm(PATIENCE)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with own():
        Lab().down()  # what a run that was killed has left
        try:
            while not collector.shouldStop and (line := sys.stdin.readline()):
                unittest.defaultTestLoader.loadTestsFromNames(json.loads(line)).run(collector)
                give(None)
        finally:
            Lab().down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
