"""dnsperf in the gateway's namespace: as many queries as it can send, and what became of them."""

import re
import subprocess
from dataclasses import dataclass

from lab import netns, topology

CLIENTS = 8
THREADS = 2
OUTSTANDING = 100
PATIENCE = 2  # seconds until a query is lost
_NUMBERS = {
    "sent": r"Queries sent: +(\d+)",
    "completed": r"Queries completed: +(\d+)",
    "lost": r"Queries lost: +(\d+)",
    "qps": r"Queries per second: +([\d.]+)",
}
_LATENCY = re.compile(rb"^> \S+ \S+ \S+ ([\d.]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    sent: int
    completed: int
    lost: int
    qps: float
    latencies: tuple = ()  # seconds, sorted


def start(server, questions, seconds, each=False):
    """Begins; `each`: the latency of each query will be told."""
    options = f"-c {CLIENTS} -T {THREADS} -q {OUTSTANDING} -t {PATIENCE} -l {seconds} -W".split()
    argv = ["dnsperf", "-s", server.address, "-d", str(questions), *options, *(["-v"] if each else [])]
    inside = netns.inside(topology.GATEWAY, *argv)
    return subprocess.Popen(
        inside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process, seconds):
    try:
        said, _ = process.communicate(timeout=seconds + 30)
    finally:
        process.kill()
        process.wait()
    text = said[-4096:].decode(errors="replace")
    found = {key: re.search(pattern, text) for key, pattern in _NUMBERS.items()}
    if process.returncode != 0 or not all(found.values()):
        raise RuntimeError(f"dnsperf: {text[-500:]}")
    latencies = tuple(sorted(float(number) for number in _LATENCY.findall(said)))
    numbers = {key: float(match[1]) if key == "qps" else int(match[1]) for key, match in found.items()}
    return Turn(**numbers, latencies=latencies)


def run(server, questions, seconds, each=False):
    return finish(start(server, questions, seconds, each), seconds)
