"""A node's configuration: the lab's own [node] part before the cluster part of a file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from qure_dev.lab import topology

if TYPE_CHECKING:
    from qure_dev.lab.lab import Request


def cluster_part(text: str) -> str:
    """`text` without its [node] tables."""
    kept, ours = [], True
    for line in text.splitlines():
        header = line.strip()
        if header.startswith("["):
            name = header.strip("[] ").partition("]")[0]
            ours = not (name == "node" or name.startswith("node."))
        if ours:
            kept.append(line)
    return "\n".join(kept).strip() + "\n"


def with_key(text: str, key: str | None) -> str:
    """The cluster part `text` with this key instead of its own; with None, without any. An open cluster needs none."""
    kept, here = [], False
    for line in text.splitlines():
        if line.strip().startswith("["):
            here = line.partition("#")[0].strip() == "[cluster]"
        if here and re.match(r"\s*key\s*=", line):
            continue
        kept.append(line)
        if here and key and line.strip().startswith("["):
            kept.append(f'key = "{key}"')
    opened = tomllib.loads(text).get("cluster", {}).get("security") == "open"
    return text if opened else "\n".join(kept) + "\n"


def service_addresses(text: str) -> list[str]:
    """The first candidates of the cluster's service addresses, without prefix lengths."""
    cluster = tomllib.loads(text).get("cluster", {})
    return [entry["address"].partition("/")[0] for entry in cluster.get("address", [])]


def node_text(name: str, index: int, directory: Path, request: Request, cluster: str) -> str:
    """The whole file. Without huge pages: the lab needs nothing of the machine and leaves nothing on it."""
    addresses = topology.node_addresses(index) if request.mode == "dedicated" else ()
    quoted = ", ".join(f'"{address}"' for address in addresses)
    return f"""[node]
name = "{name}"
data_directory = "{directory}/data"
control_socket = "{directory}/qured.sock"
metrics = "{topology.METRICS}"
log_level = "{request.log_level}"
addresses = [{quoted}]

[node.lan]
port = "{topology.lan_port(request.port)}"
mode = "{request.mode}"
vlan = {request.vlan}
host_interface = "qure0"

[node.dpdk]
workers = {request.workers}
huge_pages = false
memory_mib = 128
file_prefix = "{topology.namespace(name)}"

{cluster}"""
