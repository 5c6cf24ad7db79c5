"""The same zones, the same questions: QuRe, Knot and NSD say the same."""

import random
import tempfile
from pathlib import Path

from dns_servers import exchange, peers
from qure_dev import dns_message
from qure_dev.paths import ROOT
from support import QUICK, SERVICE_V4, LabTest, Request
from zones import Zone

QUESTIONS = 1_500 if QUICK else 12_000
SEED = 20_261


class Differential(LabTest):
    zones: list[Zone]
    files: dict[str, Path]

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-zones-")
        cls.addClassCleanup(directory.cleanup)
        cls.zones = [Zone(f"zone{i}.test", SEED + i) for i in range(4)]
        cls.files = {zone.apex: Path(directory.name) / f"{zone.apex}.zone" for zone in cls.zones}
        text = (ROOT / "docs/example.toml").read_text()
        for zone in cls.zones:
            cls.files[zone.apex].write_text(zone.text)
            text += f'\n[[cluster.zone]]\nname = "{zone.apex}"\nfile = "{cls.files[zone.apex]}"\n'
        config = Path(directory.name) / "qure.toml"
        config.write_text(text)
        cls.request = Request(config=str(config))
        super().setUpClass()

    def test_answers_are_those_of_knot_and_nsd(self) -> None:
        """Response code, flags, answer and authority section."""
        pick = random.Random(SEED)
        differences: list[str] = []
        seen: dict[str, int] = {}
        with peers(self.files) as servers:
            for _ in range(QUESTIONS):
                name, kind = pick.choice(self.zones).question(pick)
                query = dns_message.query(name, kind)
                ours = dns_message.read(exchange((SERVICE_V4, 53), query))
                outcome = f"rcode {ours.rcode} {ours.flags}"
                seen[outcome] = seen.get(outcome, 0) + 1
                for peer, server in servers.items():
                    theirs = dns_message.read(exchange(server, query))
                    for part in ("rcode", "flags", "answer", "authority"):
                        if getattr(ours, part) != getattr(theirs, part):
                            what = f"ours {getattr(ours, part)}, theirs {getattr(theirs, part)}"
                            differences.append(f"{peer}: {name} {kind}: {part}: {what}")
        self.assertEqual(differences, [], f"{len(differences)} differences in {QUESTIONS} questions, {seen}")
        self.assertGreater(min(seen.values()), QUESTIONS // 100, seen)
