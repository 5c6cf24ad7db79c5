"""The cluster has one configuration, changed on any node."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

from cluster_support import ClusterTest
from qure_dev import programs
from qure_dev.lab import config, netns, topology
from qure_dev.process import spawn
from support import SERVICE_V4, until

PORT = 8081
# A service that no file has.
SERVICE = f"""
[[cluster.service]]
name = "second"
protocol = "tcp"
ports = "{PORT}"
"""
# Answers each connection with the name of its node.
SERVER = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    with server.accept()[0] as client:
        client.recv(4096)
        name = sys.argv[2] + "\\n"
        client.sendall(f"HTTP/1.0 200 OK\\r\\nContent-Length: {len(name)}\\r\\n\\r\\n{name}".encode())
"""


class ConfigTest(ClusterTest):
    """Nodes with a server each behind a port that no service has."""

    def setUp(self) -> None:
        super().setUp()
        for name in self.names:
            server = ("/usr/bin/python3", "-c", SERVER, str(PORT), name)
            process = spawn(
                netns.inside(topology.namespace(name), *server), self.lab.node(name).directory / "second.log"
            )
            self.addCleanup(process.kill)

    def config(self, name: str) -> Any:
        return json.loads(self.control(name, "--json", "config"))

    def all_run(self, stage: str, *names: str, deadline: float = 15) -> str:
        """Waits until these nodes, or all, run one version in that stage, and each knows it of all. Returns it."""
        last: dict[str, Any] = {}

        def same() -> bool:
            last.update({name: self.config(name) for name in names or self.names})
            effects = [answer["in_effect"] or {} for answer in last.values()]
            everywhere = all(node["runs"] == "same" for answer in last.values() for node in answer["nodes"])
            return (
                everywhere
                and len({effect.get("version") for effect in effects}) == 1
                and all(effect.get("stage") == stage for effect in effects)
            )

        until(same, deadline, lambda: f"all run one version, {stage}: {last}")
        return str(next(iter(last.values()))["in_effect"]["version"])

    def new_file(self, name: str, text: str) -> Path:
        path = self.lab.node(name).directory / "new.toml"
        path.write_text(text)
        return path

    def answering(self) -> set[str]:
        """The names of the nodes that answer connections to the second service, of some."""
        answers = set()
        for _ in range(24):
            done = self.lab.execute("gw", "curl", "-s", "--max-time", "2", f"http://{SERVICE_V4}:{PORT}/")
            answers.add(done.stdout.strip())
        return answers

    def services(self, name: str) -> set[str]:
        return {service["name"] for service in json.loads(self.control(name, "--json", "services"))["services"]}

    def adopt(self) -> str:
        """The master's file becomes the first configuration; the name of a node that does not lead."""
        self.assertFalse(self.config("n1")["possible"])
        self.assertIn("cluster found", self.control("n1", "config", "adopt", status=1))
        self.control("n1", "cluster", "found")
        until(lambda: all(self.config(name)["possible"] for name in self.names), 10, "all belong to the cluster")
        master, other = self.leaders()
        self.assertIn("on the master", self.control(other, "config", "adopt", status=1))
        self.control(master, "config", "adopt", "--confirm", "0")
        self.all_run("confirmed")
        return self.leaders()[1]

    def leaders(self) -> tuple[str, str]:
        """The master, and another node."""
        views = self.whole()
        master = next(name for name in views if views[name]["role"] == "master")
        return master, next(name for name in views if name != master)


class Changes(ConfigTest):
    def test_adopted_applied_and_rolled_back(self) -> None:
        other = self.adopt()
        self.assertEqual(self.answering(), {self.leaders()[0]}, "without a service the master alone answers")

        # Made on one node, it is on all.
        own = self.lab.node(other).config_path.read_text()
        path = self.new_file(other, own + SERVICE)
        self.assertIn("all nodes would take it", self.control(other, "config", "apply", str(path), "--dry-run"))
        self.assertNotIn("second", self.services(other))
        self.control(other, "config", "apply", str(path), "--confirm", "60s")
        self.all_run("open")
        self.assertIn("unless it is confirmed", self.control("n1", "status"))
        self.assertIn("waits to be confirmed", self.control(other, "config", "apply", str(path), status=1))
        master = self.leaders()[0]
        self.control(master, "config", "confirm")
        version = self.all_run("confirmed")
        for name in self.names:
            self.assertIn("second", self.services(name))
        until(lambda: self.answering() == set(self.names), 15, "all nodes answer for the new service")

        # A bad value is on none.
        line = len(own.splitlines()) + SERVICE.splitlines().index(f'ports = "{PORT}"') + 1
        bad = self.new_file(other, own + SERVICE.replace(str(PORT), "eighty"))
        refused = self.control(other, "config", "apply", str(bad), status=1)
        self.assertIn(f"{bad}:{line}: cluster.service.ports: ", refused)
        self.assertIn("refused)", refused)
        self.assertEqual(self.all_run("confirmed"), version)

        # What is not confirmed is rolled back by itself.
        text = self.control(other, "config", "text")
        less = self.new_file(other, own)
        self.control(other, "config", "apply", str(less), "--confirm", "5s")
        self.all_run("open")
        self.assertNotIn("second", self.services(master))
        until(lambda: "second" in self.services(master), 15, "the change is rolled back")
        self.assertEqual(self.all_run("confirmed"), version)
        self.assertEqual(self.control("n1", "config", "text"), text)
        self.control(other, "config", "apply", str(less), "--confirm", "0", "--no-canary")
        self.all_run("confirmed")
        self.assertNotIn("second", self.services(master))


class Versions(ConfigTest):
    """What an operator does with the versions that there were."""

    def versions(self, name: str) -> list[tuple[int | None, str]]:
        """Numbers and stages, the last version first."""
        known = json.loads(self.control(name, "--json", "config", "history"))["history"]
        self.assertTrue(all(row["text_here"] for row in known), known)
        return [(row["number"], row["stage"]) for row in known]

    def edit(self, name: str, editor: str, *options: str, status: int = 0) -> str:
        """`config edit` with lines of the shell as the editor of "$1"."""
        script = self.lab.node(name).directory / "editor"
        script.write_text(f"#!/bin/sh -e\n{editor}\n")
        script.chmod(0o755)
        with mock.patch.dict(os.environ, VISUAL="", EDITOR=str(script)):
            return self.control(name, "config", "edit", *options, status=status)

    def kept(self, said: str) -> str:
        """What was written in a file that `config edit` has kept."""
        found = re.search(r"what you have written is in (\S+)", said)
        assert found, said
        path = Path(found[1])
        self.addCleanup(shutil.rmtree, path.parent)
        return path.read_text()

    def test_seen_returned_to_and_edited(self) -> None:
        other = self.adopt()
        self.see_and_return(other)
        self.change_by_editor(other)

    def see_and_return(self, other: str) -> None:
        path = self.new_file(other, self.lab.node(other).config_path.read_text() + SERVICE)
        line = f'+ports = "{PORT}"'
        self.assertIn(line, self.control(other, "config", "diff", str(path), status=1))
        self.control(other, "config", "apply", str(path), "--confirm", "0")
        self.all_run("confirmed")
        self.assertEqual(self.control(other, "config", "diff", str(path)), "")
        self.assertIn(line, self.control("n1", "config", "diff", status=1))
        self.assertIn("no number 7", self.control("n1", "config", "diff", "7", status=2))

        # The version before is in effect again, on all.
        first = self.control(other, "config", "text", "1")
        self.assertNotIn('name = "second"', first)
        self.assertIn("all nodes would take it", self.control(other, "config", "rollback", "--dry-run"))
        self.control(other, "config", "rollback", "--confirm", "0")
        self.all_run("confirmed")
        for name in self.names:
            self.assertNotIn("second", self.services(name))
            self.assertEqual(self.control(name, "config", "text"), first)
            self.assertEqual(self.versions(name), [(0, "confirmed"), (1, "confirmed"), (2, "confirmed")])
        self.assertIn("the text that is in effect", self.control(other, "config", "rollback", "2", status=1))
        self.assertIn("config history", self.control(other, "config", "rollback", "9", status=1))

        # What is not confirmed stays in the history, without a number.
        self.control(other, "config", "rollback", "1", "--confirm", "5s")
        self.all_run("open")
        self.assertEqual(self.versions(other)[0], (0, "open"))
        self.all_run("confirmed")
        self.assertEqual(self.versions(other)[:2], [(None, "rolled back"), (0, "confirmed")])
        self.assertIn(line, self.control(other, "config", "diff", status=1))  # it waits to be acknowledged
        self.assertRegex(self.control(other, "config", "history"), r"(?m)^ *-  \S+ +rolled back ")

    def change_by_editor(self, other: str) -> None:
        master = self.leaders()[0]
        path = self.new_file(other, self.lab.node(other).config_path.read_text() + SERVICE)
        self.control(other, "config", "apply", str(path), "--confirm", "0")
        before = self.all_run("confirmed")
        self.assertIn("nothing is done", self.edit(other, "true"))

        # Refused, it is in no node and still in the file.
        refused = self.edit(other, f'sed -i s/{PORT}/eighty/ "$1"', status=1)
        self.assertIn("cluster.service.ports", refused)
        self.assertIn('ports = "eighty"', self.kept(refused))
        self.assertEqual(self.all_run("confirmed"), before)

        self.edit(other, 'sed -i s/second/third/ "$1"', "--confirm", "0")
        edited = self.all_run("confirmed")
        self.assertNotEqual(edited, before)
        self.assertIn("third", self.services(master))

        # Another operator was faster: his change stays.
        node = self.lab.node(master)
        qurectl = f"{node.build / programs.QURECTL} --socket {node.socket}"
        faster = f'{qurectl} config apply {path} --confirm 0\nsed -i s/third/fourth/ "$1"'
        refused = self.edit(other, faster, "--confirm", "0", status=1)
        self.assertIn("changed meanwhile", refused)
        self.assertIn("fourth", self.kept(refused))
        self.all_run("confirmed")
        self.assertIn("second", self.services(master))


class Newcomer(ConfigTest):
    def test_a_newcomer_serves_with_it(self) -> None:
        other = self.adopt()
        own = self.lab.node(other).config_path.read_text()
        path = self.new_file(other, own + SERVICE)
        self.control(other, "config", "apply", str(path), "--confirm", "0")
        self.all_run("confirmed")

        # It has a file without anything that the cluster serves.
        new = self.lab.node("n3")
        text = new.config_path.read_text()
        self.addCleanup(new.config_path.write_text, text)
        new.kill()
        shutil.rmtree(new.directory / "data")
        fingerprint = json.loads(self.control("n1", "--json", "cluster"))["cluster"]
        node = text.removesuffix(config.cluster_part(text))
        new.config_path.write_text(f'{node}[cluster]\nname = "home"\njoin = "{fingerprint}"\n')
        new.start()
        code = json.loads(self.control("n3", "--json", "candidates"))["joining"]["code"]
        self.whole("n1", "n2")
        self.control("n1", "admit", code)
        self.whole(deadline=20)
        self.all_run("confirmed")
        self.assertIn("second", self.services("n3"))
        until(lambda: self.answering() == set(self.names), 20, "all nodes answer, the newcomer too")

        # Started again, a node runs what it ran, and says what of its file is ignored.
        again = self.lab.node("n2")
        again.kill()
        again.start()
        self.whole()
        self.all_run("confirmed")
        ignored = re.search(
            r"ignored, since the cluster has one configuration.*: (cluster\..*);", again.log.read_text()
        )
        assert ignored, again.log.read_text()
        self.assertIn("cluster.service", ignored[1])
        self.assertIn(str(again.config_path), again.log.read_text())
