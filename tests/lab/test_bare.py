"""Machines without a configuration file: one begins a cluster, the other is taken in."""

import json
import shutil

from bare_support import FIRST, BareTest
from support import GATEWAY_V4, SERVICE_V4, Request, until


class Bare(BareTest):
    request = Request(nodes=2, bare=True)

    def test_one_begins_the_other_is_taken_in(self) -> None:
        self.assertEqual(self.ask("n1", "candidates")["joining"]["state"], "bare")
        refused = self.control("n1", "init", "--address", SERVICE_V4, "--gateway", GATEWAY_V4, status=1)
        self.assertIn("cluster.address.address", refused)
        self.assertIn("--address", self.control("n1", "init", status=1))
        self.assertEqual(self.ask("n1", "candidates")["joining"]["state"], "bare", "nothing is half done")

        begun = json.loads(self.control("n1", "--json", *FIRST))
        self.assertEqual(len(begun["recovery_code"].replace("-", "")), 28)
        again = json.loads(self.control("n1", "--json", *FIRST))
        self.assertEqual(again["fingerprint"], begun["fingerprint"])
        self.assertIsNone(again["recovery_code"], "it was shown once")
        self.served()

        self.admit("n2", by="n1")
        self.lab.wait_whole()
        text = self.ask("n1", "config", "text")
        until(lambda: self.lab.node("n2").query("config", "text") == text, 10, "n2 has the whole configuration")

        self.lab.node("n1").kill()
        self.lab.wait_whole([self.lab.node("n2")])
        self.served()

        # Another disk: it is nobody, and gets everything back.
        shutil.rmtree(self.lab.node("n1").data)
        self.lab.node("n1").start()
        self.assertIsNone(self.ask("n1", "cluster")["cluster"])
        self.admit("n1", by="n2")
        self.lab.wait_whole()
        until(lambda: self.lab.node("n1").query("config", "text") == text, 10, "n1 has it again")

        # The same, with a token and without a command. It is for one node.
        token = self.control("n1", "invite").strip()
        self.lab.node("n2").kill()
        shutil.rmtree(self.lab.node("n2").data)
        self.lab.node("n2").start(options=("--join", token))
        self.lab.wait_whole()
        until(lambda: self.lab.node("n2").query("config", "text") == text, 10, "n2 has it again")
        [used] = self.ask("n1", "invite", "list")["tokens"]
        self.assertEqual((used["uses_left"], used["used_by"]), (0, ["n2"]))
