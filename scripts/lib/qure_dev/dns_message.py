"""DNS messages (RFC 1035 section 4), as far as the tests ask and compare them."""

import struct
from dataclasses import dataclass, field
from typing import Any

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35,
    "DS": 43, "SSHFP": 44, "HTTPS": 65, "CAA": 257, "TYPE731": 731,
}  # fmt: skip
OPT = 41
# Where names may be compressed: the bytes before them, and how many there are (RFC 3597 section 4).
_NAMES = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1)}
Record = tuple[bytes, int, int, bytes]  # name, type, TTL, rdata
FLAGS = {"QR": 0x8000, "AA": 0x0400, "TC": 0x0200, "RA": 0x0080}


def _labels(name: str) -> list[bytes]:
    """The labels of a name as zone files write it: \\. and \\DDD are one character each."""
    labels: list[bytes] = []
    label, rest = b"", name.removesuffix(".")
    while rest:
        if rest[0] == "\\" and rest[1].isdigit():
            label, rest = label + bytes([int(rest[1:4])]), rest[4:]
        elif rest[0] == "\\":
            label, rest = label + rest[1].encode(), rest[2:]
        elif rest[0] == ".":
            labels, label, rest = [*labels, label], b"", rest[1:]
        else:
            label, rest = label + rest[0].encode(), rest[1:]
    return [*labels, label] if label else labels


def query(name: str, kind: str = "A", identity: int = 0x5152, payload: int | None = 1232) -> bytes:
    """A question, with an OPT record that offers `payload` bytes if it is not None."""
    question = b"".join(bytes([len(label)]) + label for label in _labels(name)) + b"\0"
    header = struct.pack("!6H", identity, 0, 1, 0, 0, 0 if payload is None else 1)
    option = b"" if payload is None else struct.pack("!BHHIH", 0, OPT, payload, 0, 0)
    return header + question + struct.pack("!HH", TYPES[kind], 1) + option


@dataclass
class Message:
    """`answer` and the like: (name, type, TTL, rdata) with names in lower case and whole."""

    rcode: int
    flags: str
    answer: set[Record] = field(default_factory=set)
    authority: set[Record] = field(default_factory=set)
    additional: set[Record] = field(default_factory=set)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def name(self) -> bytes:
        labels, at, behind = [], self.at, None
        while self.data[at]:
            length = self.data[at]
            if length >= 0xC0:
                behind = at + 2 if behind is None else behind
                to = struct.unpack_from("!H", self.data, at)[0] & 0x3FFF
                if to >= at:
                    raise ValueError(f"a pointer at {at} leads to {to}")
                at = to
            else:
                labels.append(self.data[at + 1 : at + 1 + length].lower())
                at += 1 + length
        self.at = at + 1 if behind is None else behind
        return b".".join(label.replace(b".", b"\\.") for label in labels) + b"."

    def record(self) -> Record:
        name = self.name()
        kind, _, ttl, length = self.take("!HHIH")
        end = self.at + length
        prefix, names = _NAMES.get(kind, (0, 0))
        rdata = self.data[self.at : self.at + prefix]
        self.at += prefix
        for _ in range(names):
            rdata += self.name() + b" "
        rdata += self.data[self.at : end]
        if self.at > end:
            raise ValueError(f"the names of a record of type {kind} are longer than it")
        self.at = end
        return name, kind, ttl, rdata


def read(data: bytes) -> Message:
    """Raises ValueError, IndexError or struct.error for what is not a whole message."""
    reader = _Reader(data)
    _, flags, questions, *counts = reader.take("!6H")
    for _ in range(questions):
        reader.name()
        reader.take("!HH")
    sections = [{reader.record() for _ in range(count)} for count in counts]
    if reader.at != len(data):
        raise ValueError(f"{len(data) - reader.at} bytes behind the message")
    names = " ".join(name for name, bit in FLAGS.items() if flags & bit)
    return Message(flags & 0xF, names, *sections)
