"""The programs are hardened as Debian's own packages are (dpkg-buildflags, hardening=+all)."""

import subprocess
import unittest

from qure_dev.paths import build_directory
from qure_dev.programs import QURECTL, QURED


def readelf(program: str, *options: str) -> str:
    """What readelf prints about a built program."""
    argv = ["readelf", "--wide", *options, str(build_directory() / program)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


class Hardened(unittest.TestCase):
    def test_field_e13_programs_are_hardened(self) -> None:
        for program in (QURED, QURECTL):
            with self.subTest(program=program):
                self.assertIn("Position-Independent Executable", readelf(program, "--file-header"))
                segments = readelf(program, "--program-headers")
                self.assertIn("GNU_RELRO", segments)
                stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
                self.assertNotIn("E", stack.split()[6])
                self.assertIn("BIND_NOW", readelf(program, "--dynamic"))
                symbols = readelf(program, "--dyn-syms")
                self.assertIn("__stack_chk_fail", symbols)
                self.assertRegex(symbols, r"__\w+_chk@")
