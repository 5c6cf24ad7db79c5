"""Machines without a configuration file: one begins a cluster, the other is taken in."""

import json
import shutil
from typing import Any

from support import GATEWAY_V4, SERVICE_V4, LabTest, Request, until


class Bare(LabTest):
    request = Request(nodes=2, bare=True)

    def ask(self, name: str, *what: str) -> Any:
        answer = self.lab.node(name).query(*what)
        self.assertIsNotNone(answer, f"{name}: {what}: {self.lab.node(name).last_words()}")
        return answer

    def control(self, name: str, *arguments: str, status: int = 0) -> str:
        done = self.lab.node(name).control(*arguments, timeout=60)
        self.assertEqual(done.returncode, status, f"{name}: {arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def admit(self, name: str, by: str) -> None:
        code = self.ask(name, "candidates")["joining"]["code"]
        self.control(by, "admit", code)
        self.lab.wait_whole()

    def test_one_begins_the_other_is_taken_in(self) -> None:
        self.assertEqual(self.ask("n1", "candidates")["joining"]["state"], "bare")
        refused = self.control("n1", "init", "--address", SERVICE_V4, "--gateway", GATEWAY_V4, status=1)
        self.assertIn("cluster.address.address", refused)
        self.assertIn("--address", self.control("n1", "init", status=1))
        self.assertEqual(self.ask("n1", "candidates")["joining"]["state"], "bare", "nothing is half done")

        first = ("init", "--name", "home", "--address", f"{SERVICE_V4}/24", "--gateway", GATEWAY_V4)
        begun = json.loads(self.control("n1", "--json", *first))
        self.assertEqual(len(begun["recovery_code"].replace("-", "")), 28)
        again = json.loads(self.control("n1", "--json", *first))
        self.assertEqual(again["fingerprint"], begun["fingerprint"])
        self.assertIsNone(again["recovery_code"], "it was shown once")
        self.gw("ping", "-c", "3", "-i", "0.1", "-W", "1", SERVICE_V4)

        self.admit("n2", "n1")
        text = self.ask("n1", "config", "text")
        until(lambda: self.lab.node("n2").query("config", "text") == text, 10, "n2 has the whole configuration")

        self.lab.node("n1").kill()
        self.lab.wait_whole([self.lab.node("n2")])
        self.gw("ping", "-c", "3", "-i", "0.1", "-W", "1", SERVICE_V4)

        # Another disk: it is nobody, and gets everything back.
        shutil.rmtree(self.lab.node("n1").data)
        self.lab.node("n1").start()
        self.assertIsNone(self.ask("n1", "cluster")["cluster"])
        self.admit("n1", "n2")
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
