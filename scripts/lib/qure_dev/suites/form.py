"""scripts/check as a suite: each check is one test."""

from qure_dev.checks import cli
from qure_dev.paths import ROOT
from qure_dev.suites import native
from qure_dev.suites.outcome import FAILED, PASSED, Outcome


TIDY_SECONDS = 900
TIDY_QUICK_SECONDS = 120


def check(options):
    failure = native.build("plain")  # generated compile commands must be there and true
    if failure:
        yield failure
        return
    patience = TIDY_QUICK_SECONDS if options.quick else TIDY_SECONDS
    for row in cli.run([name for name in cli.CHECKS if options.wants(name)], ROOT / "build", patience):
        detail = "\n".join([*row["problems"], *filter(None, [row["note"]])])
        yield Outcome(row["name"], PASSED if row["ok"] else FAILED, row["seconds"], detail)
