"""The demonstration of adoption: three machines without a configuration file become one address."""

import json
import shutil
import time
from collections.abc import Callable
from typing import Any

from qure_dev.lab import cluster
from qure_dev.lab.lab import Request
from qure_dev.lab.node import Node
from qure_dev.lab.topology import GATEWAY_V4, SERVICE_V4
from qure_dev.proofs import Show
from qure_dev.waiting import until

NODES = 3
PATIENCE = 30  # seconds, for a step


class BareDemo(Show):
    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("machines without a file wait", self.wait),
            ("n1 begins a cluster", self.begin),
            ("the address is served", self.served),
            ("n2 is taken in by its code", lambda: self.admit("n2")),
            ("n3 is taken in by its code", lambda: self.admit("n3")),
            ("all have one configuration", self.one_configuration),
            ("n1 is killed", self.kill),
            ("the address is still served", self.served),
            ("n1 comes back with an empty disk", self.erase),
            ("n1 is taken in again", lambda: self.admit("n1")),
            ("n1 has everything back", self.one_configuration),
            ("n3 carries a token, on an empty disk", self.invite),
            ("n3 has everything back, without a command", self.one_configuration),
        ]

    def up(self) -> None:
        self._lab.up(Request(nodes=NODES, bare=True), say=self._say)

    def _ask(self, node: Node, *what: str) -> Any:
        answer = node.query(*what)
        if answer is None:
            raise RuntimeError(f"{node.name} does not answer `qurectl {' '.join(what)}`; {node.last_words()}")
        return answer

    def _member(self) -> Node:
        """One that belongs to the cluster."""
        return next(node for node in self._lab.nodes() if node.running() and self._ask(node, "cluster")["cluster"])

    def wait(self) -> str:
        states = {node.name: self._ask(node, "candidates")["joining"] for node in self._lab.nodes()}
        if not all(states.values()):
            raise RuntimeError(f"not all wait: {states}")
        return ", ".join(f"{name} {state['code']}" for name, state in states.items())

    def begin(self) -> str:
        began = time.monotonic()
        node = self._lab.node("n1")
        self._shown_on(
            node, "init", "--name", "home", "--address", f"{SERVICE_V4}/24", "--gateway", GATEWAY_V4, timeout=60
        )
        return f"in {time.monotonic() - began:.1f} s"

    def served(self) -> str:
        return self._find(
            r"5 received, 0% packet loss", self._gw("ping", "-c", "5", "-i", "0.1", "-W", "1", SERVICE_V4)
        )

    def admit(self, name: str) -> str:
        node, member = self._lab.node(name), self._member()
        code = self._ask(node, "candidates")["joining"]["code"]
        heard = lambda: code in [row["code"] for row in self._ask(member, "candidates")["candidates"]]
        until(heard, PATIENCE, lambda: f"{member.name} hears {name}")
        began = time.monotonic()
        self._shown_on(member, "admit", code)
        self._until_member(node)
        return f"{name} is a member, and takes flows, after {time.monotonic() - began:.1f} s"

    def _until_member(self, node: Node) -> None:
        belong = [
            other for other in self._lab.nodes() if other.running() and self._in(other) or other.name == node.name
        ]
        until(lambda: self._whole(belong), PATIENCE, lambda: f"{node.name} serves; {node.last_words()}", every=0.05)

    def _in(self, node: Node) -> bool:
        return bool(self._ask(node, "cluster")["cluster"])

    @staticmethod
    def _whole(nodes: list[Node]) -> bool:
        views = cluster.views(nodes)
        return all(views.values()) and not cluster.problem(views)

    def one_configuration(self) -> str:
        texts: dict[str, str] = {}

        def same() -> bool:
            texts.update({node.name: json.dumps(node.query("config", "text")) for node in self._lab.nodes()})
            return len(set(texts.values())) == 1 and SERVICE_V4 in next(iter(texts.values()))

        until(same, PATIENCE, lambda: f"one configuration: {texts}")
        version = self._ask(self._lab.node("n3"), "config")["in_effect"]["version"]
        return f"version {version} on {', '.join(texts)}"

    def kill(self) -> str:
        self._lab.node("n1").kill()
        rest = [node for node in self._lab.nodes() if node.name != "n1"]
        return f"{cluster.master(self._lab.wait_whole(rest))} leads"

    def invite(self) -> str:
        token = self._shown_on(self._lab.node("n1"), "invite").strip()
        node = self._lab.node("n3")
        node.kill()
        shutil.rmtree(node.data)
        began = time.monotonic()
        node.start(options=("--join", token))
        self._until_member(node)
        return f"it is a member, and takes flows, {time.monotonic() - began:.1f} s after it was started"

    def erase(self) -> str:
        node = self._lab.node("n1")
        shutil.rmtree(node.data)
        node.start()
        return f"it waits under another code, {self._ask(node, 'candidates')['joining']['code']}"
