"""The servers of the DNS tests in the gateway's namespace: Debian's Knot and NSD with the same zone files, and Knot as
the primary server of a zone that others update."""

import contextlib
import socket
import tempfile
from pathlib import Path

from qure_dev.lab import netns, topology
from qure_dev.process import spawn
from qure_dev.waiting import until
from wire import udp_socket

KNOT = ("127.0.0.1", 5301)
NSD = ("127.0.0.1", 5302)


def _knot(directory, zones):
    listed = "".join(f"  - domain: {apex}\n    file: {path}\n" for apex, path in zones.items())
    return f"""server:
  rundir: {directory}
  listen: {KNOT[0]}@{KNOT[1]}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {directory}
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {directory}
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
{listed}"""


def _nsd(directory, zones):
    listed = "".join(f"zone:\n  name: {apex}\n  zonefile: {path}\n" for apex, path in zones.items())
    return f"""server:
  ip-address: {NSD[0]}@{NSD[1]}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: {directory}
  pidfile: {directory}/nsd.pid
  xfrdfile: {directory}/xfrd.state
  xfrdir: {directory}
  zonelistfile: {directory}/zone.list
  rrl-ratelimit: 0
  minimal-responses: yes
  refuse-any: no
remote-control:
  control-enable: no
{listed}"""


def _updatable(directory, listen, zones):
    """A Knot that takes updates from this host and answers all."""
    listed = "".join(f"  - domain: {apex}\n    file: {path}\n    acl: here\n" for apex, path in zones.items())
    return f"""server:
  rundir: {directory}
  listen: {listen[0]}@{listen[1]}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {directory}
log:
  - target: stderr
    any: warning
acl:
  - id: here
    address: {listen[0]}
    action: update
zone:
{listed}"""


def exchange(server, message, timeout=2.0):
    """What a server answers to one datagram from the gateway."""
    with udp_socket("gw", socket.AF_INET) as udp:
        udp.settimeout(timeout)
        udp.sendto(message, server)
        return udp.recv(65535)


def _answers(server):
    query = b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"
    try:
        return bool(exchange(server, query, 0.2))
    except OSError:
        return False


@contextlib.contextmanager
def upstream(listen, zones):
    """Runs a Knot at `listen` in the gateway meanwhile, whose zones can be changed by `update`; yields its process."""
    with tempfile.TemporaryDirectory(prefix="qure-dns-") as name:
        directory = Path(name)
        (directory / "conf").write_text(_updatable(directory, listen, zones))
        log = directory / "log"
        process = spawn(netns.inside(topology.gateway(), "/usr/sbin/knotd", "-c", str(directory / "conf")), log)
        try:
            until(lambda: _answers(listen), 20, lambda: f"an answer; its log:\n{log.read_text()}")
            yield process
        finally:
            process.stop(5)


def update(lab, server, *lines):
    """RFC 2136, by knsupdate in the gateway."""
    with tempfile.NamedTemporaryFile("w", suffix=".nsupdate") as script:
        script.write("\n".join([f"server {server[0]} {server[1]}", *lines, "send", ""]))
        script.flush()
        done = lab.execute("gw", "knsupdate", script.name)
    if done.returncode != 0 or "error" in (done.stdout + done.stderr).lower():
        raise AssertionError(f"knsupdate: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def peers(zones):
    """Both servers run meanwhile; `zones`: apex -> path of its file."""
    with tempfile.TemporaryDirectory(prefix="qure-dns-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        programs = {
            "knot": (_knot, ["/usr/sbin/knotd", "-c"], KNOT),
            "nsd": (_nsd, ["/usr/sbin/nsd", "-d", "-c"], NSD),
        }
        for program, (make, argv, address) in programs.items():
            own = directory / program
            own.mkdir()
            (own / "conf").write_text(make(own, zones))
            log = own / "log"
            process = spawn(netns.inside(topology.gateway(), *argv, str(own / "conf")), log)
            stack.callback(process.stop, 5)
            until(lambda a=address: _answers(a), 20, lambda n=log: f"an answer; its log:\n{n.read_text()}")
        yield {"knot": KNOT, "nsd": NSD}


def _primary(directory, apex, keys, address):
    secrets = "".join(f"  - id: {name}\n    algorithm: hmac-sha256\n    secret: {keys[name]}\n" for name in keys)
    return f"""server:
  rundir: {directory}
  listen: {address}@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {directory}
log:
  - target: stderr
    any: info
key:
{secrets}
acl:
  - id: update
    key: [{", ".join(keys)}]
    action: update
zone:
  - domain: {apex}
    storage: {directory}
    file: zone
    zonefile-sync: -1
    journal-content: none
    acl: update
"""


@contextlib.contextmanager
def primary(apex, zone, keys, address):
    """Knot as a zone's primary server, on port 53 of an address of the gateway's. `keys`: names -> secrets in base64 of
    those who may update the zone."""
    with tempfile.TemporaryDirectory(prefix="qure-primary-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        (directory / "zone").write_text(zone)
        (directory / "conf").write_text(_primary(directory, apex, keys, address))
        log = directory / "log"
        argv = ["/usr/sbin/knotd", "-c", str(directory / "conf")]
        process = spawn(netns.inside(topology.gateway(), *argv), log)
        stack.callback(process.stop, 5)
        until(lambda: _answers((address, 53)), 20, lambda: f"an answer; its log:\n{log.read_text()}")
        yield
