"""scripts/setup with stand-ins for apt, dpkg and systemctl: it installs nothing here."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from qure_dev.paths import ROOT

STAND_INS = {
    # So far only what `installed` says is there.
    "dpkg-query": 'awk \'{print $1, "installed"}\' "$state/installed"',
    "apt-get": """
        case " $* " in
          *" install "*)
            printf 'knot.service\\navahi-daemon.service\\navahi-daemon.socket\\n' >>"$state/enabled"
            [ ! -e "$state/fail" ] || exit 100
            ;;
        esac""",
    "systemctl": """
        [ "$1" = --root=/ ] || exit 1
        case $2 in
          list-unit-files) sed 's/$/ enabled enabled/' "$state/enabled" ;;
          disable) echo "$4" >>"$state/disabled" ;;
        esac""",
    "id": "echo 0",
}


class Setup(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-setup-")
        self.addCleanup(directory.cleanup)
        self.state = Path(directory.name)
        for name, text in STAND_INS.items():
            program = self.state / name
            program.write_text(f"#!/bin/bash\nstate={self.state}\n{text}\n")
            program.chmod(0o755)
        (self.state / "installed").write_text("keepalived\n")
        (self.state / "enabled").write_text("keepalived.service\nssh.service\n")

    def run_setup(self) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{self.state}:{os.environ['PATH']}",
            "POLICY_RC_D": str(self.state / "policy"),
        }
        return subprocess.run([ROOT / "scripts/setup", "build"], env=environment, capture_output=True, text=True)

    def disabled(self) -> list[str]:
        path = self.state / "disabled"
        return sorted(path.read_text().split()) if path.exists() else []

    def test_field_d12_no_service_is_left_enabled(self) -> None:
        done = self.run_setup()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.disabled(), ["avahi-daemon.service", "avahi-daemon.socket", "knot.service"])

    def test_field_d12_after_an_installation_that_failed(self) -> None:
        (self.state / "fail").touch()
        self.assertNotEqual(self.run_setup().returncode, 0)
        self.assertEqual(self.disabled(), ["avahi-daemon.service", "avahi-daemon.socket", "knot.service"])
