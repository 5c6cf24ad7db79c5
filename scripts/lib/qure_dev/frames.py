"""Frames built and read byte by byte, independent of the code under test."""

import ipaddress
import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
REQUEST, REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination: str, source: str, ethertype: int, payload: bytes, vlan: int | None = None) -> bytes:
    tag = struct.pack("!HH", VLAN, vlan) if vlan else b""
    return (mac_bytes(destination) + mac_bytes(source) + tag + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def arp(
    operation: int,
    sender_mac: str,
    sender_ip: str,
    target_ip: str,
    target_mac: str = "00:00:00:00:00:00",
    destination: str = BROADCAST,
    vlan: int | None = None,
) -> bytes:
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac_bytes(sender_mac) + socket.inet_aton(sender_ip)
    return ethernet(destination, sender_mac, ARP, body + mac_bytes(target_mac) + socket.inet_aton(target_ip), vlan)


def ipv4(
    source: str, destination: str, protocol: int, payload: bytes, identification: int = 0, fragment: int = 0,
    options: bytes = b"",
) -> bytes:  # fmt: skip
    """`fragment`: flags and offset, as they stand in the header."""
    words = 5 + len(options) // 4
    total = 4 * words + len(payload)
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, identification, fragment, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def echo_request(identifier: int, sequence: int, data: bytes = b"QuRe") -> bytes:
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence)
    return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def ipv6(source: str, destination: str, next_header: int, payload: bytes, hop_limit: int = 64) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), next_header, hop_limit)
    return head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination) + payload


def icmp6(source: str, destination: str, kind: int, body: bytes, code: int = 0) -> bytes:
    """An ICMPv6 message with its checksum over the pseudo-header (RFC 8200 section 8.1)."""
    head = struct.pack("!BBH", kind, code, 0)
    pseudo = (
        ipaddress.IPv6Address(source).packed
        + ipaddress.IPv6Address(destination).packed
        + struct.pack("!II", len(head + body), 58)
    )
    return head[:2] + struct.pack("!H", checksum(pseudo + head + body)) + body


def advertisement(mac: str, address: str, destination: str = "ff02::1") -> bytes:
    """An unsolicited neighbor advertisement with override (RFC 4861 section 4.4)."""
    body = struct.pack("!I", 0x20000000) + ipaddress.IPv6Address(address).packed + b"\x02\x01" + mac_bytes(mac)
    return ethernet(
        "33:33:00:00:00:01",
        mac,
        IPV6,
        ipv6(address, destination, 58, icmp6(address, destination, ADVERTISEMENT, body), 255),
    )


def _transport(source: str, destination: str, protocol: int, head: bytes, data: bytes, checksum_at: int) -> bytes:
    """`head` and `data` with the checksum over the IPv4 pseudo-header (RFC 9293 section 3.1, RFC 768)."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination)
    pseudo += struct.pack("!BBH", 0, protocol, len(head) + len(data))
    total = checksum(pseudo + head + data) or 0xFFFF
    return head[:checksum_at] + struct.pack("!H", total) + head[checksum_at + 2 :] + data


def udp(source: str, destination: str, ports: tuple[int, int], data: bytes) -> bytes:
    """An IPv4 packet with a UDP datagram; `ports`: source and destination."""
    head = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    return ipv4(source, destination, 17, _transport(source, destination, 17, head, data, 6))


def tcp(
    source: str, destination: str, ports: tuple[int, int], flags: int, sequence: int = 0, data: bytes = b""
) -> bytes:
    """An IPv4 packet with a TCP segment; `ports`: source and destination, `flags`: FIN 1, SYN 2, RST 4, ACK 16."""
    head = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 5 << 4, flags, 65535, 0, 0)
    return ipv4(source, destination, 6, _transport(source, destination, 6, head, data, 16))


class Seen:
    """A captured frame, read as far as the tests ask."""

    def __init__(self, raw: bytes, outgoing: bool) -> None:
        self.raw = raw
        self.outgoing = outgoing  # sent by the kernel that captured it, not received from the wire
        self.destination = mac_text(raw[0:6])
        self.source = mac_text(raw[6:12])
        self.vlan = None
        offset = 12
        (self.ethertype,) = struct.unpack_from("!H", raw, offset)
        if self.ethertype == VLAN and len(raw) >= 18:
            tag, self.ethertype = struct.unpack_from("!HH", raw, offset + 2)
            self.vlan = tag & 0xFFF
            offset += 4
        self.payload = raw[offset + 2 :]

    @property
    def is_arp(self) -> bool:
        return self.ethertype == ARP and len(self.payload) >= 28

    @property
    def arp_operation(self) -> int:
        return struct.unpack_from("!H", self.payload, 6)[0]

    @property
    def arp_sender(self) -> tuple[str, str]:
        """(MAC, IP) that the ARP packet claims for its sender."""
        return mac_text(self.payload[8:14]), socket.inet_ntoa(self.payload[14:18])

    @property
    def arp_target(self) -> str:
        return socket.inet_ntoa(self.payload[24:28])

    @property
    def nd_type(self) -> int | None:
        """135 or 136 for neighbor discovery without extension headers, else None."""
        if (
            self.ethertype == IPV6
            and len(self.payload) >= 64
            and self.payload[6] == 58
            and self.payload[40] in (SOLICITATION, ADVERTISEMENT)
        ):
            return self.payload[40]
        return None

    @property
    def ipv6_source(self) -> str:
        return str(ipaddress.IPv6Address(self.payload[8:24]))

    @property
    def nd_target(self) -> str:
        return str(ipaddress.IPv6Address(self.payload[48:64]))

    def __repr__(self) -> str:
        return f"{self.source} > {self.destination} {self.ethertype:#06x} {self.payload[:64].hex()}"
