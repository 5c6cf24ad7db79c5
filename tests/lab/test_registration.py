"""Registration at a main server: Knot in the gateway's namespace, and two clusters that know nothing of each other."""

import base64
import re
import tempfile
from pathlib import Path

from dns_servers import primary
from qure_dev.lab import cluster, config, topology
from qure_dev.lab.node import Node
from qure_dev.paths import ROOT
from support import GATEWAY_V4, SERVICE_V4, LabTest, Request, until

PUBLIC, NEW_PUBLIC = "203.0.113.5", "203.0.113.77"
OTHER_V4, OTHER_V6 = "198.51.100.60", "2001:db8:2::60"
SECRETS = {name: base64.b64encode(f"the secret of {name}".encode()).decode() for name in ("home1", "home2")}
ZONE = "example. 60 SOA ns.example. hostmaster.example. 1 3600 600 86400 60\nexample. 60 NS ns.example.\n"


def section(name: str, directory: Path, public: str) -> str:
    return f"""
[cluster.registration]
server = "{GATEWAY_V4}"
zone = "example"
name = "{name}"
shared = "clusters"
refresh = "10s"
key_file = "{directory}/{name}.key"
{public}
"""


class Registration(LabTest):
    """n1 and n2 are one cluster, home1; n3 is another, home2, which learns its public address from the first one."""

    directory: Path
    other: Node

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-registration-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = Path(directory.name)
        for name in SECRETS:
            cls.write_key(name, SECRETS[name])
        example = (ROOT / "docs/example.toml").read_text()
        path = cls.directory / "qure.toml"
        path.write_text(example + section("home1", cls.directory, f'public = ["{PUBLIC}"]'))
        cls.request = Request(nodes=2, config=str(path))
        super().setUpClass()
        cls.enterClassContext(primary("example", ZONE, SECRETS, GATEWAY_V4))
        other = example.replace('name = "home"', 'name = "away"')
        other = other.replace("198.51.100.50/24", f"{OTHER_V4}/24").replace("2001:db8:2::50/64", f"{OTHER_V6}/64")
        other += section("home2", cls.directory, f'public = "echo"\necho = ["{SERVICE_V4}"]')
        text = config.with_key(config.cluster_part(other), None)
        cls.other = cls.lab.add_node(3, Request(), text)

    @classmethod
    def write_key(cls, name: str, secret: str) -> None:
        path = cls.directory / f"{name}.key"
        path.touch(0o600)
        path.write_text(f"hmac-sha256:{name}:{secret}\n")

    def setUp(self) -> None:
        self.home = [self.lab.node(name) for name in ("n1", "n2")]
        for node in (*self.home, self.other):
            node.start()
        self.before = self.lab.wait_whole(self.home)
        self.other_public = topology.node_addresses(3)[0].partition("/")[0]
        self.wait_records("home1", PUBLIC)
        self.wait_records("home2", self.other_public)
        self.wait_records("clusters", PUBLIC, self.other_public)

    def master(self) -> Node:
        return self.lab.node(cluster.master(self.lab.wait_whole(self.home)))

    def records(self, name: str, kind: str = "A") -> list[str]:
        output = self.dig("+short", f"{name}.example", kind, server=GATEWAY_V4)
        return sorted(output.split("\n")[:-1])

    def wait_records(self, name: str, *addresses: str, deadline: float = 30) -> None:
        until(
            lambda: self.records(name) == sorted(addresses),
            deadline,
            lambda: f"{name}: {addresses}, is {self.records(name)}; {self.said(self.other)}{self.said(self.home[0])}",
        )

    def said(self, node: Node) -> str:
        return node.control("dns", "registration").stdout

    def wait_said(self, node: Node, pattern: str, deadline: float = 20) -> None:
        until(lambda: re.search(pattern, self.said(node)), deadline, lambda: f"'{pattern}' in:\n{self.said(node)}")

    def reload(self, *nodes: Node) -> None:
        for node in nodes:
            done = node.control("reload")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_is_registered(self) -> None:
        self.assertEqual(self.records("_qure.home1", "TXT"), [f'"cluster=home;a={PUBLIC}"'])
        self.assertEqual(self.records("_qure.home2", "TXT"), [f'"cluster=away;a={self.other_public}"'])
        self.wait_said(self.master(), r"\bregistered\n")
        self.wait_said(self.other, rf"{re.escape(SERVICE_V4)}.*{re.escape(self.other_public)}")
        metrics = self.curl(f"http://{topology.METRICS}/metrics", member=self.other.name)
        self.assertIn("\nqure_registered 1\n", metrics)

    def test_the_last_node_takes_its_cluster_away(self) -> None:
        self.other.recorded().stop(15)
        self.wait_records("home2")
        self.wait_records("clusters", PUBLIC)
        self.assertEqual(self.records("_qure.home2", "TXT"), [])

    def test_one_of_two_nodes_takes_nothing_away(self) -> None:
        self.master().recorded().stop(15)
        survivor = next(node for node in self.home if node.running())
        until(lambda: survivor.status()["role"] == "master", 20, "the survivor leads")
        self.wait_said(survivor, r"\bregistered\n")
        self.assertEqual(self.records("home1"), [PUBLIC])

    def test_a_deputy_goes_on_with_it(self) -> None:
        master = self.master()
        successor = next(node for node in self.home if node.name != master.name)
        master.kill()
        self.wait_said(successor, r"\bregistered\n")
        self.assertEqual(self.records("home1"), [PUBLIC])

    def test_another_address_replaces_the_former(self) -> None:
        self.addCleanup(self.change_public, NEW_PUBLIC, PUBLIC)
        self.change_public(PUBLIC, NEW_PUBLIC)
        self.wait_records("home1", NEW_PUBLIC)
        self.wait_records("clusters", NEW_PUBLIC, self.other_public)

    def change_public(self, old: str, new: str) -> None:
        for node in self.home:
            text = node.config_path.read_text()
            self.assertIn(f'"{old}"', text)
            node.config_path.write_text(text.replace(f'"{old}"', f'"{new}"'))
        self.reload(*self.home)

    def test_what_is_lost_comes_back(self) -> None:
        commands = f"server {GATEWAY_V4}\nzone example.\nupdate delete clusters.example. A {self.other_public}\nsend\n"
        key = f"hmac-sha256:home1:{SECRETS['home1']}"
        self.gw("knsupdate", "-y", key, stdin=None, input=commands)
        self.wait_records("clusters", PUBLIC, self.other_public)
        self.wait_said(self.other, r"repairs:\s+1\b")

    def test_a_forged_key_is_refused(self) -> None:
        self.addCleanup(self.reload, self.other)
        self.addCleanup(self.write_key, "home2", SECRETS["home2"])
        forged = base64.b64encode(b"what an attacker guesses").decode()
        self.write_key("home2", forged)
        self.reload(self.other)
        self.wait_said(self.other, "BADSIG")
        metrics = self.curl(f"http://{topology.METRICS}/metrics", member=self.other.name)
        self.assertIn("\nqure_registered 0\n", metrics)
        self.assertEqual(self.records("home2"), [self.other_public])
        self.write_key("home2", f"{forged}\nhmac-sha256:home1:{SECRETS['home1']}")
        refused = self.other.control("reload")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("home2.key:2", refused.stdout + refused.stderr)
        self.assertNotIn(forged, self.other.log.read_text() + refused.stdout + refused.stderr)
        self.assertNotIn(forged, self.other.control("--json", "config", "show").stdout)
