"""scripts/check as a suite: each check is one test."""

from collections.abc import Iterator

from qure_dev.checks import cli
from qure_dev.paths import ROOT
from qure_dev.suites import native, progress
from qure_dev.suites.outcome import FAILED, PASSED, Options, Outcome

TIDY_SECONDS = 120
TIDY_FULL_SECONDS = 900


def check(options: Options) -> Iterator[Outcome]:
    failure = native.build("plain")  # generated compile commands must be there and true
    if failure:
        yield failure
        return
    patience = TIDY_FULL_SECONDS if options.full else TIDY_SECONDS
    for name in filter(options.wants, cli.NAMES):
        progress.doing(f"check: {name}")
        for row in cli.run([name], ROOT / "build", patience):
            detail = "\n".join([*row["problems"], *filter(None, [row["note"]])])
            yield Outcome(row["name"], PASSED if row["ok"] else FAILED, row["seconds"], detail)
