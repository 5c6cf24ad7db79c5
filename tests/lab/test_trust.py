"""Who has the cluster's key: it changes, a node is expelled, and a recording is played again."""

import contextlib
import json
from typing import Any

from bare_support import FIRST, BareTest
from cluster_support import cluster_frames
from qure_dev.lab import topology
from support import Request, until
from wire import Capture, open_raw


class Trust(BareTest):
    request = Request(nodes=3, bare=True)

    def key(self, name: str) -> int | None:
        keys = (self.lab.node(name).query("key", "list") or {"keys": []})["keys"]
        return next((key["id"] for key in keys if key["in_use"]), None)

    def master(self, *names: str) -> str:
        """Who leads; these are whole by then."""
        views = self.lab.wait_whole([self.lab.node(name) for name in names])
        return next(name for name, view in views.items() if view["role"] == "master")

    def rotate(self, by: str, others: list[str]) -> None:
        old = self.key(by)
        self.control(by, "key", "rotate")
        self.assertNotEqual(self.key(by), old)
        until(lambda: {self.key(name) for name in others} == {self.key(by)}, 10, f"{others} use the key of {by}")

    def replay(self, frames: list[bytes], to: list[str]) -> None:
        """Sends them out of the switch's ports to these nodes: the switch itself learns nothing from that."""
        self.assertGreater(len(frames), 1000)
        for name in to:
            with open_raw("sw", topology.switch_port(name)) as port:
                for frame in frames:
                    port.send(frame)

    def what_counts(self, *names: str) -> Any:
        """All that a recording must not change."""
        return [
            (
                self.ask(name, "cluster")["nodes"],
                self.ask(name, "key", "list"),
                self.ask(name, "term")["term"],
                sorted(row["node"] for row in self.ask(name, "nodes")["nodes"]),
                self.ask(name, "config")["in_effect"]["version"],
            )
            for name in names
        ]

    def test_rotation_and_revocation_with_a_node_away(self) -> None:
        code = json.loads(self.control("n1", "--json", *FIRST))["recovery_code"]
        recorded = [Capture("sw", topology.switch_port(name)) for name in ("n1", "n2", "n3")]
        with contextlib.ExitStack() as stack:
            for capture in recorded:
                stack.enter_context(capture)
            for name in ("n2", "n3"):
                self.admit(name, by="n1")
            self.lab.wait_whole()

            term = self.ask("n1", "term")["term"]
            self.rotate("n2", ["n1", "n3"])
            self.assertEqual(self.ask("n1", "term")["term"], term, "nobody noticed")

            self.lab.node("n3").kill()
            self.rotate("n1", ["n2"])
            self.lab.node("n3").start()
            until(lambda: self.key("n3") == self.key("n1"), 10, "n3 comes for the key when it is back")
            self.lab.wait_whole()

            # The wrong code, a follower: nothing happens.
            self.lab.node("n3").kill()
            master = self.master("n1", "n2")
            other = "n2" if master == "n1" else "n1"
            self.control(master, "revoke", "n3", status=1, text="0000-0000-0000-0000-0000-0000-0000\n")
            self.control(other, "revoke", "n3", status=1, text=f"{code}\n")
            self.assertEqual(self.ask(master, "cluster")["generation"], 0)

            old = self.key(master)
            self.control(master, "revoke", "n3", text=f"{code}\n")
            until(lambda: old != self.key(master) == self.key(other), 10, "both have another key")
            self.assertEqual(self.master("n1", "n2"), master)
            self.served()

            # It has a key, and hears nothing.
            self.lab.node("n3").start()
            until(lambda: (self.lab.node("n3").query("cluster") or {}).get("expelled"), 10, "n3 hears of it")
            until(lambda: (self.lab.node("n3").query("candidates") or {}).get("joining"), 10, "n3 waits")
            self.assertIsNone(self.key("n3"))
            for name in ("n1", "n2"):
                self.assertNotIn("n3", [node["name"] for node in self.ask(name, "cluster")["nodes"]])
            self.served()

        self.lab.node("n3").kill()
        kept = [("n1", "key", "list"), ("n2", "key", "list")]
        until(lambda: all(len(self.ask(*each)["keys"]) == 1 for each in kept), 10, "the old keys are dropped")
        before = self.what_counts("n1", "n2")
        self.replay(
            [frame.raw for capture in recorded for frame in cluster_frames(capture.received())], to=["n1", "n2"]
        )
        self.served()
        self.assertEqual(self.what_counts("n1", "n2"), before)

        self.lab.node("n3").start()
        self.admit("n3", by="n1")
        self.lab.wait_whole()
