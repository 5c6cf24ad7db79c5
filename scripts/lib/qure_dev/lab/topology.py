"""What is where in the lab: names, addresses, and the drawing.

A program works on one lab at a time: the one that the environment variable QURE_LAB names. All that a lab has outside
its namespaces carries its name, so that labs stand side by side."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qure_dev.lab.lab import Request

DEFAULT_LAB = "main"
LAB_VARIABLE = "QURE_LAB"
LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
RUN = Path("/run/qure-lab")
BRIDGE = "br0"
GATEWAY_V4 = "198.51.100.1"
GATEWAY_V6 = "2001:db8:2::1"
SERVICE_V4 = "198.51.100.50"
SERVICE_V6 = "2001:db8:2::50"
DEFAULT_NODES = 3
MAX_NODES = 32  # addresses from .11 on, clear of the service's .50

PORT_KINDS = ("af_packet", "af_xdp", "tap")
MODES = ("dedicated", "shared")
WEB_PORT = 80
ECHO_PORT = 7
METRICS = "127.0.0.1:9464"


def lab_name() -> str:
    return os.environ.get(LAB_VARIABLE) or DEFAULT_LAB


def valid_name(text: str) -> str:
    """A lab's name from a command line."""
    if not LAB_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}': a letter and up to 11 letters and digits, in lower case")
    return text


def all_labs() -> list[str]:
    """The names of all labs of this machine."""
    return sorted(entry.name for entry in RUN.glob("*") if entry.is_dir())


def state() -> Path:
    """The directory of this lab: its nodes' files, its key, what it was asked for."""
    return RUN / lab_name()


def namespace(member: str) -> str:
    """The namespace of "gw", "sw", "n1", …"""
    return f"qure-{lab_name()}-{member}"


def gateway() -> str:
    return namespace("gw")


def switch() -> str:
    return namespace("sw")


def is_ours(name: str) -> bool:
    """Whether a namespace belongs to this lab."""
    return re.fullmatch(rf"qure-{lab_name()}-(gw|sw|n\d+|h\d+)", name) is not None


def switch_port(member: str) -> str:
    return f"sw-{member}"


def node_name(index: int) -> str:
    return f"n{index}"


def node_addresses(index: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of node `index` (from 1), with prefix lengths."""
    return f"198.51.100.{10 + index}/24", f"2001:db8:2::{10 + index}/64"


def lan_port(kind: str) -> str:
    """The `port` of [node.lan]."""
    return "tap:qlan0" if kind == "tap" else f"{kind}:lan0"


def draw(request: Request, services: Iterable[str]) -> str:
    """The topology as text. `services`: the service addresses of the configuration."""
    link = {"af_packet": "lan0 = qured", "af_xdp": "lan0 = qured", "tap": "lan0 - lanbr - qlan0 = qured"}[request.port]
    lines = [
        f"  {gateway():<29} {switch():<20} the nodes: {request.port}, {request.mode}",
        f"  gw0 {GATEWAY_V4}/24  ------ sw-gw -+",
        f"      {GATEWAY_V6}/64            |",
        f"                               {BRIDGE} -+",
    ]
    for index in range(1, request.nodes + 1):
        name = node_name(index)
        where = " ".join(node_addresses(index))
        holder = "qure0" if request.mode == "dedicated" else "lan0 itself"
        lines.append(
            f"                                    +- sw-{name} ---- {namespace(name)}: {link} = {holder} {where}"
        )
    lines.append(f"  service addresses: {', '.join(services) or 'none'}")
    return "\n".join(lines)
