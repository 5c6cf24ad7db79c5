"""The servers of the DNS tests in the gateway's namespace: Debian's Knot and NSD with the same zone files, and Knot as
the primary server of a zone that others update."""

import contextlib
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from qure_dev import dns_servers
from qure_dev.dns_servers import Address, Updates
from qure_dev.lab import netns, topology
from qure_dev.lab.lab import Lab
from qure_dev.process import Process, spawn
from qure_dev.waiting import until
from wire import udp_socket

KNOT = ("127.0.0.1", 5301)
NSD = ("127.0.0.1", 5302)


def exchange(server: Address, message: bytes, timeout: float = 2.0) -> bytes:
    """What a server answers to one datagram from the gateway."""
    with udp_socket("gw", socket.AF_INET) as udp:
        udp.settimeout(timeout)
        udp.sendto(message, server)
        return udp.recv(65535)


def _answers(server: Address) -> bool:
    query = b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"
    try:
        return bool(exchange(server, query, 0.2))
    except OSError:
        return False


@contextlib.contextmanager
def _running(argv: list[str], directory: Path, address: Address) -> Iterator[Process]:
    """The server runs in the gateway meanwhile, and answers at the address."""
    log = directory / "log"
    process = spawn(netns.inside(topology.gateway(), *argv), log)
    try:
        until(lambda: _answers(address), 20, lambda: f"an answer; its log:\n{log.read_text()}")
        yield process
    finally:
        process.stop(5)


@contextlib.contextmanager
def upstream(listen: Address, zones: Mapping[str, Path]) -> Iterator[Process]:
    """Runs a Knot at `listen` in the gateway meanwhile, whose zones can be changed by `update`; yields its process."""
    with tempfile.TemporaryDirectory(prefix="qure-dns-") as name:
        directory = Path(name)
        config = dns_servers.knot_config(directory, listen, zones, Updates(address=listen[0]))
        with _running(dns_servers.argv(dns_servers.KNOTD, directory, config), directory, listen) as process:
            yield process


def update(lab: Lab, server: Address, *lines: str) -> None:
    """RFC 2136, by knsupdate in the gateway."""
    with tempfile.NamedTemporaryFile("w", suffix=".nsupdate") as script:
        script.write("\n".join([f"server {server[0]} {server[1]}", *lines, "send", ""]))
        script.flush()
        done = lab.execute("gw", "knsupdate", script.name)
    if done.returncode != 0 or "error" in (done.stdout + done.stderr).lower():
        raise AssertionError(f"knsupdate: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def peers(zones: Mapping[str, Path]) -> Iterator[dict[str, Address]]:
    """Both servers run meanwhile; `zones`: apex -> path of its file."""
    with tempfile.TemporaryDirectory(prefix="qure-dns-") as name:
        knot, nsd = Path(name, "knot"), Path(name, "nsd")
        for directory in (knot, nsd):
            directory.mkdir()
        knot_argv = dns_servers.argv(dns_servers.KNOTD, knot, dns_servers.knot_config(knot, KNOT, zones))
        nsd_argv = dns_servers.argv(dns_servers.NSD, nsd, dns_servers.nsd_config(nsd, NSD, zones))
        with _running(knot_argv, knot, KNOT), _running(nsd_argv, nsd, NSD):
            yield {"knot": KNOT, "nsd": NSD}


@contextlib.contextmanager
def primary(apex: str, zone: str, keys: Mapping[str, str], address: str) -> Iterator[None]:
    """Knot as a zone's primary server, on port 53 of an address of the gateway's. `keys`: names -> secrets in base64 of
    those who may update the zone."""
    with tempfile.TemporaryDirectory(prefix="qure-primary-") as name:
        directory = Path(name)
        file = directory / "zone"
        file.write_text(zone)
        config = dns_servers.knot_config(directory, (address, 53), {apex: file}, Updates(keys=keys), log="info")
        with _running(dns_servers.argv(dns_servers.KNOTD, directory, config), directory, (address, 53)):
            yield
