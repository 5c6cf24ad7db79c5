"""Every wall refuses the includes that it forbids."""

import re
import shutil

from planted import PlantedTest
from qure_dev.checks import rules
from qure_dev.checks.tree import cxx_files
from qure_dev.paths import ROOT

# One include of each kind that some wall forbids; and every header of ours.
SYSTEM = (
    "rte_mbuf.h", "sys/socket.h", "netinet/in.h", "net/if.h", "linux/if_packet.h", "unistd.h", "poll.h", "pthread.h",
    "time.h", "ctime", "chrono", "thread", "mutex", "random", "fstream", "iostream", "filesystem", "sqlite3.h",
)  # fmt: skip


def headers() -> list[str]:
    return [path for path in cxx_files() if path.endswith(".h") and not path.startswith("tests/")]


def forbidden(wall: tuple[str, str, str]) -> list[str]:
    return [name for name in (*SYSTEM, *headers()) if re.match(wall[1], name)]


class Walls(PlantedTest):
    def refused(self, path: str, include: str) -> bool:
        """Whether the check names this file and this include, and nothing else."""
        mark = "<>" if "/" not in include else '""'
        self.plant(path, f"#include {mark[0]}{include}{mark[1]}\n")
        problems = rules.walls(self.root)
        (self.root / path).unlink()
        for problem in problems:
            self.assertIn(path, problem)
            self.assertIn(include, problem)
        return bool(problems)

    def test_each_refuses_what_it_forbids(self) -> None:
        for wall in rules.WALLS:
            folder = wall[0] if wall[0].endswith("/") else f"{wall[0]}d/"
            includes = forbidden(wall)
            self.assertTrue(includes, f"{wall[0]}: nothing that exists is forbidden")
            # One of each folder and kind will do.
            for include in {re.split(r"[/_]", name)[0] + str(name.count("/")): name for name in includes}.values():
                with self.subTest(folder=folder, include=include):
                    self.assertTrue(self.refused(f"{folder}planted.h", include))
                    self.assertTrue(self.refused(f"{folder}deeper/planted.cc", include))

    def test_planted_in_a_copy_of_the_tree(self) -> None:
        for path in cxx_files():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.root / path)
        self.assertEqual(rules.walls(self.root), [])
        for wall in rules.WALLS:
            path = next(path for path in cxx_files() if path.startswith(wall[0]))
            text = (self.root / path).read_text()
            include = forbidden(wall)[0]
            with self.subTest(path=path, include=include):
                self.plant(path, f'#include "{include}"\n{text}')
                self.assertIn(f"{path}: includes {include}: {wall[2]}", rules.walls(self.root))
            self.plant(path, text)

    def test_the_planes_never_see_each_other(self) -> None:
        """Whatever the table looks like: proto is below both, and neither plane includes the other."""
        dataplane = next(name for name in headers() if name.startswith("dataplane/"))
        core = next(name for name in headers() if name.startswith("control/core/"))
        for path, include in (
            ("proto/planted.h", dataplane),
            ("proto/net/planted.h", core),
            ("dataplane/planted.cc", core),
            ("dataplane/pipeline/planted.cc", core),
            ("control/core/planted.cc", dataplane),
            ("control/core/cluster/planted.cc", "rte_mbuf.h"),
            ("control/names/planted.cc", dataplane),
            ("control/qurectl/planted.cc", "rte_mbuf.h"),
        ):
            with self.subTest(path=path, include=include):
                self.assertTrue(self.refused(path, include))

    def test_clocks_are_refused(self) -> None:
        for path in ("proto/planted.cc", "control/core/planted.cc"):
            self.plant(path, "auto now = absl::Now();\n")
            (problem,) = rules.walls(self.root)
            self.assertIn(f"{path}:1", problem)
            (self.root / path).unlink()
