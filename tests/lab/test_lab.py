"""The lab itself, by its command line."""

import json
import os
import subprocess
import unittest
from pathlib import Path
from typing import Any

from qure_dev.lab import netns, topology
from qure_dev.lab.lock import held
from qure_dev.paths import ROOT
from qure_dev.process import Process
from support import SERVICE_V4, SERVICE_V6, until


class CommandLine(unittest.TestCase):
    def lab(self, *arguments: str, status: int = 0, **options: Any) -> str:
        done = subprocess.run(
            [ROOT / "scripts/lab", *arguments], capture_output=True, text=True, timeout=120, **options
        )
        self.assertEqual(done.returncode, status, f"lab {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def status(self) -> Any:
        return json.loads(self.lab("status", "--json"))["nodes"]

    def setUp(self) -> None:
        self.lab("down")
        self.addCleanup(self.lab, "down")

    def test_up_shows_the_topology_and_the_state(self) -> None:
        output = self.lab("up", "--nodes", "1")
        for word in (
            topology.gateway(),
            "198.51.100.1/24",
            topology.switch(),
            "br0",
            topology.namespace("n1"),
            "198.51.100.11/24",
            SERVICE_V4,
            SERVICE_V6,
            "held",
        ):
            self.assertIn(word, output)
        self.assertEqual(
            [(row["name"], row["running"], row["role"]) for row in self.status()], [("n1", True, "master")]
        )
        self.assertEqual(
            {entry["address"].partition("/")[0]: entry["state"] for entry in self.status()[0]["addresses"]},
            {SERVICE_V4: "held", SERVICE_V6: "held"},
        )
        self.assertIn("term", self.status()[0])
        self.assertIn(" 0% packet loss", self.lab("exec", "gw", "ping", "-c", "2", "-i", "0.1", SERVICE_V4))

    def test_the_same_request_changes_nothing(self) -> None:
        self.lab("up", "--nodes", "2")
        pids = [(topology.state() / name / "qured.pid").read_text() for name in ("n1", "n2")]
        self.assertIn("already", self.lab("up", "--nodes", "2"))
        self.assertEqual(pids, [(topology.state() / name / "qured.pid").read_text() for name in ("n1", "n2")])
        self.lab("up", "--nodes", "1")
        self.assertEqual([row["name"] for row in self.status()], ["n1"])
        self.assertNotIn(topology.namespace("n2"), netns.names())

    def test_kill_and_start(self) -> None:
        self.lab("up", "--nodes", "1")
        self.lab("kill", "n1")
        self.assertEqual(
            [(row["running"], row["role"], row["addresses"]) for row in self.status()], [(False, None, [])]
        )
        self.lab("start", "n1")
        until(
            lambda: all(entry["state"] == "held" for entry in self.status()[0]["addresses"]),
            10,
            "the addresses are held again",
        )
        for command in ("pause", "resume", "cut", "heal", "unplug", "plug"):
            self.lab(command, "n1")
        self.lab("heal")

    def test_mistakes_are_told(self) -> None:
        self.assertIn("no node n1", self.lab("kill", "n1", status=1))
        self.assertIn("no node n2", self.lab("split", "n2", "n3", status=1))
        self.assertIn("no sw", self.lab("capture", "/dev/null", status=1))
        self.assertIn("no gw", self.lab("exec", "gw", "true", status=1))
        self.assertIn("no such file", self.lab("up", "--config", "/nowhere.toml", status=1))

    def test_one_user_at_a_time(self) -> None:
        stranger = {key: value for key, value in os.environ.items() if key != "QURE_LAB_HELD"}
        with held():
            for command in ("up", "down"):
                self.assertIn("another program is using the lab", self.lab(command, status=1, env=stranger))

    def test_two_labs_stand_side_by_side(self) -> None:
        other = ("--name", f"{topology.lab_name()}x")
        self.addCleanup(self.lab, *other, "down")
        self.lab("up", "--nodes", "1")
        pid = (topology.state() / "n1/qured.pid").read_text()
        self.lab(*other, "up", "--nodes", "1")
        self.assertEqual({topology.lab_name(), other[1]} - set(self.lab("list").split()), set())
        for name in ((), other):
            self.assertIn(" 0% packet loss", self.lab(*name, "exec", "gw", "ping", "-c", "2", "-i", "0.1", SERVICE_V4))
        self.lab(*other, "down")
        self.assertEqual((topology.state() / "n1/qured.pid").read_text(), pid)
        self.assertEqual([row["running"] for row in self.status()], [True])
        self.assertIn("--name", self.lab("--name", "../x", "up", status=2))

    def test_down_leaves_nothing(self) -> None:
        self.lab("up", "--nodes", "2", "--port", "tap")
        self.lab("kill", "n2")
        self.lab("pause", "n1")
        processes = [
            Process.load(topology.state() / name / record)
            for name in ("n1", "n2")
            for record in ("qured.pid", "web.pid")
        ]
        self.lab("down")
        self.assertFalse(topology.state().exists())
        self.assertEqual([name for name in netns.names() if topology.is_ours(name)], [])
        self.assertFalse(Path("/var/run/dpdk", topology.namespace("n1")).exists())
        self.assertEqual([process for process in processes if process is None or process.alive()], [])
