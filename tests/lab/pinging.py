"""The gateway's echo requests in the background: whether one of them was lost."""

import re
import signal
import subprocess
from collections.abc import Iterable
from typing import Self

from qure_dev.lab import netns, topology
from qure_dev.lab.node import Node


def withheld(nodes: Iterable[Node]) -> int:
    """Answers that these nodes have kept back, since the machine had held them for too long: so many echo requests may
    be lost by no fault of theirs."""
    answers = [node.query("counters") for node in nodes]
    rows = [row for answer in answers for row in answer["reasons"] if row["reason"] == "gate_shut"]
    return sum(row["lan"] + row["host"] for row in rows)


class Ping:
    """From the gateway to an address, fifty a second, from `with` to its end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answered = 0
        self.lost = 0  # of those before the last one that was answered

    def __enter__(self) -> Self:
        argv = ("ping", "-n", "-i", "0.02", self.address)
        self._process = subprocess.Popen(netns.inside(topology.gateway(), *argv), stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        output, _errors = self._process.communicate(timeout=10)
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", output)}
        self.answered = len(answered)
        self.lost = max(answered, default=0) - self.answered
