"""What besiegers of a cluster send: each attack is a list of frames and how many of them come in a second."""

import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster_support import CLUSTER_PORT, overhear, udp_payload_offset
from qure_dev import dns_message, frames, programs
from qure_dev.frames import IPV4, REPLY, REQUEST, Seen
from qure_dev.lab import netns, topology
from qure_dev.lab.topology import GATEWAY_V4, SERVICE_V4

VARIANTS = 4096  # different frames of an attack that varies
NAMES = ["www", "ns1", "mail", "nobody"]
_OVERHEARD = 600
_ACK, _SYN = 16, 2


@dataclass(frozen=True)
class Target:
    """What an attacker in the LAN can see of a cluster."""

    service_mac: str
    node_macs: dict[str, str]  # IPv4 address -> MAC
    group: str
    overheard: list[Seen]  # cluster datagrams, heartbeats included


@dataclass(frozen=True)
class Attack:
    name: str
    rate: int  # frames a second
    frames: list[bytes]


def find_target(nodes: list[str], service_mac: str) -> Target:
    """Listens to the nodes until they have said enough."""
    overheard = overhear(nodes, _OVERHEARD)
    macs = {_address(frame, 12): frame.source for frame in overheard}
    groups = {_address(frame, 16) for frame in overheard if frame.destination.startswith("01:00:5e")}
    return Target(service_mac, macs, groups.pop(), overheard)


def _address(frame: Seen, offset: int) -> str:
    return ".".join(str(byte) for byte in frame.payload[offset : offset + 4])


def _group_mac(group: str) -> str:
    """RFC 1112 section 6.4."""
    _, *low = (int(part) for part in group.split("."))
    return "01:00:5e:" + ":".join(f"{byte:02x}" for byte in (low[0] & 0x7F, *low[1:]))


def _outsider(chance: random.Random) -> str:
    return f"203.0.113.{chance.randrange(1, 255)}"


def junk(target: Target, mac: str, rate: int) -> Attack:
    """Datagrams of chance on the cluster port, to the group and to each node, half of them with a genuine header."""
    chance = random.Random(1)
    goals = [(_group_mac(target.group), target.group), *((mac, ip) for ip, mac in target.node_macs.items())]
    made = []
    for number in range(VARIANTS):
        goal_mac, goal = chance.choice(goals)
        source = f"198.51.100.{chance.randrange(100, 255)}"
        data = chance.randbytes(chance.randrange(1, 400))
        if number % 2:
            heard = chance.choice(target.overheard)
            start = udp_payload_offset(heard) or 0
            data = heard.payload[start : start + 48] + chance.randbytes(100)
        packet = bytearray(frames.udp(source, goal, (chance.randrange(1024, 65536), CLUSTER_PORT), data))
        if number % 4:
            packet = _with_ttl(packet, 255)
        made.append(frames.ethernet(goal_mac, mac, IPV4, bytes(packet)))
    return Attack("junk", rate, made)


def _with_ttl(packet: bytearray, ttl: int) -> bytearray:
    packet[8] = ttl
    packet[10:12] = b"\0\0"
    packet[10:12] = frames.checksum(bytes(packet[:20])).to_bytes(2, "big")
    return packet


def replays(target: Target, mac: str, rate: int) -> Attack:
    """What the nodes said to each other, again: from the attacker's MAC, every other one from his address too."""
    made = []
    for number, heard in enumerate(target.overheard):
        packet = bytearray(heard.payload)
        start = udp_payload_offset(heard) or 0
        packet[start - 2 : start] = b"\0\0"  # without UDP checksum (RFC 768)
        if number % 2:
            packet[12:16] = bytes((198, 51, 100, 99))
            packet = _with_ttl(packet, packet[8])
        made.append(frames.ethernet(heard.destination, mac, IPV4, bytes(packet)))
    return Attack("replays", rate, made)


def arp_probes(_target: Target, _mac: str, rate: int) -> Attack:
    """RFC 5227 probes for the service address from ever different hosts."""
    chance = random.Random(2)
    made = []
    for _ in range(VARIANTS):
        prober = frames.mac_text(b"\x02" + chance.randbytes(5))
        made.append(frames.arp(REQUEST, prober, "0.0.0.0", SERVICE_V4))
    return Attack("arp_probes", rate, made)


def arp_claims(target: Target, mac: str, rate: int) -> Attack:
    """To each node and not to the gateway, which could not defend itself: another host has the service address, the
    gateway is elsewhere, the service address is at the service MAC."""
    made = []
    for node_mac in [target.service_mac, *target.node_macs.values()]:
        made += [
            frames.arp(REQUEST, mac, SERVICE_V4, SERVICE_V4, destination=node_mac),
            frames.arp(REPLY, mac, GATEWAY_V4, SERVICE_V4, target.service_mac, destination=node_mac),
            _from(mac, frames.arp(REPLY, target.service_mac, SERVICE_V4, GATEWAY_V4, mac, destination=node_mac)),
        ]
    return Attack("arp_claims", rate, made)


def _from(mac: str, frame: bytes) -> bytes:
    """The frame from the attacker's own MAC: the switch must not learn another here."""
    return frame[:6] + frames.mac_bytes(mac) + frame[12:]


def flagless_tcp(target: Target, mac: str, rate: int) -> Attack:
    """Segments of connections that never were, without SYN, to the service."""
    chance = random.Random(3)
    return Attack("flagless_tcp", rate, [_segment(target, mac, chance, _ACK) for _ in range(4 * VARIANTS)])


def syn_flood(target: Target, mac: str, rate: int) -> Attack:
    chance = random.Random(4)
    return Attack("syn_flood", rate, [_segment(target, mac, chance, _SYN) for _ in range(4 * VARIANTS)])


def _segment(target: Target, mac: str, chance: random.Random, flags: int) -> bytes:
    ports = (chance.randrange(1024, 65536), topology.WEB_PORT)
    packet = frames.tcp(_outsider(chance), SERVICE_V4, ports, flags, chance.randrange(1 << 32))
    return frames.ethernet(target.service_mac, mac, IPV4, packet)


def dns_flood(target: Target, mac: str, rate: int) -> Attack:
    chance = random.Random(5)
    made = []
    for _ in range(VARIANTS):
        name = f"{chance.choice(NAMES)}.home.example"
        question = dns_message.query(name, "A", chance.randrange(1 << 16))
        packet = frames.udp(_outsider(chance), SERVICE_V4, (chance.randrange(1024, 65536), 53), question)
        made.append(frames.ethernet(target.service_mac, mac, IPV4, packet))
    return Attack("dns_flood", rate, made)


@dataclass(frozen=True)
class Kind:
    rate: int  # frames a second at scale 1
    what: str
    make: Callable[[Target, str, int], Attack]  # of a target, the attacker's MAC and a rate
    scaled: bool = True


KINDS = {
    "junk": Kind(20_000, "chance on the cluster port, to the group and each node, half with a real header", junk),
    "replays": Kind(2_000, "what the nodes said to each other, again, from other addresses", replays),
    "arp_probes": Kind(5_000, "RFC 5227 probes for the service address, each from another host", arp_probes),
    "arp_claims": Kind(
        10, "to the nodes only: the service address is mine, the gateway is me; never scaled", arp_claims, scaled=False
    ),
    "flagless_tcp": Kind(5_000, "segments without SYN of connections that never were", flagless_tcp),
    "syn_flood": Kind(2_000, "SYNs from everywhere to the service", syn_flood),
    "dns_flood": Kind(5_000, "DNS questions from everywhere", dns_flood),
}


def all_attacks(target: Target, mac: str, scale: float) -> list[Attack]:
    """`scale` multiplies the rates."""
    return [
        kind.make(target, mac, max(1, round(kind.rate * scale)) if kind.scaled else kind.rate)
        for kind in KINDS.values()
    ]


class Barrage:
    """An attack under way, from one interface of a lab member."""

    def __init__(self, build: Path, attack: Attack, member: str, interface: str, seconds: float) -> None:
        self.attack = attack
        argv = [str(build / programs.BARRAGE), interface, str(attack.rate), f"{seconds:.1f}"]
        self._process = subprocess.Popen(
            netns.inside(topology.namespace(member), *argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin
        for frame in attack.frames:
            self._process.stdin.write(len(frame).to_bytes(2, "big") + frame)
        self._process.stdin.close()

    def end(self) -> int:
        """Ends it; the number of frames that were sent."""
        assert self._process.stdout
        self._process.terminate()
        sent = self._process.stdout.read()
        self._process.wait()
        self._process.stdout.close()
        return int(sent or 0)
