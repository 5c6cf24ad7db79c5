"""The whole lab: built on request, taken down without a trace."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import config, netns, topology
from lab.node import Node
from waiting import until

ROOT = Path(__file__).resolve().parents[3]
STATE = Path("/run/qure-lab")
_HELD = "QURE_LAB_HELD"
OURS = re.compile(r"qure-(gw|sw|n\d+|h\d+)")


class LabError(RuntimeError):
    """Something the user can put right."""


@contextlib.contextmanager
def held(wait=0):
    """Keeps the machine's one lab to this program and those it starts. Waits up to `wait` seconds for another."""
    if os.environ.get(_HELD):
        yield
        return
    lock = socket.socket(socket.AF_UNIX)  # an abstract name: it leaves no file, and goes with the program
    try:
        until(lambda: _bound(lock), wait, "another program is done with the lab", every=1)
    except TimeoutError:
        raise LabError("another program is using the lab") from None
    os.environ[_HELD] = "1"
    try:
        yield
    finally:
        del os.environ[_HELD]
        lock.close()


def _bound(lock):
    try:
        lock.bind("\0qure-lab")
        return True
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False


@dataclass(frozen=True)
class Request:
    """What `up` was asked for. The same request again changes nothing."""

    nodes: int = 1
    port: str = "af_packet"
    mode: str = "dedicated"
    config: str = str(ROOT / "docs/example.toml")
    vlan: int = 0
    workers: int = 1
    log_level: str = "info"

    def check(self):
        if not 1 <= self.nodes <= topology.MAX_NODES:
            raise LabError(f"{self.nodes} nodes: 1 to {topology.MAX_NODES} will do")
        if not Path(self.config).is_file():
            raise LabError(f"{self.config}: no such file")

    def fingerprint(self, build):
        """Changes with the request, the configuration file and the program."""
        binary = build / "control/qured"
        digest = hashlib.sha256(Path(self.config).read_bytes()).hexdigest()
        return dict(
            dataclasses.asdict(self), config_sha256=digest, build=str(build), built_at=binary.stat().st_mtime_ns
        )


class Lab:
    def __init__(self, build=None):
        self.build = Path(build or os.environ.get("QURE_BUILD") or ROOT / "build").resolve()

    # Building

    def up(self, request=Request(), say=lambda text: None):
        """Brings the lab to what is requested and waits until each node has come to know its addresses' states."""
        request.check()
        self._need_programs()
        fingerprint = request.fingerprint(self.build)
        if self._recorded() == fingerprint:
            say("the lab is up already")
        else:
            self.down()
            cluster = config.cluster_part(Path(request.config).read_text())
            say(topology.draw(request, config.service_addresses(cluster)))
            STATE.mkdir(parents=True)
            self._build_network()
            for index in range(1, request.nodes + 1):
                self.add_node(index, request, cluster)
            (STATE / "lab.json").write_text(json.dumps(fingerprint))
        for node in self.nodes():
            node.start()
        self.settle()

    def _need_programs(self):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run it as root")
        for program in ("ip", "ethtool", "mount"):
            if not shutil.which(program):
                raise LabError(f"{program} is missing: run scripts/setup lab")
        if not (self.build / "control/qured").exists():
            raise LabError(f"{self.build} holds no qured: run scripts/build")

    @staticmethod
    def _recorded():
        try:
            return json.loads((STATE / "lab.json").read_text())
        except (OSError, ValueError):
            return None

    @staticmethod
    def _build_network():
        netns.add(topology.SWITCH)
        netns.add_bridge(topology.SWITCH, topology.BRIDGE)
        add_host("gw", "gw0", f"{topology.GATEWAY_V4}/24", f"{topology.GATEWAY_V6}/64")

    def add_node(self, index, request=Request(), cluster=None):
        """One more node, not yet started. `cluster`: its cluster part, if not that of the request."""
        node = self.node(topology.node_name(index))
        node.create(request, cluster or config.cluster_part(Path(request.config).read_text()))
        return node

    def settle(self, deadline=20):
        """Waits until no address of any running node is being probed."""

        def settled():
            states = [status for status in (node.status() for node in self.nodes() if node.running())]
            return all(
                status and all(entry["state"] != "probing" for entry in status["addresses"]) for status in states
            )

        until(settled, deadline, lambda: f"addresses settle; {json.dumps(self.status())}", every=0.1)

    def down(self):
        """Removes everything of the lab, whatever state it is in."""
        for node in self.nodes():
            node.destroy()
        for name in netns.names():
            if OURS.fullmatch(name):
                netns.run("ip", "netns", "del", name)
        shutil.rmtree(STATE, ignore_errors=True)

    # Using

    def nodes(self):
        found = [entry.name for entry in STATE.glob("n*") if re.fullmatch(r"n\d+", entry.name)]
        return [self.node(name) for name in sorted(found, key=lambda name: int(name[1:]))]

    def node(self, name):
        return Node(name, STATE / name, self.build)

    def existing_node(self, name):
        if name not in [node.name for node in self.nodes()]:
            raise LabError(f"no node {name}: there is {', '.join(node.name for node in self.nodes()) or 'no lab'}")
        return self.node(name)

    def execute(self, member, *argv, **options):
        """Runs a command in the namespace of a member; returns the finished process with its output as text."""
        options = dict(stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60) | options
        return subprocess.run(netns.inside(topology.namespace(member), *argv), **options)

    def status(self):
        """What `scripts/lab status --json` prints."""
        rows = []
        for node in self.nodes():
            status = node.status() or {}
            addresses = [
                {"address": entry["address"], "state": entry["state"]} for entry in status.get("addresses", [])
            ]
            rows.append(
                {
                    "name": node.name,
                    "running": node.running(),
                    "role": status.get("role"),
                    "term": status.get("term"),
                    "addresses": addresses,
                }
            )
        return {"nodes": rows}


def add_host(member, interface, *addresses):
    """A plain host on the switch: namespace qure-MEMBER with `addresses` (with prefix lengths) on `interface`."""
    namespace = topology.namespace(member)
    netns.add(namespace)
    netns.add_veth(topology.SWITCH, topology.switch_port(member), namespace, interface)
    netns.no_ip(topology.SWITCH, topology.switch_port(member))
    netns.ip(topology.SWITCH, "link", "set", topology.switch_port(member), "master", topology.BRIDGE, "up")
    netns.ip(namespace, "link", "set", interface, "up")
    for address in addresses:
        netns.ip(namespace, "addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))


def remove_host(member):
    netns.run("ip", "netns", "del", topology.namespace(member))
    # The kernel takes a namespace apart in its own time; the wire's other end goes with it.
    until(lambda: not netns.exists(topology.SWITCH, topology.switch_port(member)), 10, f"{member}'s wire goes")
