"""The tests of the scripts themselves, in tests/scripts."""

import sys
import unittest
from collections.abc import Iterator

from qure_dev.paths import ROOT
from qure_dev.suites.collector import Collector, cases
from qure_dev.suites.outcome import Options, Outcome


def scripts(options: Options) -> Iterator[Outcome]:
    directory = str(ROOT / "tests/scripts")
    sys.path.insert(0, directory)
    found = cases(unittest.TestLoader().discover(directory, top_level_dir=directory))
    outcomes: list[Outcome] = []
    collector = Collector(outcomes.append)
    for case in found:
        if options.wants(case.id()):
            case.run(collector)
            yield from outcomes
            outcomes.clear()
