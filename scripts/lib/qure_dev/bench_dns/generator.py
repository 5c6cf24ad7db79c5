"""dnsperf in the gateway's namespace: as many queries as it can send, and what became of them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from qure_dev.lab import netns, topology

if TYPE_CHECKING:
    from qure_dev.bench_dns.servers import Server

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
    latencies: tuple[float, ...] = ()  # seconds, sorted


class Generator:
    """dnsperf at work; `each`: the latency of each query will be told."""

    def __init__(self, server: Server, questions: Path, seconds: float, each: bool = False) -> None:
        options = f"-c {CLIENTS} -T {THREADS} -q {OUTSTANDING} -t {PATIENCE} -l {seconds} -W".split()
        argv = ["dnsperf", "-s", server.address, "-d", str(questions), *options, *(["-v"] if each else [])]
        self._seconds = seconds
        self._said = tempfile.TemporaryFile()  # a pipe that nobody reads yet would hold it up
        inside = netns.inside(topology.gateway(), *argv)
        self._process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    def finish(self) -> Turn:
        """Waits until it has ended by itself."""
        self._process.wait(timeout=self._seconds + 30)
        self._said.seek(0)
        said = self._said.read()
        text = said[-4096:].decode(errors="replace")
        found = {key: re.search(pattern, text) for key, pattern in _NUMBERS.items()}
        numbers = {key: match.group(1) for key, match in found.items() if match}
        if self._process.returncode != 0 or len(numbers) < len(_NUMBERS):
            raise RuntimeError(f"dnsperf: {text[-500:]}")
        latencies = tuple(sorted(float(number) for number in _LATENCY.findall(said)))
        sent, completed, lost = (int(numbers[key]) for key in ("sent", "completed", "lost"))
        return Turn(sent, completed, lost, float(numbers["qps"]), latencies)


def run(server: Server, questions: Path, seconds: float, each: bool = False) -> Turn:
    with Generator(server, questions, seconds, each) as generator:
        return generator.finish()
