"""The cluster has one configuration, changed on any node."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from cluster_support import ClusterTest
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
