"""The tests in tests/lab: real nodes in namespaces, real clients."""

import os
import sys
import threading
import time
import unittest

from qure_dev.lab import netns
from qure_dev.lab.lab import Lab
from qure_dev.lab.lock import LabError, own
from qure_dev.paths import ROOT
from qure_dev.suites import native
from qure_dev.suites.outcome import FAILED, PASSED, SKIPPED, Outcome


def _flatten(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from _flatten(entry)
        else:
            yield entry


class _Collector(unittest.TestResult):
    """Turns what unittest reports into Outcomes as it happens."""

    def __init__(self):
        super().__init__()
        self.outcomes = []
        self._started = time.monotonic()
        self._failed = False

    def startTest(self, test):
        super().startTest(test)
        self._started = time.monotonic()
        self._failed = False

    def _add(self, test, result, detail=""):
        self.outcomes.append(Outcome(test.id(), result, time.monotonic() - self._started, detail))

    def addSuccess(self, test):
        if not self._failed:
            self._add(test, PASSED)

    def addFailure(self, test, err):
        self._failed = True
        logs = [node.last_words() for node in Lab().nodes()]
        self._add(test, FAILED, "\n".join([self._exc_info_to_string(err, test), *logs]))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(subtest, err)

    def addSkip(self, test, reason):
        self._add(test, SKIPPED, reason)


def _cannot_run():
    """Why the lab cannot run here, or ""."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        netns.run("unshare", "--net", "true")
    except netns.CommandError as error:
        return str(error)
    return ""


def lab(options):
    failure = None if os.environ.get("QURE_BUILD") else native.build("plain")
    if failure:
        yield failure
        return
    reason = _cannot_run()
    if reason:
        yield Outcome("lab", SKIPPED, detail=reason)
        return
    directory = ROOT / "tests/lab"
    sys.path.insert(0, str(directory))
    os.environ["QURE_QUICK"] = "1" if options.quick else ""
    loader = unittest.TestLoader()
    chosen = unittest.TestSuite(test for test in _flatten(loader.discover(str(directory))) if options.wants(test.id()))
    try:
        with own():
            yield from _stream(chosen)
    except LabError as error:
        yield Outcome("lab", FAILED, detail=str(error))


def _stream(suite):
    """Runs the tests in a thread and yields the outcomes as they come. The lab is down afterwards, whatever happens."""
    collector = _Collector()
    runner = threading.Thread(target=suite.run, args=(collector,), daemon=True)
    runner.start()
    given = 0
    try:
        while runner.is_alive() or given < len(collector.outcomes):
            runner.join(0.2)
            while given < len(collector.outcomes):
                yield collector.outcomes[given]
                given += 1
    finally:
        collector.stop()
        runner.join(60)
        Lab().down()
