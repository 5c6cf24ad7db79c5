"""The programs that labs run: where a build has them, and how they are built."""

import os
import subprocess

from qure_dev.paths import ROOT

QURED = "control/qured/qured"
QURECTL = "control/qurectl/qurectl"
PROBE = "tests/lab/qure-probe"
HANG = "tests/lab/qure-hang"
BARRAGE = "tests/lab/qure-barrage"


class BuildError(RuntimeError):
    pass


def build(*targets: str) -> None:
    """Builds what is asked for, unless QURE_BUILD names a build that is taken as it is."""
    if not os.environ.get("QURE_BUILD"):
        done = subprocess.run([ROOT / "scripts/build", *targets], stdout=2, check=False)
        if done.returncode != 0:
            raise BuildError("the build failed")
