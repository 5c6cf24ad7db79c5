"""Frames by source MAC and switch port, kept by the kernel until they are wanted: no program runs while it measures."""

import ctypes
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from qure_dev.lab import netns, topology

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_BUFFER = 512 << 20  # ten thousand frames a second for half a minute
_KEPT = 256  # bytes of a frame

# Classic BPF (linux/filter.h): load word, load half word, jump if equal, return.
_LD_W, _LD_H, _JEQ, _RET = 0x20, 0x28, 0x15, 0x06


@dataclass(frozen=True)
class Frame:
    member: str  # who sent it
    time_ns: int  # CLOCK_REALTIME, by the kernel
    raw: bytes


def _source_filter(macs: Iterable[str]) -> bytes:
    """BPF that keeps frames from any of these source MACs."""
    code = []
    for mac in macs:
        high, low = struct.unpack("!IH", bytes.fromhex(mac.replace(":", "")))
        code += [(_LD_W, 0, 0, 6), (_JEQ, 0, 3, high), (_LD_H, 0, 0, 10), (_JEQ, 0, 1, low), (_RET, 0, 0, 0x40000)]
    return b"".join(struct.pack("HBBI", *step) for step in [*code, (_RET, 0, 0, 0)])


class Sources:
    """Frames that the members sent from the MACs, from `with` on: `with Sources(["n1"], macs) as wire: wire.take()`."""

    def __init__(self, members: Iterable[str], macs: Iterable[str]) -> None:
        self._members = members
        self._filter = _source_filter(macs)
        self._sockets: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        for member in self._members:
            self._sockets[member] = self._open(topology.switch_port(member))
        return self

    def __exit__(self, *_: object) -> None:
        for raw in self._sockets.values():
            raw.close()

    def _open(self, port: str) -> socket.socket:
        raw = netns.open_socket(topology.switch(), socket.AF_PACKET, socket.SOCK_RAW, 0)
        code = ctypes.create_string_buffer(self._filter)
        program = struct.pack("HL", len(self._filter) // 8, ctypes.addressof(code))
        raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        raw.setblocking(False)
        raw.bind((port, _ETH_P_ALL))
        return raw

    def take(self) -> list[Frame]:
        """All frames until this moment, by time. RuntimeError if the kernel had to drop some."""
        frames: list[Frame] = []
        for member, raw in self._sockets.items():
            frames += self._read(member, raw)
            _, dropped = struct.unpack("II", raw.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
            if dropped:
                raise RuntimeError(f"the capture on {topology.switch_port(member)} lost {dropped} frames")
        return sorted(frames, key=lambda frame: frame.time_ns)

    @staticmethod
    def _read(member: str, raw: socket.socket) -> Iterator[Frame]:
        while True:
            try:
                data, ancillary, _, address = raw.recvmsg(_KEPT, 64)
            except BlockingIOError:
                return
            if address[2] == socket.PACKET_OUTGOING:  # the switch sent it to the member
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            yield Frame(member, seconds * 1_000_000_000 + nanoseconds, data)
