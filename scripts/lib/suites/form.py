"""scripts/check as a suite: each check is one test."""

from checks import cli
from suites import native
from suites.outcome import FAILED, PASSED, ROOT, Outcome


def check(options):
    failure = native.build("plain")  # generated compile commands must be there and true
    if failure:
        yield failure
        return
    for row in cli.run([name for name in cli.CHECKS if options.wants(name)], ROOT / "build"):
        yield Outcome(row["name"], PASSED if row["ok"] else FAILED, row["seconds"], "\n".join(row["problems"]))
