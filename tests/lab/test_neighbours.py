"""Others on the LAN: a cluster of the same name, and somebody who asks to be taken in fifty thousand times a second."""

import contextlib
import secrets
import sqlite3
import sys
import time
from typing import Any

from bare_support import FIRST, BareTest
from candidate_frames import candidate_frames
from cluster_support import cluster_frames
from pinging import Ping, withheld
from qure_dev.frames import Seen
from qure_dev.lab import topology
from siege_attacks import Attack, Barrage
from support import GATEWAY_V4, SERVICE_V4, Request, add_host, remove_host, until
from wire import Capture

OTHER_V4 = "198.51.100.60"
OTHER_FIRST = ("init", "--name", "home", "--address", f"{OTHER_V4}/24", "--gateway", GATEWAY_V4)
APPLY = "apply"  # the word after `qurectl config`
CANDIDATE = b"QR\x01\x03\x01"  # how such a datagram begins
ASKS = 4  # one a second: more than an admission takes


def candidates_in(wire: Capture) -> list[Seen]:
    """The frames in which a node asks to be taken in."""
    return [frame for frame in cluster_frames(wire.frames) if CANDIDATE in frame.payload[:40]]


class Namesakes(BareTest):
    request = Request(nodes=5, bare=True)

    def what_counts(self, *names: str) -> list[Any]:
        """What of a cluster a neighbour must not change, as each of these nodes knows it."""
        return [
            (
                self.ask(name, "term")["term"],
                self.ask(name, "term")["master"],
                sorted(row["node"] for row in self.ask(name, "nodes")["nodes"]),
                self.ask(name, "cluster")["cluster"],
                [key["id"] for key in self.ask(name, "key", "list")["keys"]],
                self.ask(name, "config")["in_effect"]["version"],
            )
            for name in names
        ]

    def held(self, name: str) -> dict[str, str]:
        """Address -> service MAC."""
        status = self.lab.node(name).status()
        return {entry["address"].partition("/")[0]: entry["mac"] for entry in status["addresses"]}

    def group(self, name: str) -> str:
        return str(self.ask(name, "config", "show")["cluster"]["group"])

    def wait_configured(self, *names: str) -> None:
        until(lambda: all(self.ask(name, "config")["in_effect"] for name in names), 10, f"{names} are configured")

    def wait_heard(self, name: str, other: str) -> None:
        """Until a node knows that there is one that it does not believe."""
        node = self.lab.node(other).status()["node_id"]
        until(
            lambda: any(stranger["node"] == node for stranger in self.lab.node(name).status()["strangers"]),
            20,
            f"{name} hears {other}",
        )

    def wait_asked(self, name: str, code: str) -> None:
        """Until a node hears one that asks to be taken in."""
        until(
            lambda: any(row["code"] == code for row in self.ask(name, "candidates")["candidates"]),
            10,
            f"{name} hears of {code}",
        )

    def test_two_clusters_of_one_name(self) -> None:
        self.control("n1", *FIRST)
        self.control("n3", *OTHER_FIRST)
        self.admit("n2", by="n1")
        self.admit("n4", by="n3")
        ours, theirs = ("n1", "n2"), ("n3", "n4")
        for pair in (ours, theirs):
            self.lab.wait_whole([self.lab.node(name) for name in pair])
            self.wait_configured(*pair)
        self.assertNotEqual(self.ask("n1", "cluster")["cluster"], self.ask("n3", "cluster")["cluster"])
        self.assertEqual(set(self.held("n1")), {SERVICE_V4})
        self.assertEqual(set(self.held("n3")), {OTHER_V4})
        self.assertNotEqual(self.held("n1")[SERVICE_V4], self.held("n3")[OTHER_V4])
        self.assertNotEqual(self.group("n1"), self.group("n3"))
        self.assertEqual((self.group("n1"), self.group("n3")), (self.group("n2"), self.group("n4")))

        before = [self.what_counts(*pair) for pair in (ours, theirs)]
        kept_back = withheld(self.lab.nodes())
        with Ping(OTHER_V4) as their_ping:
            with Ping(SERVICE_V4) as our_ping:
                for name, other in (("n1", "n3"), ("n2", "n4"), ("n3", "n1"), ("n4", "n2")):
                    self.wait_heard(name, other)
                self.assertEqual([self.what_counts(*pair) for pair in (ours, theirs)], before)
            # A takeover in one is none in the other.
            self.control("n1" if self.lab.node("n1").status()["role"] == "master" else "n2", "handover")
            self.lab.wait_whole([self.lab.node(name) for name in ours])
            self.assertNotEqual(self.what_counts(*ours), before[0])
            self.assertEqual(self.what_counts(*theirs), before[1])
        for ping in (our_ping, their_ping):
            self.assertGreater(ping.answered, 0, ping.address)
            self.assertLessEqual(ping.lost, withheld(self.lab.nodes()) - kept_back, ping.address)

        # Who has no key is heard by both, and taken in by none.
        joining = self.ask("n5", "candidates")["joining"]
        self.assertEqual(joining["state"], "bare")
        for name in ("n1", "n3"):
            self.wait_asked(name, joining["code"])
        with Capture("sw", topology.switch_port("n5"), received_only=True) as wire:
            until(lambda: len(candidates_in(wire)) >= ASKS, 15, "n5 goes on asking")
        self.assertIsNone(self.ask("n5", "cluster")["cluster"])
        self.assertEqual(self.ask("n5", "candidates")["joining"]["state"], "bare")


class Outsider(BareTest):
    alone = True
    request = Request(nodes=3, bare=True)
    RATE = 50_000  # frames a second
    DIFFERENT = 8192  # of them
    WITHIN = 3.0  # seconds, in which a named node serves …
    PATIENCE = 20.0  # … on a machine that has a core for each node; here it has to share
    ENOUGH = 1_000  # frames a second that the outsider has to reach: ten times what is looked at without a cookie

    def setUp(self) -> None:
        self.attack = Attack("candidates", self.RATE, candidate_frames(self.DIFFERENT))
        add_host("h1", "lan0", "198.51.100.99/24")
        self.addCleanup(remove_host, "h1")
        # A long run of hexadecimal digits would be left out, as it may be a key.
        self.secret = "only for nodes: " + "".join(secrets.choice("ghijklmnopqrstuvwxyz") for _ in range(16))

    def begin(self) -> None:
        """A cluster of two, whose configuration has a secret."""
        self.control("n1", *FIRST)
        self.admit("n2", by="n1")
        self.lab.wait_whole([self.lab.node(name) for name in ("n1", "n2")])
        path = self.lab.node("n1").directory / "secret.toml"
        path.write_text(f"# {self.secret}\n{self.lab.node('n1').query('config', 'text')['text']}")
        self.control("n1", "config", APPLY, str(path), "--confirm", "0")

    def keys(self, name: str) -> list[bytes]:
        """The cluster's keys on the disk of a node, which ends: it shares its disk with nobody."""
        self.lab.node(name).kill()
        with contextlib.closing(sqlite3.connect(self.lab.node(name).data / "qure.db")) as store:
            return [bytes(key) for (key,) in store.execute("SELECT key FROM keys")]

    def serves(self, name: str) -> bool:
        """It is a member that the cluster knows, and runs its configuration."""
        node = self.lab.node(name)
        config = node.query("config") or {"in_effect": None, "nodes": []}
        runs = {row["name"]: row["runs"] for row in config["nodes"]}
        return bool(config["in_effect"]) and runs.get(name) == "same" and len(runs) == 3

    def test_a_named_node_comes_through_a_flood_of_others(self) -> None:
        self.begin()
        before = self.ask("n1", "term")
        ports = [Capture("sw", topology.switch_port(name), received_only=True) for name in ("n1", "n2", "n3")]
        with contextlib.ExitStack() as stack:
            for port in ports:
                stack.enter_context(port)
            flood = Barrage(self.lab.build, self.attack, "h1", "lan0", 120)
            began = time.monotonic()
            try:
                until(lambda: self.ask("n1", "candidates")["candidates"], 10, "the flood is heard")
                named = time.monotonic()
                self.admit("n3", by="n1")
                until(lambda: self.serves("n3"), self.PATIENCE, "n3 serves")
                took = time.monotonic() - named
            finally:
                lasted = time.monotonic() - began
                sent = flood.end()
        rate = sent / lasted
        print(f"named to serving: {took:.2f} s (wanted {self.WITHIN:g}) at {rate:.0f} frames a second", file=sys.stderr)
        self.assertGreater(rate, self.ENOUGH)
        self.lab.wait_whole()
        after = self.ask("n1", "term")
        self.assertEqual((after["term"], after["master"]), (before["term"], before["master"]))
        self.served()

        heard = [frame.raw for port in ports for frame in port.frames]
        self.assertGreater(len(heard), 100)
        self.assertIn(self.secret, self.ask("n3", "config", "text")["text"])
        [key] = self.keys("n3")
        self.assertEqual([key], self.keys("n1"))
        for secret in (key, key.hex().encode(), self.secret.encode(), SERVICE_V4.encode()):
            self.assertFalse([raw for raw in heard if secret in raw], secret)
