"""Bad configurations of the cluster, typed on a node that does not lead: refused, each with its reason, and nobody
notices."""

import json
from pathlib import Path
from typing import Any

from bad_configs import GOOD, Kind, kinds
from pinging import Ping, withheld
from qure_dev.lab.node import Node
from support import SERVICE_V4
from test_cluster_config import ConfigTest

APPLY = "apply"  # the word after `qurectl config`
LEAST_KINDS = 30
BOUNDS = ("25h", "1441m", "86401s")  # to confirm a change


class BadConfig(ConfigTest):
    def typed(self, node: Node, path: Path, *options: str) -> tuple[str, Any]:
        """What `qurectl config` says of the file, and the same as JSON; it is refused, both times."""
        plain = node.control("config", APPLY, str(path), *options, timeout=25)
        self.assertEqual(plain.returncode, 1, plain.stdout + plain.stderr)
        told = node.control("--json", "config", APPLY, str(path), *options, timeout=25)
        self.assertEqual(told.returncode, 1, told.stdout + told.stderr)
        answer = json.loads(told.stdout)
        for field in ("where", "reason", "remedy"):
            self.assertTrue(answer[field], f"{field}: {answer}")
        return plain.stdout + plain.stderr, answer

    def refused(self, node: Node, kind: Kind) -> None:
        path = node.directory / "bad.toml"
        path.write_bytes(kind.text)
        text, answer = self.typed(node, path)
        where = f"{path}:{kind.line}: {kind.key}"
        self.assertEqual(answer["where"], where, answer)
        self.assertIn(f"{where}: ", text)

    def in_effect(self) -> list[Any]:
        """At each node: version and stage, and what waits."""
        found = [self.config(name) for name in self.names]
        self.assertEqual([answer["pending"] for answer in found], [None] * len(found))
        return [(answer["in_effect"]["version"], answer["in_effect"]["stage"]) for answer in found]

    def test_each_is_refused_with_its_reason(self) -> None:
        node = self.lab.node(self.adopt())
        bad = list(kinds(node.directory))
        self.assertGreaterEqual(len({kind.name for kind in bad}), LEAST_KINDS)
        before, kept_back = self.in_effect(), withheld(self.lab.nodes())
        with Ping(SERVICE_V4) as ping:
            for kind in bad:
                with self.subTest(kind.name):
                    self.refused(node, kind)
                    self.assertEqual(self.in_effect(), before)
            path = self.new_file(node.name, GOOD)
            for time in BOUNDS:
                with self.subTest(confirm=time):
                    self.assertEqual(self.typed(node, path, "--confirm", time)[1]["where"], "--confirm")
            with self.subTest("no such file"):
                missing = node.directory / "missing.toml"
                self.assertEqual(self.typed(node, missing)[1]["where"], str(missing))
            self.assertEqual(self.in_effect(), before)
        self.assertGreater(ping.answered, len(bad))
        self.assertLessEqual(ping.lost, withheld(self.lab.nodes()) - kept_back)
        self.assert_unchanged(self.before, self.whole())
        # What they were made of is good, but for what was made bad.
        self.control(node.name, "config", APPLY, str(path), "--dry-run")
