"""A cluster that runs by a key in its files is moved over to records and one configuration, by one command."""

import json

from cluster_support import ClusterTest
from support import until


class Move(ClusterTest):
    def test_by_one_command_on_the_master(self) -> None:
        views = self.whole()
        master = next(name for name in views if views[name]["role"] == "master")
        other = next(name for name in views if name != master)
        term = views[master]["term"]
        self.assertIn(master, self.control(other, "init", status=1))
        self.assertIsNone(json.loads(self.control(other, "--json", "cluster"))["cluster"])

        moved = json.loads(self.control(master, "--json", "init"))
        self.assertIsNone(moved["problem"])
        self.assertEqual(moved["outside"], [])
        self.assertEqual(len(moved["recovery_code"].replace("-", "")), 28)

        def served_by_one(name: str) -> bool:
            return json.loads(self.control(name, "--json", "config"))["in_effect"] is not None

        until(lambda: all(served_by_one(name) for name in self.names), 10, "all have the configuration")
        for name in self.names:
            self.assertEqual(len(json.loads(self.control(name, "--json", "cluster"))["nodes"]), len(self.names))
        self.assertIsNone(json.loads(self.control(master, "--json", "init"))["recovery_code"], "it was shown once")
        self.control(other, "key", "rotate")
        self.assertEqual(self.whole()[master]["term"], term, "nobody noticed")
