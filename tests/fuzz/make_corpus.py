#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into corpus/TARGET/NAME beside this script.

Run it after adding a seed and commit what it writes. Inputs that a fuzzer found are added by hand as
corpus/TARGET/found-WHAT; this script leaves them alone.
"""

import argparse
import ipaddress
import pathlib
import struct
import sys
from collections.abc import Collection
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts/lib"))
from qure_dev import frames
from qure_dev.frames import checksum, ipv6

Frames = dict[str, tuple[int, bytes]]  # name -> first byte of the input, frame

SERVICE4, SERVICE6 = "198.51.100.50", "2001:db8:2::50"
IDLE4, IDLE6 = "198.51.100.51", "2001:db8:2::51"
CLIENT4, CLIENT6 = "203.0.113.7", "2001:db8:ffff::7"
GATEWAY4, GATEWAY6 = "198.51.100.1", "2001:db8:2::1"
GATEWAY_MAC = bytes.fromhex("020000000001")
NODE_MAC = bytes.fromhex("021111111110")
SERVICE_MAC4 = bytes.fromhex("025555555504")
SERVICE_MAC6 = bytes.fromhex("025555555506")
GROUP_MAC = bytes.fromhex("035555555504")  # of the first service MAC, under multicast delivery
BROADCAST = b"\xff" * 6

# The first byte of an input of fuzz_pipeline.
VLAN, SHARED, FROM_HOST, REPAIR, CLUSTER = 1, 2, 4, 8, 16
ROOMY = 7 << 5


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def ether(destination: bytes, source: bytes, ether_type: int, payload: bytes, vlan: int | None = None) -> bytes:
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return destination + source + tag + struct.pack("!H", ether_type) + payload


def arp(operation: int, sender_mac: bytes, sender_ip: str, target_mac: bytes, target_ip: str) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return head + sender_mac + ip(sender_ip) + target_mac + ip(target_ip)


def ipv4(
    source: str, destination: str, protocol: int, payload: bytes, fragment: int = 0, options: bytes = b""
) -> bytes:
    return frames.ipv4(source, destination, protocol, payload, 1, fragment, options)


def with_checksum(source: str, destination: str, protocol: int, segment: bytes, offset: int) -> bytes:
    """`segment` with its checksum over the pseudo-header at `offset`."""
    pseudo = ip(source) + ip(destination) + struct.pack("!II", len(segment), protocol)
    return segment[:offset] + struct.pack("!H", checksum(pseudo + segment)) + segment[offset + 2 :]


def udp(source: str, destination: str, port: int, payload: bytes, source_port: int = 40000) -> bytes:
    segment = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    return with_checksum(source, destination, 17, segment, 6)


def tcp(source: str, destination: str, port: int, flags: int) -> bytes:
    segment = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 6 << 4, flags, 65535, 0, 0) + bytes.fromhex("020405b4")
    return with_checksum(source, destination, 6, segment, 16)


def echo4(body: bytes = b"\x12\x34\0\1abcdefgh") -> bytes:
    message = b"\x08\0\0\0" + body
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmp6(source: str, destination: str, kind: int, body: bytes) -> bytes:
    return with_checksum(source, destination, 58, bytes([kind, 0, 0, 0]) + body, 2)


def neighbor(target: str, option: int, mac: bytes, flags: int = 0) -> bytes:
    tail = bytes([option, 1]) + mac if option else b""
    return struct.pack("!I", flags) + ip(target) + tail


def solicited(address: str) -> str:
    return "ff02::1:ff" + ip(address)[13:14].hex() + ":" + ip(address)[14:].hex()


def group_mac(address: str) -> bytes:
    return b"\x33\x33" + ip(address)[12:]


def name(text: str) -> bytes:
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def opt(payload: int = 1232, version: int = 0, options: bytes = b"") -> bytes:
    return b"\0" + struct.pack("!HHBBHH", 41, payload, 0, version, 0, len(options)) + options


def dns(
    text: str, kind: int, additional: Collection[bytes] = (), flags: int = 0x0100, klass: int = 1, questions: int = 1
) -> bytes:
    head = struct.pack("!HHHHHH", 0x4242, flags, questions, 0, 0, len(additional))
    return head + (name(text) + struct.pack("!HH", kind, klass)) * questions + b"".join(additional)


def address_seeds() -> dict[str, bytes]:
    return {
        "mac": b"02:aB:00:10:ff:07",
        "ip4": b"198.51.100.50",
        "ip6": b"2001:db8:2::50",
        "ip6-mapped": b"::ffff:192.0.2.1",
        "prefix4": b"198.51.100.50/24",
        "prefix6": b"2001:db8:2::50/49",
    }


def arp_seeds() -> dict[str, bytes]:
    request = arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), SERVICE4)
    return {
        "request": ether(BROADCAST, GATEWAY_MAC, 0x0806, request),
        "reply-vlan": ether(NODE_MAC, GATEWAY_MAC, 0x0806, arp(2, GATEWAY_MAC, GATEWAY4, NODE_MAC, SERVICE4), 100),
        "probe": ether(BROADCAST, GATEWAY_MAC, 0x0806, arp(1, GATEWAY_MAC, "0.0.0.0", bytes(6), SERVICE4)),
        "group-sender": ether(NODE_MAC, GATEWAY_MAC, 0x0806, arp(2, GROUP_MAC, SERVICE4, GATEWAY_MAC, GATEWAY4)),
        "broadcast-sender": ether(BROADCAST, GATEWAY_MAC, 0x0806, arp(1, BROADCAST, GATEWAY4, bytes(6), SERVICE4)),
        "truncated-tag": ether(BROADCAST, GATEWAY_MAC, 0x8100, b"\0\x64"),
        "arp-alone": request,
    }


def ip_seeds() -> dict[str, bytes]:
    payload = udp(CLIENT4, SERVICE4, 80, b"hello")
    payload6 = udp(CLIENT6, SERVICE6, 80, b"hello")
    hop = bytes([60, 0, 5, 2, 0, 0, 1, 0])
    destination = bytes([17, 0, 1, 4, 0, 0, 0, 0])
    authentication = bytes([17, 4]) + bytes(22)
    return {
        "v4": ipv4(CLIENT4, SERVICE4, 17, payload),
        "v4-options-padding": ipv4(CLIENT4, SERVICE4, 17, payload, options=bytes.fromhex("94040000")) + bytes(8),
        "v4-first-fragment": ipv4(CLIENT4, SERVICE4, 17, payload, fragment=0x2000),
        "v4-last-fragment": ipv4(CLIENT4, SERVICE4, 17, payload, fragment=2),
        "v6": ipv6(CLIENT6, SERVICE6, 17, payload6),
        "v6-extensions": ipv6(CLIENT6, SERVICE6, 0, hop + destination + payload6),
        "v6-authentication": ipv6(CLIENT6, SERVICE6, 51, authentication + payload6),
        "v6-first-fragment": ipv6(CLIENT6, SERVICE6, 44, bytes([17, 0, 0, 1, 0, 0, 0, 9]) + payload6),
        "v6-last-fragment": ipv6(CLIENT6, SERVICE6, 44, bytes([60, 0, 0, 8, 0, 0, 0, 9]) + payload6),
    }


def nd_seeds() -> dict[str, bytes]:
    group = solicited(SERVICE6)
    solicitation = icmp6(GATEWAY6, group, 135, neighbor(SERVICE6, 1, GATEWAY_MAC))
    probe = icmp6("::", group, 135, neighbor(SERVICE6, 0, b""))
    advertisement = icmp6(GATEWAY6, SERVICE6, 136, neighbor(GATEWAY6, 2, GATEWAY_MAC, 0x60000000))
    nonce = icmp6(GATEWAY6, group, 135, neighbor(SERVICE6, 1, GATEWAY_MAC) + bytes([14, 1]) + bytes(6))
    return {
        "solicitation": ipv6(GATEWAY6, group, 58, solicitation, 255),
        "solicitation-nonce": ipv6(GATEWAY6, group, 58, nonce, 255),
        "probe": ipv6("::", group, 58, probe, 255),
        "advertisement": ipv6(GATEWAY6, SERVICE6, 58, advertisement, 255),
        "option-length-zero": ipv6(GATEWAY6, group, 58, solicitation[:25] + b"\0" + solicitation[26:], 255),
    }


def transport_seeds() -> dict[str, bytes]:
    return {
        "udp": udp(CLIENT4, SERVICE4, 53, b"hello"),
        "udp-length-short": struct.pack("!HHHH", 1, 2, 8, 0) + b"padding",
        "tcp-syn": tcp(CLIENT4, SERVICE4, 80, 2),
        "tcp-offset": struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 15 << 4, 16, 5, 6, 7),
    }


def dns_seeds() -> dict[str, bytes]:
    return {
        "a": dns("www.home.example", 1),
        "any-case": dns("wWw.HOME.example", 255),
        "edns": dns("deep.ent.home.example", 16, [opt()]),
        "edns-options": dns("home.example", 6, [opt(4096, 0, bytes.fromhex("000a00080102030405060708"))]),
        "two-opts": dns("www.home.example", 1, [opt(), opt()]),
        "bad-version": dns("www.home.example", 1, [opt(version=1)]),
        "root": dns(".", 2),
        "compressed": struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + bytes.fromhex("c00c00010001"),
        "response": dns("www.home.example", 1, flags=0x8180),
        "update": dns("home.example", 6, flags=0x2800),
        "two-questions": dns("home.example", 6, questions=2),
        "long-name": dns(".".join(["l" * 63] * 3 + ["m" * 61]), 1),
        "nxdomain": dns("x.y.z.home.example", 28),
    }


def dns_name_seeds() -> dict[str, bytes]:
    return {
        "plain": b"www.home.example.",
        "escapes": b"a\\.b.c\\\\d.\\000\\255\\065",
        "root": b".",
        "empty-label": b"a..b",
        "long-label": b"l" * 64,
        "wire": name("www.home.example"),
        "wire-odd": b"\x04\0.\\\xff\0",
    }


def dns_upstream_seeds() -> dict[str, bytes]:
    """The type that was asked for (see the target), then the message."""
    here, target, zone = b"\xc0\x0c", name("real.home.example"), b"\xc0\x10"

    def record(owner: bytes, kind: int, ttl: int, rdata: bytes) -> bytes:
        return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata)) + rdata

    def answer(
        kind: int,
        answers: Collection[bytes] = (),
        authorities: Collection[bytes] = (),
        additional: Collection[bytes] = (),
        flags: int = 0x8180,
    ) -> bytes:
        head = struct.pack("!HHHHHH", 0x4242, flags, 1, len(answers), len(authorities), len(additional))
        question = name("www.home.example") + struct.pack("!HH", kind, 1)
        return head + question + b"".join([*answers, *authorities, *additional])

    address = record(here, 1, 300, ip(CLIENT4))
    alias = record(here, 5, 60, target)
    soa = record(zone, 6, 600, zone + zone + struct.pack("!IIIII", 1, 2, 3, 4, 60))
    foreign_soa = record(name("bank.example"), 6, 600, b"\0\0" + bytes(20))
    return {
        "address": b"\0" + answer(1, [address], [], [opt()]),
        "alias": b"\0" + answer(1, [alias, record(target, 1, 30, ip(CLIENT4))]),
        "alias-to-itself": b"\0" + answer(1, [record(here, 5, 60, here)]),
        "alias-of-an-alias": b"\1" + answer(28, [record(target, 28, 30, ip(CLIENT6)), alias]),
        "others-too": b"\0" + answer(1, [address, record(name("bank.example"), 1, 300, ip(CLIENT4))]),
        "no-data": b"\0" + answer(1, [], [soa]),
        "no-data-alias": b"\0" + answer(1, [alias], [soa]),
        "no-such-name": b"\0" + answer(1, [], [soa], flags=0x8183),
        "soa-of-others": b"\0" + answer(1, [], [foreign_soa], flags=0x8183),
        "endless-ttl": b"\0" + answer(1, [record(here, 1, 0x80000001, ip(CLIENT4))]),
        "mail": b"\3" + answer(15, [record(here, 15, 60, b"\0\5\4mail" + zone), record(here, 15, 30, b"\0\1" + here)]),
        "soa": b"\5" + answer(6, [record(here, 6, 60, here + zone + bytes(20))]),
        "server": b"\6" + answer(33, [record(here, 33, 60, bytes(6) + target)]),
        "text": b"\7" + answer(16, [record(here, 16, 60, b"\2hi\0"), record(here, 16, 60, b"\3you")]),
        "empty-alias": b"\0" + answer(1, [record(here, 5, 60, b"")]),
        "empty-soa": b"\0" + answer(1, [], [record(zone, 6, 600, b"")]),
        "other-class": b"\0" + answer(1, [here + struct.pack("!HHIH", 1, 3, 60, 4) + ip(CLIENT4)]),
        "refused": b"\0" + answer(1, flags=0x8185),
        "truncated": b"\0" + answer(1, flags=0x8380),
    }


def dns_zone_seeds() -> dict[str, bytes]:
    """Records (kind, name, target) and questions (kind, name), a name being its length and labels: see the target."""
    a, b, below_a, wildcard = (1, 0), (1, 1), (2, 1), (1, 3)
    address, text, cut, alias, ds = 0, 2, 4, 6, 10
    ask, none = 1, (0, 0)
    return {
        "wildcard": bytes([1, address, *wildcard, *none, ask, *a, ask, *below_a, ask | text, *a]),
        "alias": bytes([0, alias, *a, *b, address, *b, *none, ask, *a, ask | alias, *a]),
        "wildcard-alias": bytes([0, alias, *wildcard, *b, address, *b, *none, ask, *a]),
        "delegation": bytes([7, cut, *a, *below_a, address, *below_a, *none, ask, *a, ask, 2, 2, ask | ds, *a]),
        "empty-non-terminal": bytes([0, text, 3, 36, *none, ask, 2, 9, ask, 1, 2, ask, *a]),
    }


def pipeline_v4(frames: Frames) -> None:
    query = dns("www.home.example", 1, [opt()])

    def to_service(protocol: int, payload: bytes, **more: Any) -> bytes:
        return ether(SERVICE_MAC4, GATEWAY_MAC, 0x0800, ipv4(CLIENT4, SERVICE4, protocol, payload, **more))

    frames["arp"] = 0, ether(BROADCAST, GATEWAY_MAC, 0x0806, arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), SERVICE4))
    frames["arp-idle"] = 0, ether(BROADCAST, GATEWAY_MAC, 0x0806, arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), IDLE4))
    frames["arp-vlan"] = VLAN, ether(
        BROADCAST, GATEWAY_MAC, 0x0806, arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), SERVICE4), 100
    )
    inner_tag = struct.pack("!HH", 100, 0x0806) + arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), SERVICE4)
    frames["double-tag"] = VLAN, ether(BROADCAST, GATEWAY_MAC, 0x8100, inner_tag, 100)
    frames["echo4"] = REPAIR, to_service(1, echo4())
    frames["echo4-zeros"] = 0, to_service(1, echo4(bytes(12)))
    frames["dns4"] = REPAIR | ROOMY, to_service(17, udp(CLIENT4, SERVICE4, 53, query))
    frames["dns4-no-room"] = REPAIR, to_service(17, udp(CLIENT4, SERVICE4, 53, query))
    frames["dns4-big"] = REPAIR | ROOMY, to_service(17, udp(CLIENT4, SERVICE4, 53, dns("big.home.example", 16)))
    frames["dns4-reflection"] = REPAIR | ROOMY, to_service(17, udp(CLIENT4, SERVICE4, 53, query, 53))
    frames["tcp4"] = REPAIR | SHARED, to_service(6, tcp(CLIENT4, SERVICE4, 80, 2))
    frames["fragment4"] = 0, to_service(17, b"12345678", fragment=0x2001)


def pipeline_v6(frames: Frames) -> None:
    group = solicited(SERVICE6)
    ask = ipv6(GATEWAY6, group, 58, icmp6(GATEWAY6, group, 135, neighbor(SERVICE6, 1, GATEWAY_MAC)), 255)
    probe = ipv6("::", group, 58, icmp6("::", group, 135, neighbor(SERVICE6, 0, b"")), 255)
    query = dns("missing.home.example", 28, [opt()])

    def to_service(source: str, next_header: int, payload: bytes) -> bytes:
        return ether(SERVICE_MAC6, GATEWAY_MAC, 0x86DD, ipv6(source, SERVICE6, next_header, payload))

    frames["solicitation"] = 0, ether(group_mac(group), GATEWAY_MAC, 0x86DD, ask)
    frames["solicitation-vlan"] = VLAN | ROOMY, ether(group_mac(group), GATEWAY_MAC, 0x86DD, ask, 100)
    frames["probe6"] = ROOMY, ether(group_mac(group), GATEWAY_MAC, 0x86DD, probe)
    frames["echo6"] = REPAIR, to_service(CLIENT6, 58, icmp6(CLIENT6, SERVICE6, 128, b"\0\1\0\1data"))
    frames["echo6-from-nobody"] = 0, to_service("::", 58, icmp6("::", SERVICE6, 128, b"\0\1\0\1data"))
    frames["dns6"] = REPAIR | ROOMY, to_service(CLIENT6, 17, udp(CLIENT6, SERVICE6, 53, query))
    frames["dns6-from-nobody"] = ROOMY, to_service("::", 17, udp("::", SERVICE6, 53, query))
    frames["extensions6"] = 0, to_service(
        CLIENT6, 60, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(CLIENT6, SERVICE6, 53, query)
    )


def pipeline_host(frames: Frames) -> None:
    def kernel_arp(operation: int, sender: str, target: str) -> bytes:
        return ether(BROADCAST, NODE_MAC, 0x0806, arp(operation, NODE_MAC, sender, bytes(6), target))

    group = solicited(GATEWAY6)
    solicitation = icmp6(SERVICE6, group, 135, neighbor(GATEWAY6, 1, NODE_MAC))
    reply = ipv4(SERVICE4, CLIENT4, 6, tcp(SERVICE4, CLIENT4, 40000, 18))
    frames["host-arp"] = FROM_HOST, kernel_arp(1, SERVICE4, GATEWAY4)
    frames["host-arp-idle"] = FROM_HOST, kernel_arp(1, SERVICE4, IDLE4)
    frames["host-arp-announcement"] = FROM_HOST, kernel_arp(1, SERVICE4, SERVICE4)
    frames["host-nd"] = FROM_HOST | VLAN, ether(
        group_mac(group), NODE_MAC, 0x86DD, ipv6(SERVICE6, group, 58, solicitation, 255)
    )
    frames["host-tcp"] = FROM_HOST | VLAN, ether(GATEWAY_MAC, NODE_MAC, 0x0800, reply)


def pipeline_cluster(frames: Frames) -> None:
    def datagram(payload: bytes, mac: bytes = NODE_MAC, to: str = "198.51.100.11", **tag: Any) -> bytes:
        packet = bytearray(ipv4("198.51.100.12", to, 17, udp("198.51.100.12", to, 7873, payload)))
        packet[8:12] = bytes((255, 17, 0, 0))  # has passed no router
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])))
        return ether(mac, bytes.fromhex("022222222220"), 0x0800, bytes(packet), **tag)

    group = bytes.fromhex("01005e515201")
    query = dns("www.home.example", 1, [opt()])
    all_systems = ether(
        bytes.fromhex("01005e000001"),
        GATEWAY_MAC,
        0x0800,
        ipv4(GATEWAY4, "224.0.0.1", 2, bytes.fromhex("1132eecd00000000")),
    )
    frames["cluster-message"] = CLUSTER, datagram(envelope(), group, "239.81.82.1")
    frames["cluster-broadcast"] = CLUSTER | SHARED, datagram(envelope(), BROADCAST, "255.255.255.255")
    frames["cluster-heartbeat"] = CLUSTER | VLAN, datagram(envelope(channel=2), vlan=100)
    frames["cluster-empty"] = CLUSTER, datagram(b"")
    frames["cluster-igmp"] = CLUSTER, all_systems
    frames["drain-echo4"] = CLUSTER, ether(SERVICE_MAC4, GATEWAY_MAC, 0x0800, ipv4(CLIENT4, SERVICE4, 1, echo4()))
    frames["drain-dns4"] = CLUSTER | REPAIR | ROOMY, ether(
        SERVICE_MAC4, GATEWAY_MAC, 0x0800, ipv4(CLIENT4, SERVICE4, 17, udp(CLIENT4, SERVICE4, 53, query))
    )
    frames["drain-arp"] = CLUSTER, ether(
        BROADCAST, GATEWAY_MAC, 0x0806, arp(1, GATEWAY_MAC, GATEWAY4, bytes(6), SERVICE4)
    )


def pipeline_seeds() -> dict[str, bytes]:
    frames: Frames = {}
    pipeline_cluster(frames)
    pipeline_v4(frames)
    pipeline_v6(frames)
    pipeline_host(frames)
    return {key: bytes([choice]) + frame for key, (choice, frame) in frames.items()}


def heartbeat(kind: int, flags: int, lease: int = 15_000_000, wanted: int = 0, reserved: int = 0) -> bytes:
    head = struct.pack("!BBHI", kind, flags, reserved, 3) + bytes([0xA0] * 16)
    return head + struct.pack("!QQQQQQQ", 5, 0x1112131415161718, 7, 1_000_000_000, lease, 9, wanted)


def heartbeat_seeds() -> dict[str, bytes]:
    return {
        "offer": heartbeat(1, 0),
        "beat": heartbeat(1, 1),
        "ack": heartbeat(2, 2, wanted=20_000_000),
        "no-lease": heartbeat(1, 1, lease=0),
        "long-lease": heartbeat(1, 1, lease=10_000_000_001),
        "reserved": heartbeat(1, 1, reserved=1),
        "short": heartbeat(1, 1)[:-1],
    }


def field(number: int, value: Any) -> bytes:
    """A protobuf field: bytes, varint or, as a tuple of one, fixed64."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2, len(value)]) + value
    if isinstance(value, tuple):
        return bytes([number << 3 | 1]) + struct.pack("<Q", *value)
    assert value < 128
    return bytes([number << 3, value])


def envelope(channel: int = 1, sender: int = 2) -> bytes:
    head = struct.pack("!HBBI", 0x5152, 1, channel, 7) + bytes([sender]) + bytes(15) + bytes([sender, 1]) + bytes(14)
    return head + struct.pack("!Q", 5) + bytes(range(16)) + b"ciphertext" + bytes(16)


def envelope_seeds() -> dict[str, bytes]:
    raw, sealed, unproven = b"\0", b"\1", b"\3"
    term = field(1, 3) + field(2, 5) + field(3, (7,))
    hello = field(1, b"node") + field(2, 4) + field(3, b"rev") + field(5, 3) + field(6, (9,)) + field(11, bytes(16))
    event = field(1, bytes(16)) + field(2, 4) + field(3, 1) + field(6, term) + field(7, 1) + field(10, b"text")
    return {
        "raw": raw + envelope(),
        "raw-heartbeat": raw + envelope(channel=2),
        "raw-own": raw + envelope(sender=1),
        "raw-short": raw + envelope()[:79],
        "raw-empty": raw,
        "hello": sealed + field(1, hello),
        "hello-unproven": unproven + field(1, hello),
        "ping": sealed + field(2, field(1, (5,))),
        "challenge": sealed + field(4, field(1, bytes(16))),
        "challenge-short": sealed + field(4, field(1, bytes(15))),
        "challenge-unproven": unproven + field(4, field(1, bytes(16))),
        "echo-unproven": unproven + field(5, field(1, bytes(16))),
        "claim": sealed + field(7, field(1, term) + field(2, hello)),
        "chunk": sealed + field(13, field(1, event) + field(2, field(1, 3) + field(2, (9,)))),
        "nothing": sealed,
        "cut-off": sealed + field(1, hello)[:-1],
    }


def router_alert(next_header: int) -> bytes:
    return bytes([next_header, 0, 5, 2, 0, 0, 1, 0])


def group_query_seeds() -> dict[str, bytes]:
    alert, exact, repair = bytes.fromhex("94040000"), b"\0", b"\1"

    def igmp(kind: int, code: int, group: str = "0.0.0.0", tail: bytes = b"", source: str = GATEWAY4) -> bytes:
        return ipv4(source, "224.0.0.1", 2, bytes([kind, code, 0, 0]) + ip(group) + tail, options=alert)

    def mld(kind: int, code: int, group: str = "::", tail: bytes = b"") -> bytes:
        source, destination = "fe80::1", "ff02::1"
        message = icmp6(source, destination, kind, struct.pack("!HH", code, 0) + ip(group) + tail)
        return ipv6(source, destination, 0, router_alert(58) + message, 1)

    v3, mld2 = b"\2\x7d\0\0", solicited(SERVICE6)
    return {
        "igmp1": repair + igmp(0x11, 0),
        "igmp2": repair + igmp(0x11, 100),
        "igmp2-switch": repair + igmp(0x11, 100, source="0.0.0.0"),
        "igmp3": repair + igmp(0x11, 100, tail=v3) + bytes(10),
        "igmp3-sources": repair + igmp(0x11, 0x8F, "239.192.1.2", b"\2\x7d\0\1" + ip(CLIENT4)),
        "igmp3-sources-missing": repair + igmp(0x11, 0x8F, "239.192.1.2", b"\2\x7d\0\2" + ip(CLIENT4)),
        "igmp2-report": repair + igmp(0x16, 0, "239.192.1.2"),
        "igmp-checksum": exact + igmp(0x11, 100),
        "mld1": exact + mld(130, 10000),
        "mld2": exact + mld(130, 0x8FFF, mld2, v3),
        "mld2-sources": exact + mld(130, 1000, mld2, b"\2\x7d\0\1" + ip(CLIENT6)),
        "mld-report": exact + mld(131, 0, mld2),
        "mld-no-alert": repair + mld(130, 1000).replace(router_alert(58), bytes([58, 0, 1, 4, 0, 0, 0, 0])),
    }


def admission_message(kind: int, body: bytes, flags: int = 0, version: int = 1) -> bytes:
    return struct.pack("!2sBBBBH", b"QR", version, 3, kind, flags, len(body)) + body


def admission_record(kind: int, body: bytes) -> bytes:
    """A block (control/core/admission/codec.h) with a record whose signature does not hold."""
    record = bytes([1, kind]) + body + bytes(64)
    return struct.pack("!H", len(record)) + record


def admission_seeds() -> dict[str, bytes]:
    datagram, proof, part, welcome = b"\0", b"\1", b"\2", b"\3"
    key, mac, name = bytes(range(32)), NODE_MAC, b"\4home"
    candidate = key + bytes(16 + 16 + 32 + 32 + 8) + mac + b"\1\1" + b"\0031.2" + name
    offer = key + bytes(16) + key + key + bytes(16) + key + mac + struct.pack("!HBBI", 7873, 1, 3, 700) + key + name
    genesis = admission_record(1, bytes(8 + 16) + key + key + bytes(16))
    admit = admission_record(3, bytes(32 + 4) + key + key + bytes(16 + 1 + 8) + name)
    session = admission_record(6, bytes(32) + key + struct.pack("!IQ", 5, 1) + key + key)
    rest = bytes(32) + key + struct.pack("!QIH", 77, 4, 7873) + ip("239.192.1.2")
    source = bytes(16) + mac + ip("192.0.2.1")
    return {
        "candidate": datagram + admission_message(1, candidate + bytes(64 + 16)),
        "candidate-copy": datagram + admission_message(1, candidate + key + bytes(64) + bytes(64 + 16), 2),
        "candidate-renew": datagram + admission_message(1, candidate + admit + bytes(64 + 16), 1),
        "candidate-flags": datagram + admission_message(1, candidate + bytes(64 + 16), 4),
        "cookie": datagram + admission_message(2, key + bytes(16)),
        "offer": datagram + admission_message(3, offer + bytes(64)),
        "proof": datagram + admission_message(4, key + struct.pack("!HH", 0, 1) + genesis),
        "proof-beyond": datagram + admission_message(4, key + struct.pack("!HH", 64, 65) + genesis),
        "accept": datagram + admission_message(5, key + bytes(64) + bytes(8) + bytes(64)),
        "records": datagram + admission_message(6, bytes(8 + 4) + key),
        "welcome": datagram + admission_message(7, bytes(8 + 4) + key),
        "receipt": datagram + admission_message(8, bytes(8 + 4) + b"\1" + bytes(16)),
        "refused": datagram + admission_message(9, key + b"\1\0\1" + key + b"\0\3abc" + bytes(64)),
        "cluster": datagram + admission_message(10, bytes(16) + key + key + bytes(6) + b"\3" + name + bytes(64)),
        "cluster-version": datagram + admission_message(10, bytes(16) + key + key, version=2),
        "type-unknown": datagram + admission_message(11, key),
        "list": proof + genesis + admit,
        "list-cut": proof + genesis + admit[:-1],
        "part": part + b"\0\1" + admit,
        "part-cut": part + b"\0\1" + admit[:-1],
        "content": welcome + admit + b"\1" + session + key + rest + b"\1" + source,
        "content-listed": welcome + b"\0\0" + b"\0" + rest + b"\0",
        "content-many": welcome + b"\0\0" + b"\3" + session + key,
    }


SEEDS = {
    "fuzz_address": address_seeds,
    "fuzz_admission": admission_seeds,
    "fuzz_dns": dns_seeds,
    "fuzz_dns_name": dns_name_seeds,
    "fuzz_dns_upstream": dns_upstream_seeds,
    "fuzz_dns_zone": dns_zone_seeds,
    "fuzz_envelope": envelope_seeds,
    "fuzz_ethernet_arp": arp_seeds,
    "fuzz_heartbeat": heartbeat_seeds,
    "fuzz_igmp_mld": group_query_seeds,
    "fuzz_ip": ip_seeds,
    "fuzz_nd": nd_seeds,
    "fuzz_pipeline": pipeline_seeds,
    "fuzz_udp_tcp": transport_seeds,
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    corpus = pathlib.Path(__file__).resolve().parent / "corpus"
    for target, seeds in SEEDS.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for key, content in seeds().items():
            (folder / key).write_bytes(content)


if __name__ == "__main__":
    main()
