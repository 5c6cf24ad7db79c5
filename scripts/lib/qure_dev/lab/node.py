"""One node of the lab: its namespace, its wire, qured and the servers behind it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qure_dev import programs
from qure_dev.lab import config, netns, topology
from qure_dev.paths import LIBRARY
from qure_dev.process import Process, spawn
from qure_dev.waiting import until

if TYPE_CHECKING:
    from qure_dev.lab.lab import Request

# Of a machine of its own: its name, and the folders that a qured without a file uses. "$@": name, folder, qured.
MACHINE = """
hostname "$1"
for place in var/lib run; do mount --bind "$2/$place" /$place; done
[ ! -d /etc/qure ] || mount --bind "$2/etc" /etc/qure
shift 2
exec "$@"
"""
WEB = ("env", f"PYTHONPATH={LIBRARY}", "/usr/bin/python3", "-m", "qure_dev.lab.web")


class Node:
    """All of its state is in its directory and in the kernel: any program may pick it up again."""

    def __init__(self, name: str, directory: Path, build: Path) -> None:
        self.name = name
        self.index = int(name[1:])
        self.namespace = topology.namespace(name)
        self.directory = directory
        self.config_path = directory / "qure.toml"
        self.log = directory / "log"
        self.build = build

    @property
    def bare(self) -> bool:
        """It has no configuration file."""
        return not self.config_path.exists()

    @property
    def socket(self) -> Path:
        return self.directory / ("run/qure/qured.sock" if self.bare else "qured.sock")

    @property
    def data(self) -> Path:
        """Its disk."""
        return self.directory / ("var/lib/qure" if self.bare else "data")

    def create(self, request: Request, cluster: str) -> None:
        """Namespace, wire to the switch, configuration, servers. qured is not started."""
        self.directory.mkdir(parents=True)
        for place in ("var/lib", "run", "etc") if request.bare else ():
            (self.directory / place).mkdir(parents=True)
        if not request.bare:
            self.config_path.touch(0o600)  # it has the cluster's key
            self.config_path.write_text(config.node_text(self.name, self.index, self.directory, request, cluster))
        netns.add(self.namespace)
        netns.add_veth(topology.switch(), topology.switch_port(self.name), self.namespace, "lan0")
        netns.no_ip(topology.switch(), topology.switch_port(self.name))
        if request.mode == "shared" or request.bare:
            self._address_lan()
        else:
            netns.no_ip(self.namespace, "lan0")
        if request.port == "tap":
            # qlan0 is qured's wire, not the kernel's: no ARP answers there from its first moment on (arp_ignore 8).
            netns.sysctl(self.namespace, ipv4__conf__default__arp_ignore=8, ipv4__conf__lan0__arp_ignore=8)
            netns.add_bridge(self.namespace, "lanbr")
            netns.ip(self.namespace, "link", "set", "lan0", "master", "lanbr")
        netns.ip(topology.switch(), "link", "set", topology.switch_port(self.name), "master", topology.BRIDGE, "up")
        netns.ip(self.namespace, "link", "set", "lan0", "up")
        spawn(netns.inside(self.namespace, *WEB, self.name), self.directory / "web.log").save(
            self.directory / "web.pid"
        )

    def _address_lan(self) -> None:
        """The kernel's own addresses on the LAN interface: shared mode."""
        v4, v6 = topology.node_addresses(self.index)
        netns.ip(self.namespace, "addr", "add", v4, "dev", "lan0")
        netns.ip(self.namespace, "addr", "add", v6, "dev", "lan0", "nodad")
        netns.ip(self.namespace, "link", "set", "lan0", "up")
        netns.ip(self.namespace, "route", "add", "default", "via", topology.GATEWAY_V4)
        netns.ip(self.namespace, "-6", "route", "add", "default", "via", topology.GATEWAY_V6)

    def process(self) -> Process | None:
        """The recorded qured, running or not, or None."""
        return Process.load(self.directory / "qured.pid")

    def recorded(self) -> Process:
        """The same, of a node that was started."""
        process = self.process()
        if process is None:
            raise RuntimeError(f"{self.name} was never started")
        return process

    def web(self) -> Process | None:
        """The recorded server behind the node."""
        return Process.load(self.directory / "web.pid")

    def running(self) -> bool:
        process = self.process()
        return process is not None and process.alive()

    def start(self, deadline: float = 20, options: Sequence[str] = ()) -> None:
        """Starts qured unless it runs, and waits until it answers on its control socket. `options`: more of them."""
        if not self.running():
            self.launch(deadline, options)
            self.answers(deadline)

    def program(self) -> list[str]:
        """How qured is started: DPDK's files of this node are in its directory."""
        qured = str(self.build / programs.QURED)
        if not self.bare:
            return ["env", f"RUNTIME_DIRECTORY={self.directory}", qured, "--config", str(self.config_path)]
        return ["unshare", "--uts", "--mount", "sh", "-e", "-c", MACHINE, "sh", self.name, str(self.directory), qured]

    def launch(self, deadline: float = 20, options: Sequence[str] = ()) -> None:
        """Starts qured and does not wait for it, beyond what its wire needs."""
        # ip remounts /sys, so the BPF file system that AF_XDP's loader wants is mounted anew.
        mounted = 'mount -t bpf bpf /sys/fs/bpf 2>/dev/null; exec "$@"'
        argv = netns.inside(self.namespace, "sh", "-c", mounted, "sh", *self.program(), *options)
        process = spawn(argv, self.log)
        process.save(self.directory / "qured.pid")
        if netns.exists(self.namespace, "lanbr"):
            self._join_tap(process, deadline)

    def answers(self, deadline: float = 20) -> None:
        """Waits until the qured that was launched answers on its control socket."""
        process = self.recorded()
        until(
            lambda: self.status() or process.ended(),
            deadline,
            lambda: f"{self.name} answers on {self.socket}; {self.last_words()}",
        )
        self._must_live(process)

    def _join_tap(self, process: Process, deadline: float) -> None:
        """Joins qured's tap to the wire. Its kernel side gets another MAC: a bridge keeps frames to its ports' MACs."""
        until(
            lambda: netns.exists(self.namespace, "qlan0") or process.ended(),
            deadline,
            lambda: f"{self.name} makes qlan0; {self.last_words()}",
        )
        self._must_live(process)
        netns.no_ip(self.namespace, "qlan0")
        netns.ip(self.namespace, "link", "set", "qlan0", "address", f"02:00:00:00:01:{self.index:02x}")
        netns.ip(self.namespace, "link", "set", "qlan0", "master", "lanbr", "up")

    def _must_live(self, process: Process) -> None:
        if process.ended():
            raise RuntimeError(f"{self.name}: qured ended at once; {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-12:]
        except OSError:
            lines = []
        return "\n".join([f"log of {self.name}:", *lines])

    def kill(self) -> None:
        """SIGKILL: as if the machine had died."""
        process = self.process()
        if process:
            process.kill()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if not self.running():
            raise RuntimeError(f"{self.name} is not running")
        self.recorded().signal(number)

    def cut(self) -> None:
        """The switch forwards nothing from or to it any more. The node keeps its carrier."""
        netns.set_port_state(topology.switch(), topology.switch_port(self.name), netns.PORT_DISABLED)

    def heal(self) -> None:
        netns.set_port_state(topology.switch(), topology.switch_port(self.name), netns.PORT_FORWARDING)

    def unplug(self) -> None:
        """The cable is pulled: the node loses its carrier."""
        netns.ip(topology.switch(), "link", "set", topology.switch_port(self.name), "down")

    def plug(self) -> None:
        netns.ip(topology.switch(), "link", "set", topology.switch_port(self.name), "up")

    def control(self, *arguments: str, timeout: float = 5, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs qurectl for this node, with `text` as its input; returns the finished process, its output as text."""
        argv = [str(self.build / programs.QURECTL), "--socket", str(self.socket), *arguments]
        return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout)

    def query(self, *what: str) -> Any:
        """The JSON of `qurectl --json WHAT`, or None if qured does not answer or refuses. The exit status of `status`
        is a verdict on the cluster."""
        try:
            done = self.control("--json", *what)
        except subprocess.TimeoutExpired:
            return None
        answers = (0, 1, 2) if what == ("status",) else (0,)
        return json.loads(done.stdout) if done.returncode in answers and done.stdout else None

    def status(self) -> Any:
        return self.query("status") if self.running() and self.socket.exists() else None

    def address(self, address: str) -> dict[str, Any]:
        """The state of one service address as `qurectl status` tells it, or {}."""
        status = self.status() or {"addresses": []}
        return next((entry for entry in status["addresses"] if entry["address"].partition("/")[0] == address), {})

    def wait_for(self, address: str, deadline: float = 10, **wanted: object) -> dict[str, Any]:
        """Waits until the service address is in the wanted state: wait_for(SERVICE_V4, state="held", verified=True)."""
        last: dict[str, Any] = {}

        def reached() -> bool:
            last.clear()
            last.update(self.address(address))
            return bool(last) and all(last.get(key) == value for key, value in wanted.items())

        until(reached, deadline, lambda: f"{self.name}: {address} {wanted}; last seen {last}")
        return dict(last)

    def destroy(self) -> None:
        """Ends its processes and removes everything of it. Repeatable."""
        for record in sorted(self.directory.glob("*.pid")):
            process = Process.load(record)
            if process:
                process.stop()
        if self.namespace in netns.names():
            netns.run("ip", "netns", "del", self.namespace)
        shutil.rmtree(self.directory, ignore_errors=True)
