"""Zones and questions made up by chance: what zone files have, in every combination that matters to a lookup."""

import random

_LABELS = ("a", "b", "www", "mail", "x-1", "UPPER", "deep", "_tcp", "l" * 63, "d\\.ot", "sp\\032ace")
_QUERY_TYPES = ("A", "AAAA", "TXT", "MX", "NS", "SOA", "CNAME", "SRV", "CAA", "PTR", "DS", "TYPE731", "HTTPS")


class Zone:
    """One zone: the lines of its file, the names in it, and names beside them."""

    def __init__(self, apex: str, seed: int, names: int = 220) -> None:
        self.apex = apex
        self._random = random.Random(seed)
        self.names: list[str] = []
        self._cuts: list[str] = []
        self._lines = [
            f"$ORIGIN {apex}.",
            "$TTL 300",
            f"@ 3600 SOA ns1 hostmaster {seed} 3600 600 86400 {self._random.choice((5, 60, 7200))}",
            "@ NS ns1",
            "@ NS ns.elsewhere.test.",
            "ns1 A 198.51.100.50",
            "ns1 AAAA 2001:db8:2::50",
            "@ MX 10 mail.many",
            "mail.many A 192.0.2.25",
            '@ CAA 0 issue "ca.example"',
        ]
        for _ in range(names):
            self._add_name()
        self._add_ring()

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def _label(self) -> str:
        return self._random.choice(_LABELS) if self._random.random() < 0.4 else f"n{self._random.randrange(60)}"

    def _below(self, name: str) -> bool:
        return any(name.lower() == cut or name.lower().endswith("." + cut) for cut in self._cuts)

    def _add_name(self) -> None:
        pick = self._random
        parts = [self._label() for _ in range(pick.choice((1, 1, 2, 2, 3, 4)))]
        if pick.random() < 0.15:
            parts[0] = "*"
        name = ".".join(parts)
        taken = {known.lower() for known in self.names}
        if name.lower() in taken or self._below(name) or len(name) > 150:
            return
        self.names.append(name)
        kind = pick.random()
        if kind < 0.25:
            self._lines.append(f"{name} {pick.randrange(1000)} CNAME {self._target()}")
        elif kind < 0.35 and "*" not in name and not any(other.endswith("." + name.lower()) for other in taken):
            self._add_cut(name)
        else:
            self._lines.extend(f"{name} {rest}" for rest in self._records())

    def _add_cut(self, name: str) -> None:
        self._cuts.append(name.lower())
        self._lines.append(f"{name} NS ns.{name}")
        self._lines.append(f"ns.{name} A 192.0.2.{self._random.randrange(1, 255)}")
        if self._random.random() < 0.5:
            self._lines.append(f"{name} NS ns1")
        if self._random.random() < 0.5:
            self._lines.append(f"{name} NS far.elsewhere.test.")
        if self._random.random() < 0.3:
            self._lines.append(f"{name} DS 12345 13 2 " + "ab" * 32)

    def _target(self) -> str:
        """Mostly a name that exists, also through a wildcard or a delegation, sometimes none, or another's."""
        kind = self._random.random()
        if kind < 0.6 and self.names:
            name = self._random.choice(self.names)
            return name.replace("*", "through.it", 1) if name.startswith("*") else name
        if kind < 0.75 and self._cuts:
            return "host." + self._random.choice(self._cuts)
        if kind < 0.9:
            return f"{self._label()}.{self._label()}"
        return "www.elsewhere.test."

    def _records(self) -> list[str]:
        pick = self._random
        number = pick.randrange(1, 255)
        choices = (
            [f"A 192.0.2.{number}"],
            [f"A 192.0.2.{number}", f"A 198.51.100.{number}", f"AAAA 2001:db8::{number:x}"],
            [f'{pick.randrange(1000)} TXT "text {number}"', 'TXT one "two three"'],
            [f"MX {number} {self._target()}", "MX 5 mail.many"],
            [f"SRV 0 {number} 443 {self._target()}"],
            [f"PTR {self._target()}"],
            [f"TYPE731 \\# 3 0102{number:02x}"],
            [f'CAA 0 issue "ca{number}.example"', "SSHFP 4 2 " + "cd" * 32],
            [f'NAPTR 10 {number} "s" "SIP+D2U" "" _sip._udp'],
        )
        # No TTL of its own within a set differs from the others': that is a fault of the zone (RFC 2181 section 5.2).
        return [line.partition(" ")[2] if line[0].isdigit() else line for line in pick.choice(choices)]

    def _add_ring(self) -> None:
        self._lines += ["ring1 CNAME ring2", "ring2 CNAME ring3", "ring3 CNAME ring1", "self CNAME self"]
        self.names += ["ring1", "self"]

    def question(self, pick: random.Random) -> tuple[str, str]:
        """A name and a type: a name of the zone, one above, below or beside it, in any case."""
        kind = pick.random()
        name = pick.choice(self.names) if kind < 0.9 else ""
        if name.startswith("*") and pick.random() < 0.7:
            name = name.replace("*", pick.choice(("q", "q.w", "*.e", "n1")), 1)
        if kind < 0.2:
            name = f"{pick.choice(('q', '*', 'www', 'ns', 'n7'))}.{name}"
        elif kind < 0.3:
            name = name.partition(".")[2]
        elif kind < 0.4:
            name = f"{pick.choice(_LABELS)}.n{pick.randrange(60)}"
        full = f"{name}.{self.apex}." if name else f"{self.apex}."
        if pick.random() < 0.2:
            full = "".join(c.upper() if pick.random() < 0.5 else c for c in full)
        return full, pick.choice(_QUERY_TYPES)
