"""Debian's Knot and NSD, as far as benches and tests need them: one template each, and how they are started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KNOTD = ("/usr/sbin/knotd", "-c")
NSD = ("/usr/sbin/nsd", "-d", "-c")
Address = tuple[str, int]


@dataclass(frozen=True)
class Updates:
    """Who may change the zones of a Knot (RFC 2136): by a key, or else by the address that asks."""

    keys: Mapping[str, str] = field(default_factory=dict)  # name -> secret in base64
    address: str = ""


def knot_config(
    directory: Path, listen: Address, zones: Mapping[str, Path], updates: Updates | None = None, log: str = "warning"
) -> str:
    """One worker, no rate limit; its zone files are never written back. `zones`: apex -> zone file."""
    sections = [
        f"server:\n  rundir: {directory}\n  listen: {listen[0]}@{listen[1]}",
        "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1",
        f"database:\n  storage: {directory}",
        f"log:\n  - target: stderr\n    any: {log}",
    ]
    if updates and updates.keys:
        sections.append("key:")
        sections += [
            f"  - id: {name}\n    algorithm: hmac-sha256\n    secret: {updates.keys[name]}" for name in updates.keys
        ]
    if updates:
        who = f"key: [{', '.join(updates.keys)}]" if updates.keys else f"address: {updates.address}"
        sections.append(f"acl:\n  - id: update\n    {who}\n    action: update")
    sections.append(
        f"template:\n  - id: default\n    storage: {directory}\n    semantic-checks: off\n    zonefile-sync: -1\n"
        "    journal-content: none" + ("\n    acl: update" if updates else "")
    )
    sections.append("zone:")
    sections += [f"  - domain: {apex}\n    file: {path}" for apex, path in zones.items()]
    return "\n".join(sections) + "\n"


def nsd_config(directory: Path, listen: Address, zones: Mapping[str, Path]) -> str:
    """One server process, no rate limit, minimal answers. `zones`: apex -> zone file."""
    sections = [
        f"server:\n  ip-address: {listen[0]}@{listen[1]}\n  server-count: 1",
        '  username: ""\n  chroot: ""\n  database: ""',
        f"  zonesdir: {directory}\n  pidfile: {directory}/nsd.pid\n  xfrdfile: {directory}/xfrd.state",
        f"  xfrdir: {directory}\n  zonelistfile: {directory}/zone.list",
        "  rrl-ratelimit: 0\n  minimal-responses: yes\n  refuse-any: no",
        "remote-control:\n  control-enable: no",
    ]
    sections += [f"zone:\n  name: {apex}\n  zonefile: {path}" for apex, path in zones.items()]
    return "\n".join(sections) + "\n"


def argv(program: Sequence[str], directory: Path, config: str) -> list[str]:
    """Writes the configuration; the command that runs the program with it in the foreground."""
    path = directory / "conf"
    path.write_text(config)
    return [*program, str(path)]
