"""The zone that all servers serve, and the questions: those of tests/bench/bench_dns.cc, as files."""

import random
from pathlib import Path

APEX = "bench.example"
NAMES = 100_000
QUESTIONS = 200_000
AAAA_EACH, NO_AAAA = 4, 3  # the names whose number leaves 3 have no AAAA
EACH, MX, TXT = 5, 0, 1  # of five names one has an MX, another one a TXT


def _label(number: int, first: str = "n") -> str:
    return f"{first}{number:07}"


def write_zone(path: Path, serial: int = 1) -> None:
    lines = [
        f"$ORIGIN {APEX}.",
        "$TTL 300",
        f"@ SOA {_label(0)} {_label(0)} {serial} 3600 600 86400 300",
        f"@ NS {_label(0)}",
    ]
    for i in range(NAMES):
        name = _label(i)
        lines.append(f"{name} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
        if i % AAAA_EACH != NO_AAAA:
            lines.append(f"{name} AAAA 2001:db8::{i >> 16:x}:{i & 0xffff:x}")
        if i % EACH == MX:
            lines.append(f"{name} MX 10 {_label(0)}")
        if i % EACH == TXT:
            lines.append(f'{name} TXT "v=spf1"')
    path.write_text("\n".join(lines) + "\n")


def _question(pick: random.Random) -> tuple[str, str]:
    def one_of(each: int, remainder: int) -> str:
        return _label(pick.randrange(remainder, NAMES, each))

    roll = pick.randrange(100)
    if roll < 60:
        return _label(pick.randrange(NAMES)), "A"
    if roll < 80:
        return one_of(AAAA_EACH, pick.randrange(NO_AAAA)), "AAAA"
    if roll < 83:
        return one_of(EACH, MX), "MX"
    if roll < 85:
        return one_of(EACH, TXT), "TXT"
    if roll < 90:
        return one_of(AAAA_EACH, NO_AAAA), "AAAA"
    return _label(pick.randrange(NAMES), "x"), "A"


def write_questions(path: Path) -> None:
    """A line each, as dnsperf reads them."""
    pick = random.Random(1)
    lines = (f"{name}.{APEX} {kind}" for name, kind in (_question(pick) for _ in range(QUESTIONS)))
    path.write_text("\n".join(lines) + "\n")
