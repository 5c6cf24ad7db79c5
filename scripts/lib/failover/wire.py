"""What the capture at the switch proves: who spoke for the service address, and when."""


def answered_twice(frames):
    """How many echo requests were answered by more than one member."""
    answers = {}
    for frame in frames:
        reply = _echo_reply(frame.raw)
        if reply:
            answers.setdefault(reply, set()).add(frame.member)
    return sum(len(members) > 1 for members in answers.values())


def _echo_reply(raw):
    """What tells one ICMP echo reply from another (destination, identifier and what the probe put in), or None."""
    if raw[12:14] != b"\x08\x00" or len(raw) < 42 or raw[23] != 1:
        return None
    header = 14 + (raw[14] & 0x0F) * 4
    if raw[header] != 0:
        return None
    return raw[30:34] + raw[header + 4 :]


def sent_since(frames, member, time_ns):
    """Frames that a member has sent since then."""
    return sum(frame.member == member and frame.time_ns >= time_ns for frame in frames)


def sent_after_successor(frames, old):
    """Frames that `old` sent after the first frame of any other member."""
    first = next((frame.time_ns for frame in frames if frame.member != old), None)
    return 0 if first is None else sent_since(frames, old, first)
