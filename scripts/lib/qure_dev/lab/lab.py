"""The whole lab: built on request, taken down without a trace."""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qure_dev import programs
from qure_dev.lab import cluster, config, netns, topology
from qure_dev.lab.cluster import Views
from qure_dev.lab.lock import LabError
from qure_dev.lab.node import Node
from qure_dev.paths import ROOT, build_directory
from qure_dev.waiting import until


def make_state() -> None:
    """The lab's directory, anew. Another lab may take the folder above it away in between."""
    until(_state_made, 5, f"{topology.state()} is made", every=0.01)


def _state_made() -> bool:
    try:
        topology.state().mkdir(parents=True)
        return True
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Request:
    """What `up` was asked for. The same request again changes nothing. Unless `clustered` says: several nodes are a
    cluster, with a key drawn for this lab; one alone has no key and speaks to nobody."""

    nodes: int = 1
    port: str = "af_packet"
    mode: str = "dedicated"
    config: str = str(ROOT / "docs/example.toml")
    vlan: int = 0
    workers: int = 1
    log_level: str = "info"
    clustered: bool | None = None
    bare: bool = False  # the nodes have no configuration file, and wait

    @property
    def with_key(self) -> bool:
        return (self.nodes > 1 and not self.bare) if self.clustered is None else self.clustered

    def check(self) -> None:
        if not 1 <= self.nodes <= topology.MAX_NODES:
            raise LabError(f"{self.nodes} nodes: 1 to {topology.MAX_NODES} will do")
        if not Path(self.config).is_file():
            raise LabError(f"{self.config}: no such file")

    def fingerprint(self, build: Path) -> dict[str, Any]:
        """Changes with the request, the configuration file and the program."""
        binary = build / programs.QURED
        digest = hashlib.sha256(Path(self.config).read_bytes()).hexdigest()
        return dict(
            dataclasses.asdict(self), config_sha256=digest, build=str(build), built_at=binary.stat().st_mtime_ns
        )


class Lab:
    def __init__(self, build: str | Path | None = None) -> None:
        self.build = Path(build).resolve() if build else build_directory()

    # Building

    def up(
        self, request: Request = Request(), say: Callable[[str], None] = lambda text: None, staggered: bool = False
    ) -> None:
        """Brings the lab to what is requested and waits until each node has come to know its addresses' states, and a
        cluster is whole."""
        request.check()
        self._need_programs()
        fingerprint = request.fingerprint(self.build)
        if self._recorded() == fingerprint:
            say("the lab is up already")
        else:
            self.down()
            make_state()
            text = self._cluster_text(request)
            say(topology.draw(request, [] if request.bare else config.service_addresses(text)))
            self.build_network()
            for index in range(1, request.nodes + 1):
                self.add_node(index, request, text)
            (topology.state() / "lab.json").write_text(json.dumps(fingerprint))
        self.start(staggered=staggered)
        self.settle()
        if request.with_key:
            self.wait_whole()

    def start(self, names: Iterable[str] | None = None, staggered: bool = False) -> None:
        """Starts the nodes of these names, in this order, or all: at once, or each when the one before answers."""
        chosen = [self.node(name) for name in names] if names else self.nodes()
        idle = [node for node in chosen if not node.running()]
        for node in idle:
            node.launch()
            if staggered:
                node.answers()
        for node in idle:
            node.answers()

    @staticmethod
    def _cluster_text(request: Request) -> str:
        """The cluster part that the nodes of this lab have in common."""
        path = topology.state() / "key"
        if not path.exists():
            path.touch(0o600)
            path.write_text(secrets.token_hex(32))
        text = config.cluster_part(Path(request.config).read_text())
        return config.with_key(text, path.read_text() if request.with_key else None)

    def _need_programs(self) -> None:
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run it as root")
        for program in ("ip", "bridge", "ethtool", "mount", "nft"):
            if not shutil.which(program):
                raise LabError(f"{program} is missing: run scripts/setup lab")
        if not (self.build / programs.QURED).exists():
            raise LabError(f"{self.build} holds no qured: run scripts/build")

    @staticmethod
    def _recorded() -> dict[str, Any] | None:
        try:
            return json.loads((topology.state() / "lab.json").read_text())
        except (OSError, ValueError):
            return None

    @staticmethod
    def build_network() -> None:
        """The switch, and the gateway on it."""
        netns.add(topology.switch())
        netns.add_bridge(topology.switch(), topology.BRIDGE)
        add_host("gw", "gw0", f"{topology.GATEWAY_V4}/24", f"{topology.GATEWAY_V6}/64")

    def add_node(self, index: int, request: Request = Request(), text: str | None = None) -> Node:
        """One more node, not yet started. `text`: its cluster part, if not that of the request."""
        node = self.node(topology.node_name(index))
        node.create(request, text or self._cluster_text(request))
        return node

    def settle(self, deadline: float = 20) -> None:
        """Waits until no address of any running node is being probed."""

        def settled() -> bool:
            states = [status for status in (node.status() for node in self.nodes() if node.running())]
            return all(
                status and all(entry["state"] != "probing" for entry in status["addresses"]) for status in states
            )

        until(settled, deadline, lambda: f"addresses settle; {json.dumps(self.status())}", every=0.1)

    def wait_whole(self, nodes: Sequence[Node] | None = None, deadline: float = 30) -> Views:
        """Waits until these nodes, or all, are one cluster (see `cluster.problem`). Returns what they say, by name."""
        members = self.nodes() if nodes is None else nodes
        last: Views = {}

        def whole() -> bool:
            last.clear()
            last.update(cluster.views(members))
            return not cluster.problem(last)

        until(whole, deadline, lambda: f"the cluster is whole: {cluster.problem(last)}", every=0.1)
        return dict(last)

    def split(self, *parts: Sequence[str]) -> None:
        """Cuts the nodes into parts, each a list of names: no frame goes from one to another. The gateway is in all."""
        rules = ["table bridge qure", "delete table bridge qure", "table bridge qure {", "chain forward {"]
        rules.append("type filter hook forward priority 0;")
        for part in parts:
            others = [name for other in parts if other is not part for name in other]
            if others:
                rules.append(f"iifname {_ports(part)} oifname {_ports(others)} drop;")
        netns.nft(topology.switch(), "\n".join([*rules, "}", "}"]))

    def heal(self) -> None:
        """Every node reaches every other again."""
        netns.nft(topology.switch(), "table bridge qure\ndelete table bridge qure")
        for node in self.nodes():
            node.plug()
            node.heal()

    def down(self) -> None:
        """Removes everything of the lab, whatever state it is in."""
        for node in self.nodes():
            node.destroy()
        for name in netns.names():
            if topology.is_ours(name):
                netns.run("ip", "netns", "del", name)
        shutil.rmtree(topology.state(), ignore_errors=True)
        with contextlib.suppress(OSError):  # other labs are there, or nothing is
            topology.RUN.rmdir()

    # Using

    def nodes(self) -> list[Node]:
        found = [entry.name for entry in topology.state().glob("n*") if re.fullmatch(r"n\d+", entry.name)]
        return [self.node(name) for name in sorted(found, key=lambda name: int(name[1:]))]

    def node(self, name: str) -> Node:
        return Node(name, topology.state() / name, self.build)

    def existing_node(self, name: str) -> Node:
        if name not in [node.name for node in self.nodes()]:
            raise LabError(f"no node {name}: there is {', '.join(node.name for node in self.nodes()) or 'no lab'}")
        return self.node(name)

    def execute(self, member: str, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in the namespace of a member; returns the finished process with its output as text."""
        options = dict(stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60) | options
        return subprocess.run(netns.inside(topology.namespace(member), *argv), **options)

    def status(self) -> dict[str, Any]:
        """What `scripts/lab status --json` prints."""
        return {"nodes": [self._row(node) for node in self.nodes()]}

    @staticmethod
    def _row(node: Node) -> dict[str, Any]:
        status = node.status() or {}
        addresses = [{"address": entry["address"], "state": entry["state"]} for entry in status.get("addresses", [])]
        said = {key: status.get(key) for key in ("role", "phase", "term", "era", "age", "lineage", "master", "deputy")}
        return {"name": node.name, "running": node.running(), **said, "addresses": addresses}


def _ports(names: Iterable[str]) -> str:
    """The nodes' switch ports, as a set of nftables."""
    return "{ " + ", ".join(f'"{topology.switch_port(name)}"' for name in names) + " }"


def add_host(member: str, interface: str, *addresses: str) -> None:
    """A plain host on the switch: namespace qure-MEMBER with `addresses` (with prefix lengths) on `interface`."""
    namespace = topology.namespace(member)
    netns.add(namespace)
    netns.add_veth(topology.switch(), topology.switch_port(member), namespace, interface)
    netns.no_ip(topology.switch(), topology.switch_port(member))
    netns.ip(topology.switch(), "link", "set", topology.switch_port(member), "master", topology.BRIDGE, "up")
    netns.ip(namespace, "link", "set", interface, "up")
    for address in addresses:
        netns.ip(namespace, "addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))


def remove_host(member: str) -> None:
    netns.run("ip", "netns", "del", topology.namespace(member))
    # The kernel takes a namespace apart in its own time; the wire's other end goes with it.
    until(lambda: not netns.exists(topology.switch(), topology.switch_port(member)), 10, f"{member}'s wire goes")
