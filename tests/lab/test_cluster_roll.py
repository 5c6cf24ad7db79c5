"""Who belongs to the cluster, by its signed records."""

import json
import re
import shutil
import time
from typing import Any

from cluster_support import ClusterTest
from support import until


class Roll(ClusterTest):
    def roll(self, name: str) -> Any:
        return json.loads(self.control(name, "--json", "cluster"))

    def agree(self, belong: set[str]) -> None:
        """Waits until all nodes say that just these belong to the cluster."""

        def known(name: str) -> bool:
            roll = self.roll(name)
            return {node["name"] for node in roll["nodes"]} == belong and not roll["outside"]

        until(lambda: all(known(name) for name in self.names), 10, f"{belong} belong to the cluster")

    def test_founded_kept_and_enrolled(self) -> None:
        self.assertIsNone(self.roll("n1")["cluster"])
        founded = json.loads(self.control("n1", "--json", "cluster", "found"))
        self.assertEqual(len(founded["recovery_code"].replace("-", "")), 28)
        self.agree({"n1", "n2", "n3"})
        rolls = [self.roll(name) for name in self.names]
        self.assertEqual({roll["cluster"] for roll in rolls}, {founded["cluster"]})
        self.assertEqual(len({roll["fingerprint"] for roll in rolls}), 3)
        self.assertNotIn("recovery_code", rolls[0])
        self.assertIn("founded already", self.control("n2", "cluster", "found", status=1))

        # Another machine under an old name: its key to the cluster is right, and still it shows.
        lost = self.lab.node("n3")
        lost.kill()
        shutil.rmtree(lost.directory / "data")
        lost.start()
        self.whole()
        until(lambda: [node["name"] for node in self.roll("n2")["outside"]] == ["n3"], 10, "n3 is outside")
        self.assertIn("n3 does not belong to the cluster", self.control("n2", "status"))
        self.control("n1", "cluster", "enrol")

        def enrolled(name: str) -> bool:
            roll = self.roll(name)
            # The machine that is gone is not expelled.
            return roll["cluster"] == founded["cluster"] and len(roll["nodes"]) == 4 and not roll["outside"]

        until(lambda: all(enrolled(name) for name in self.names), 10, "n3 belongs to the cluster")


class Adoption(ClusterTest):
    """n3 has no key, and gets it from the others."""

    def test_admitted_by_its_code(self) -> None:
        founded = json.loads(self.control("n1", "--json", "cluster", "found"))
        new = self.lab.node("n3")
        new.kill()
        shutil.rmtree(new.directory / "data")
        text = new.config_path.read_text()
        new.config_path.write_text(re.sub(r"^key = .*$", f'join = "{founded["cluster"]}"', text, flags=re.MULTILINE))
        self.addCleanup(new.config_path.write_text, text)
        new.start()
        code = json.loads(self.control("n3", "--json", "candidates"))["joining"]["code"]
        self.assertIn(f"qurectl admit {code}", self.control("n3", "status"))

        def heard() -> bool:
            return code in [row["code"] for row in json.loads(self.control("n2", "--json", "candidates"))["candidates"]]

        until(heard, 10, "n2 hears n3")
        self.whole("n1", "n2")
        self.assertEqual(len(json.loads(self.control("n1", "--json", "nodes"))["nodes"]), 3)  # the old n3 is down
        term = self.lab.node("n1").status()["term"]
        began = time.monotonic()
        self.control("n2", "admit", code.lower().replace("-", ""))
        self.whole(deadline=10)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotRegex(new.config_path.read_text(), "(?m)^key =")
        self.assertEqual(self.lab.node("n1").status()["term"], term, "the newcomer disturbs nobody")
        own = json.loads(self.control("n3", "--json", "cluster"))
        self.assertEqual((own["cluster"], len(own["nodes"])), (founded["cluster"], 4))  # it came with the key
