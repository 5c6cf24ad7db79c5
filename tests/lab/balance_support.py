"""What the tests of balancing share: clients in the gateway, and words for what they saw."""

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cluster_support import ClusterTest
from qure_dev.lab import netns, topology
from qure_dev.paths import LIBRARY
from support import SERVICE_V4, until

HERE = Path(__file__).parent


def client(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """A client program of this folder, running in the gateway."""
    argv = ["env", f"PYTHONPATH={LIBRARY}", "python3", str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(
        netns.inside(topology.gateway(), *argv), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


class BalanceTest(ClusterTest):
    def setUp(self) -> None:
        super().setUp()
        self.balanced(*self.names)

    def connections(self, *arguments: object, timeout: float = 120) -> Any:
        """Runs connections.py to its end; what it saw."""
        with client("connections.py", *arguments) as program:
            output, _ = program.communicate(timeout=timeout)
        return json.loads(output)

    @contextlib.contextmanager
    def downloads(self, count: int = 30, seconds: float = 6, host: str = SERVICE_V4) -> Iterator[dict[str, Any]]:
        """Downloads that have begun when the body starts, and have ended after it: the dictionary is filled then."""
        result: dict[str, Any] = {}
        with client("downloads.py", "--count", count, "--seconds", seconds, "--host", host) as program:
            assert program.stdout
            self.assertEqual(program.stdout.readline(), "begun\n")
            yield result
            output, _ = program.communicate(timeout=90)
        result.update(json.loads(output))

    def assert_broken_only_on(self, result: dict[str, Any], *names: str) -> None:
        """Every download of the other nodes has finished."""
        for name, row in result.items():
            self.assertEqual(row["broken"], row["started"] if name in names else 0, f"{name} of {result}")

    def services(self, name: str) -> Any:
        return json.loads(self.control(name, "--json", "services"))

    def balanced(self, *owners: str, service: str = "web", deadline: float = 20) -> None:
        """Waits until exactly these nodes get new flows, by the word of all that run, and the epoch has settled."""
        seen: dict[str, Any] = {}

        def agreed() -> bool:
            seen.clear()
            for node in self.lab.nodes():
                if node.running():
                    seen[node.name] = self.services(node.name)
            epochs = {entry["balance_epoch"] for entry in seen.values()}
            return len(epochs) == 1 and all(self._owners(entry, service) == set(owners) for entry in seen.values())

        until(agreed, deadline, lambda: f"balanced over {owners}: {seen}")
        until(lambda: all(self.services(name)["settled"] for name in seen), deadline, "the epoch settles")

    @staticmethod
    def _owners(services: Any, service: str) -> set[str]:
        (row,) = [row for row in services["services"] if row["name"] == service]
        return {owner["name"] for owner in row["owners"]}

    def configure(self, change: Callable[[str], str]) -> None:
        """Passes the cluster part of every node's configuration through `change` and makes the nodes read it."""
        for node in self.lab.nodes():
            node.config_path.write_text(change(node.config_path.read_text()))
        for node in self.lab.nodes():
            if node.running():
                self.control(node.name, "reload")

    def with_service_keys(self, text: str) -> None:
        """These lines more in [[cluster.service]] "web", until the test has ended."""
        before = {node.name: node.config_path.read_text() for node in self.lab.nodes()}
        self.configure(lambda old: re.sub(r'^ports = "80".*\n', lambda line: line.group() + text, old, 1, re.MULTILINE))
        self.assertNotEqual(before["n1"], self.lab.node("n1").config_path.read_text())
        self.addCleanup(self._restore, before)

    def _restore(self, before: dict[str, str]) -> None:
        for node in self.lab.nodes():
            node.config_path.write_text(before[node.name])
            if node.running():
                self.control(node.name, "reload")
