"""Garbage on the wire: random, truncated, altered, fuzz corpus. Nothing crashes, nothing answers, service goes on."""

import ipaddress
import random
import struct
import time
from pathlib import Path

from qure_dev import dns_message, frames
from support import QUICK, SERVICE_V4, SERVICE_V6, LabTest, Mixin, Request, until
from wire import Capture, open_raw

SECONDS = 3 if QUICK else 60
BURST = 64
CORPUS = Path(__file__).resolve().parents[1] / "fuzz/corpus"
CLIENT = "02:00:5e:00:53:10"  # source of all that must stay unanswered
ALTERED = "06:a1:b2:c3:d4:e5"  # source of what may by chance still be a sound request
NODE = "02:00:00:00:00:01"
# Addresses of those who send it: no few altered bytes make them the gateway's or the service's.
CLIENT_V4 = "203.0.113.77"
CLIENT_V6 = "2001:db8:fade:4712:89ab:cdef:abcd:77"
RETRY = 25  # seconds: well above the time after which an address that was yielded is probed again
# What these frames must be counted as, among others.
REASONS = (
    "arp_truncated",
    "arp_malformed",
    "ip4_truncated",
    "ip4_version",
    "ip4_total_length",
    "ip4_header_length",
    "ip4_checksum",
    "ip6_truncated",
    "ip6_version",
    "ip6_payload_length",
    "other_mac",
)


def requests(mac4: str, mac6: str, source: str) -> list[bytes]:
    """Sound requests of every kind that is answered, without padding."""
    echo = frames.ipv4(CLIENT_V4, SERVICE_V4, 1, frames.echo_request(7, 7))
    query = dns_message.query("www.home.example", payload=None)
    datagram = struct.pack("!HHHH", 5000, 53, 8 + len(query), 0) + query
    target = ipaddress.IPv6Address(SERVICE_V6).packed
    solicitation = frames.icmp6(
        CLIENT_V6, SERVICE_V6, frames.SOLICITATION, bytes(4) + target + b"\x01\x01" + frames.mac_bytes(source)
    )
    return [
        frames.arp(frames.REQUEST, source, CLIENT_V4, SERVICE_V4)[:42],
        frames.ethernet(mac4, source, frames.IPV4, b"")[:14] + echo,
        frames.ethernet(mac4, source, frames.IPV4, b"")[:14] + frames.ipv4(CLIENT_V4, SERVICE_V4, 17, datagram),
        frames.ethernet(mac6, source, frames.IPV6, b"")[:14]
        + frames.ipv6(CLIENT_V6, SERVICE_V6, 58, solicitation, 255),
        frames.ethernet(mac6, source, frames.IPV6, b"")[:14]
        + frames.ipv6(CLIENT_V6, SERVICE_V6, 58, frames.icmp6(CLIENT_V6, SERVICE_V6, 128, b"\0\7\0\7data")),
    ]


class Garbage:
    """An endless, reproducible supply."""

    def __init__(self, seed: int, mac4: str, mac6: str) -> None:
        self._random = random.Random(seed)
        self._macs = (mac4, mac6, frames.BROADCAST, "33:33:ff:00:00:50", NODE)
        self._truncated = [
            request[:length] for request in requests(mac4, mac6, CLIENT) for length in range(14, len(request))
        ]
        self._sound = requests(mac4, mac6, ALTERED)
        self._corpus = [path.read_bytes()[:1514] for path in sorted(CORPUS.glob("*/*"))]
        self._makers = (self.noise, self.headed_noise, self.truncated, self.altered) + (
            (self.from_corpus,) if self._corpus else ()
        )

    def frame(self) -> bytes:
        return self._random.choice(self._makers)()

    def _head(self, ethertype: int) -> bytes:
        return (
            frames.mac_bytes(self._random.choice(self._macs)) + frames.mac_bytes(CLIENT) + struct.pack("!H", ethertype)
        )

    def noise(self) -> bytes:
        return self._random.randbytes(self._random.randint(14, 1514))

    def headed_noise(self) -> bytes:
        """A true Ethernet header, then anything."""
        kind = self._random.choice((frames.ARP, frames.IPV4, frames.IPV6, frames.VLAN, self._random.getrandbits(16)))
        return self._head(kind) + self._random.randbytes(self._random.choice((0, 1, 19, 20, 27, 28, 40, 64, 1000)))

    def truncated(self) -> bytes:
        return self._random.choice(self._truncated)

    def altered(self) -> bytes:
        """A sound request with some bytes changed."""
        frame = bytearray(self._random.choice(self._sound))
        for _ in range(self._random.randint(1, 4)):
            frame[self._random.randrange(12, len(frame))] = self._random.getrandbits(8)
        return bytes(frame)

    def from_corpus(self) -> bytes:
        """A fuzzer's input: a whole frame, or what stands behind an Ethernet header."""
        data = self._random.choice(self._corpus)
        whole = len(data) >= 14 and self._random.random() < 0.5
        return (
            frames.mac_bytes(self._macs[0]) + frames.mac_bytes(ALTERED) + data[12:]
            if whole
            else (
                frames.mac_bytes(self._macs[0])
                + frames.mac_bytes(ALTERED)
                + struct.pack("!H", frames.IPV4)
                + data[:1500]
            )
        )


class GarbageTests(Mixin):
    """Inherited once per port kind."""

    seed: int

    def assert_serving(self) -> None:
        """The corpus holds sound ARP and ND too: what the kernels believe is forgotten, what was yielded returns."""
        self.forget_neighbors()
        self.on_node("ip", "neigh", "flush", "all")
        self.node.wait_for(SERVICE_V4, deadline=RETRY, state="held")
        self.node.wait_for(SERVICE_V6, deadline=RETRY, state="held")
        self.flood(500, SERVICE_V4)
        self.flood(500, "-6", SERVICE_V6)
        self.assertEqual(self.dig("+short", "www.home.example", "A"), f"{SERVICE_V4}\n")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")

    def test_garbage(self) -> None:
        mac4 = self.node.wait_for(SERVICE_V4, state="held", verified=True)["mac"]
        mac6 = self.node.wait_for(SERVICE_V6, state="held", verified=True)["mac"]
        pid, before, mbufs = self.node.recorded().pid, self.counters(), self.node.query("counters")["mbufs_in_use"]
        garbage, raw = Garbage(self.seed, mac4, mac6), open_raw("gw", "gw0")
        self.addCleanup(raw.close)
        end, sent = time.monotonic() + SECONDS, 0
        with Capture("gw", "gw0") as wire:
            while time.monotonic() < end:
                for _ in range(BURST):
                    raw.send(garbage.frame())
                sent += BURST
                wire.frames = [frame for frame in wire.frames if not frame.outgoing]
            self.assert_serving()
        answered = [frame for frame in wire.received() if frame.destination == CLIENT]
        self.assertEqual(answered, [], f"answers to garbage, seed {self.seed}")
        self.assertTrue(self.node.running(), f"seed {self.seed}")
        self.assertEqual(self.node.recorded().pid, pid)
        after = self.counters()
        silent = [reason for reason in REASONS if after[reason] == before[reason]]
        self.assertEqual(silent, [], f"not counted in {sent} frames, seed {self.seed}")
        until(lambda: self.node.query("counters")["mbufs_in_use"] <= mbufs + 64, 5, "the packet buffers come back")


class AfPacket(GarbageTests, LabTest):
    alone = True
    request = Request(port="af_packet")
    seed = 1


class AfXdp(GarbageTests, LabTest):
    alone = True
    request = Request(port="af_xdp")
    seed = 2
