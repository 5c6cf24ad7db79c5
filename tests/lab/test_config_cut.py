"""Changes that cut the cluster off: found by the node that tries them first, or undone by all. And a change that half
of the nodes confirmed when the LAN fell apart."""

import json
from collections.abc import Iterator
from typing import Any

from pinging import Ping, withheld
from qure_dev.lab import topology
from support import GATEWAY_V4, SERVICE_V4, Request, until
from test_cluster_config import ConfigTest

APPLY = "apply"  # the word after `qurectl config`
NOBODY = "198.51.100.77"  # a gateway that there is not
BEYOND = "203.0.113.7"  # a client whose answers leave by the gateway
CONFIRM = 8  # seconds; operators take minutes


class Cut(ConfigTest):
    request = Request(nodes=4)

    def setUp(self) -> None:
        super().setUp()
        self.gw("ip", "addr", "replace", f"{BEYOND}/32", "dev", "lo")
        if self.config("n1")["in_effect"] is None:
            self.adopt()
        self.master, self.other = self.leaders()
        own = self.lab.node(self.other).config_path.read_text()
        self.good = self.new_file(self.other, own)
        self.assertIn(f'"{GATEWAY_V4}"', own)
        self.bad = self.lab.node(self.other).directory / "cut.toml"
        self.bad.write_text(own.replace(f'"{GATEWAY_V4}"', f'"{NOBODY}"'))

    def reached(self, seconds: int) -> bool:
        """Whether a client beyond the gateway gets an answer from the service within so long."""
        argv = ("curl", "-s", "--interface", BEYOND, "--max-time", str(seconds), f"http://{SERVICE_V4}/")
        return self.lab.execute("gw", *argv).stdout.strip() in self.names

    def log(self, name: str) -> str:
        return self.lab.node(name).log.read_text()

    def effects(self, *names: str) -> Iterator[Any]:
        for name in names or self.names:
            yield self.config(name)["in_effect"]

    def open_everywhere(self) -> str:
        """Applied by all, without a trial; its version."""
        self.control(self.other, "config", APPLY, str(self.bad), "--no-canary", "--confirm", f"{CONFIRM}s")
        return self.all_run("open")

    def test_one_node_finds_that_the_gateway_is_gone(self) -> None:
        self.assertTrue(self.reached(10))
        before = self.all_run("confirmed")
        kept_back = withheld(self.lab.nodes())
        read = {name: len(self.log(name)) for name in self.names}
        with Ping(SERVICE_V4) as ping:
            told = self.lab.node(self.other).control("--json", "config", APPLY, str(self.bad), timeout=25)
        self.assertEqual(told.returncode, 1, told.stdout)
        answer = json.loads(told.stdout)
        self.assertIn("gateway", answer["reason"])
        self.assertTrue(answer["remedy"])
        self.assertIn(answer["node"], self.others(self.master))
        self.assertEqual(self.all_run("confirmed"), before)
        ran = [name for name in self.names if "configuration of the cluster: this node" in self.log(name)[read[name] :]]
        self.assertEqual(ran, [answer["node"]])
        self.assertGreater(ping.answered, 0)
        self.assertLessEqual(ping.lost, withheld(self.lab.nodes()) - kept_back)
        self.assertTrue(self.reached(10))

    def test_what_nobody_confirms_is_undone_by_all(self) -> None:
        before = self.all_run("confirmed")
        version = self.open_everywhere()
        self.assertNotEqual(version, before)
        for name in self.names:
            verdict = self.lab.node(name).status()["verdict"]
            self.assertNotEqual(verdict["state"], "serving", verdict)
            self.assertIn("is rolled back in", str(verdict))
        self.assertFalse(self.reached(2), "the service is gone")
        until(lambda: {effect["version"] for effect in self.effects()} == {before}, 2 * CONFIRM, "all have gone back")
        self.assertEqual(self.all_run("confirmed"), before)
        until(lambda: self.reached(3), 15, "the service is back")
        for name in self.names:
            self.assertIn(f"configuration {version} is rolled back", self.log(name))
        until(lambda: "rolled back" not in str(self.lab.node(name).status()["verdict"]), 5, "nothing is pending")

    def test_halves_that_part_while_one_confirms_end_equal(self) -> None:
        before = self.all_run("confirmed")
        version = self.open_everywhere()
        half = [self.other, self.master]
        rest = [name for name in self.names if name not in half]
        self.lab.split(half, rest)
        self.control(self.other, "config", "confirm")
        until(lambda: [effect["stage"] for effect in self.effects(*half)] == ["confirmed"] * 2, 5, "one half keeps it")
        until(
            lambda: {effect["version"] for effect in self.effects(*rest)} == {before}, 2 * CONFIRM, "the rest goes back"
        )
        self.assertEqual({effect["version"] for effect in self.effects(*half)}, {version})
        self.lab.heal()
        self.whole()
        self.assertEqual(self.all_run("confirmed"), version)
        for name in rest:
            self.assertIn(f"configuration {version} is in effect after all", self.log(name))

        # Whatever it cut off: it can be replaced.
        self.control(self.other, "config", APPLY, str(self.good), "--no-canary", "--confirm", "0")
        self.all_run("confirmed")
        until(lambda: self.reached(3), 15, "the service is back")
