"""Who is measured: a node of the lab, and on the same switch, one wire each, Debian's Knot and NSD."""

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from qure_dev import dns_servers
from qure_dev.bench_dns import zone
from qure_dev.dns_servers import Address
from qure_dev.lab import config, netns, topology
from qure_dev.lab.lab import Lab, Request, add_host, remove_host
from qure_dev.lab.node import Node
from qure_dev.paths import ROOT
from qure_dev.process import Process, spawn
from qure_dev.waiting import until

KNOT = ("h1", "198.51.100.71")
NSD = ("h2", "198.51.100.72")
START = 30  # seconds


class Server:
    """An address to ask, and the process that answers there, with its children."""

    def __init__(self, name: str, address: str, process: Process) -> None:
        self.name = name
        self.address = address
        self._process = process

    def cpu_seconds(self) -> float:
        tick = os.sysconf("SC_CLK_TCK")
        return sum(int(fields[11]) + int(fields[12]) for fields in _family(self._process.pid)) / tick


def _stats() -> Iterator[tuple[int, list[str]]]:
    """(pid, fields behind the command name) of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "stat").read_text().rpartition(")")[2].split()


def _family(pid: int) -> list[list[str]]:
    """The fields of /proc/PID/stat of a process and of all below it."""
    stats = dict(_stats())
    found = [pid]
    for parent in found:
        found.extend(child for child, fields in stats.items() if int(fields[1]) == parent)
    return [stats[each] for each in found if each in stats]


@contextlib.contextmanager
def _peer(
    name: str,
    host: tuple[str, str],
    program: Sequence[str],
    config: Callable[[Path, Address, Mapping[str, Path]], str],
    zone_file: Path,
) -> Iterator[Server]:
    """A host on the switch with one of the other servers."""
    member, address = host
    add_host(member, f"{member}0", f"{address}/24")
    with contextlib.ExitStack() as stack:
        stack.callback(remove_host, member)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qure-bench-")))
        text = config(directory, (address, 53), {zone.APEX: zone_file})
        argv = dns_servers.argv(program, directory, text)
        process = spawn(netns.inside(topology.namespace(member), *argv), directory / "log")
        stack.callback(process.stop, 5)
        yield Server(name, address, process)


def _node_config(directory: Path, zone_file: Path) -> str:
    text = config.cluster_part((ROOT / "docs/example.toml").read_text())
    path = directory / "qure.toml"
    path.write_text(
        f"{text}\n[cluster.dns]\nrate_limit = 0\n\n" f'[[cluster.zone]]\nname = "{zone.APEX}"\nfile = "{zone_file}"\n'
    )
    return str(path)


def _answers(server: Server) -> bool:
    """From the gateway, with what is in the zone."""
    asked = ["dig", f"@{server.address}", "+tries=1", "+time=1", "+short", f"{zone.APEX}.", "NS"]
    done = Lab().execute("gw", *asked)
    return done.returncode == 0 and zone.APEX in done.stdout


@contextlib.contextmanager
def all_of_them(directory: Path, zone_file: Path) -> Iterator[tuple[list[Server], Node]]:
    """The servers, ours first, from when they answer; and our node."""
    with contextlib.ExitStack() as stack:
        lab = Lab()
        lab.down()
        stack.callback(lab.down)
        lab.up(Request(config=_node_config(directory, zone_file)))
        node = lab.node("n1")
        knot = _peer("knot", KNOT, dns_servers.KNOTD, dns_servers.knot_config, zone_file)
        nsd = _peer("nsd", NSD, dns_servers.NSD, dns_servers.nsd_config, zone_file)
        ours = Server("qured", topology.SERVICE_V4, node.recorded())
        servers = [ours, stack.enter_context(knot), stack.enter_context(nsd)]
        for server in servers:
            until(functools.partial(_answers, server), START, f"{server.name} answers")
        yield servers, node
