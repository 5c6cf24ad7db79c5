"""What the capture at the switch proves: who spoke for the service address, and when."""

from collections.abc import Iterable, Sequence

from qure_dev.failover.figures import Stray
from qure_dev.lab.capture import Frame


def answered_twice(frames: Iterable[Frame]) -> int:
    """How many echo requests were answered by more than one member."""
    answers: dict[bytes, set[str]] = {}
    for frame in frames:
        reply = _echo_reply(frame.raw)
        if reply:
            answers.setdefault(reply, set()).add(frame.member)
    return sum(len(members) > 1 for members in answers.values())


def _echo_reply(raw: bytes) -> bytes | None:
    """What tells one ICMP echo reply from another (destination, identifier and what the probe put in), or None."""
    if raw[12:14] != b"\x08\x00" or len(raw) < 42 or raw[23] != 1:
        return None
    header = 14 + (raw[14] & 0x0F) * 4
    if raw[header] != 0:
        return None
    return raw[30:34] + raw[header + 4 :]


def kind(raw: bytes) -> str:
    """What a frame from a service MAC is."""
    ethertype = raw[12:14].hex()
    if ethertype == "0806":
        return {1: "ARP request", 2: "ARP reply"}.get(raw[21], "ARP")
    return "echo reply" if _echo_reply(raw) else f"ethertype {ethertype}"


def sent_since(frames: Iterable[Frame], member: str, time_ns: int) -> Stray:
    """What a member has sent since then, frame by frame: when (seconds since then) and of which kind."""
    return tuple(
        (round((frame.time_ns - time_ns) / 1e9, 6), kind(frame.raw))
        for frame in frames
        if frame.member == member and frame.time_ns >= time_ns
    )


def sent_after_successor(frames: Sequence[Frame], old: str) -> Stray:
    """What `old` sent after the first frame of any other member."""
    first = next((frame.time_ns for frame in frames if frame.member != old), None)
    return () if first is None else sent_since(frames, old, first)
