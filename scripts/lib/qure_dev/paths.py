"""Where things are."""

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
ROOT = LIBRARY.parents[1]
LAB_TESTS = ROOT / "tests/lab"


def build_directory() -> Path:
    """The plain build, or the one that QURE_BUILD names."""
    return Path(os.environ.get("QURE_BUILD") or ROOT / "build").resolve()
