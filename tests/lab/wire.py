"""The wire itself: capturing and injecting frames on an interface of any namespace."""

import contextlib
import ctypes
import multiprocessing
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Self

from qure_dev.frames import VLAN, Seen
from qure_dev.lab import netns, topology

_ETH_P_ALL = 0x0003
_PACKET_AUXDATA = 8
_SOL_PACKET = 263
_SO_RCVBUFFORCE = 33
_TP_STATUS_VLAN_VALID = 1 << 4
_PACKET_QDISC_BYPASS = 20
_PACKET_IGNORE_OUTGOING = 23
_BATCH = 64


def open_raw(member: str, interface: str) -> socket.socket:
    """A packet socket on an interface of a lab member."""
    raw = netns.open_socket(topology.namespace(member), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    raw.bind((interface, _ETH_P_ALL))
    return raw


class Capture:
    """Frames on an interface, from `with` to its end: `with Capture("sw", "sw-n1") as wire: …; wire.frames`.
    `received_only`: without those that the kernel sends there, which may be very many."""

    def __init__(self, member: str, interface: str, received_only: bool = False) -> None:
        self._raw = open_raw(member, interface)
        self._raw.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, int(received_only))
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._raw.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._raw.settimeout(0.1)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.frames: list[Seen] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._raw.close()

    def received(self) -> list[Seen]:
        """Frames that came over the wire: for a switch port, what the member at its other end sent."""
        return [frame for frame in self.frames if not frame.outgoing]

    def _read(self) -> None:
        while not self._done.is_set():
            try:
                raw, ancillary, _, address = self._raw.recvmsg(65535, 256)
            except TimeoutError:
                continue
            if len(raw) >= 14:
                self.frames.append(Seen(_with_tag(raw, ancillary), address[2] == socket.PACKET_OUTGOING))


def _with_tag(raw: bytes, ancillary: list[Any]) -> bytes:
    """The frame with the 802.1Q tag that the kernel took out of it (packet(7), PACKET_AUXDATA)."""
    for level, kind, value in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= 20:
            status, _, _, _, _, tag, _ = struct.unpack("=IIIHHHH", value[:20])
            if status & _TP_STATUS_VLAN_VALID:
                return raw[:12] + struct.pack("!HH", VLAN, tag) + raw[12:]
    return raw


def udp_socket(member: str, family: int, timeout: float = 1.0) -> socket.socket:
    """A UDP socket in the namespace of a lab member."""
    udp = netns.open_socket(topology.namespace(member), family, socket.SOCK_DGRAM)
    udp.settimeout(timeout)
    return udp


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    """struct mmsghdr of sendmmsg(2)."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iovec", ctypes.POINTER(_Iovec)),
        ("iovecs", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint32),
    ]


def _send_for_ever(member: str, interface: str, frame: bytes) -> None:
    raw = open_raw(member, interface)
    raw.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
    iovec = _Iovec(frame, len(frame))
    batch = (_Message * _BATCH)(*[_Message(iovec=ctypes.pointer(iovec), iovecs=1) for _ in range(_BATCH)])
    send = ctypes.CDLL(None).sendmmsg
    while True:
        send(raw.fileno(), batch, _BATCH, 0)


@contextlib.contextmanager
def flood(member: str, interface: str, frame: bytes) -> Iterator[None]:
    """The same frame as often as one process can send it, meanwhile."""
    sender = multiprocessing.get_context("fork").Process(
        target=_send_for_ever, args=(member, interface, frame), daemon=True
    )
    sender.start()
    try:
        yield
    finally:
        sender.kill()
        sender.join()
