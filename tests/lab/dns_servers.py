"""The peers of the DNS tests: Debian's Knot and NSD in the gateway's namespace, with the same zone files."""

import contextlib
import socket
import tempfile
from pathlib import Path

from lab import netns, topology
from process import spawn
from waiting import until
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
            process = spawn(netns.inside(topology.namespace("gw"), *argv, str(own / "conf")), log)
            stack.callback(process.stop, 5)
            until(lambda a=address: _answers(a), 20, lambda n=log: f"an answer; its log:\n{n.read_text()}")
        yield {"knot": KNOT, "nsd": NSD}
