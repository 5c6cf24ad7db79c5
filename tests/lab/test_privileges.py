"""What an attacker who gets into a running qured would have: few of root's privileges."""

import re
from pathlib import Path

from support import SERVICE_V4, LabTest, Mixin, Request

# Bits of capabilities(7).
CHOWN, SETUID, NET_ADMIN, SYS_MODULE, SYS_PTRACE, SYS_ADMIN = 0, 7, 12, 16, 19, 21


class PrivilegeTests(Mixin):
    """Inherited once per kind of port."""

    def setUp(self) -> None:
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")

    def test_field_e13_each_thread_keeps_what_it_needs(self) -> None:
        tasks = list(Path(f"/proc/{self.node.recorded().pid}/task").iterdir())
        self.assertGreater(len(tasks), 2)
        for task in tasks:
            status = (task / "status").read_text()
            self.assertRegex(status, r"NoNewPrivs:\s+1")
            for line in ("CapEff", "CapPrm"):
                found = re.search(rf"{line}:\s+([0-9a-f]+)", status)
                assert found is not None
                held = {bit for bit in range(64) if int(found.group(1), 16) >> bit & 1}
                self.assertIn(NET_ADMIN, held)
                self.assertFalse(held & {CHOWN, SETUID, SYS_MODULE, SYS_PTRACE, SYS_ADMIN}, status)

    def test_field_e13_it_reloads_and_stops(self) -> None:
        self.assertEqual(self.node.control("reload").returncode, 0)
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.assertTrue(self.node.recorded().stop(grace=10), "did not end after SIGTERM")
        self.assertNotIn("qure0", self.on_node("ip", "-br", "link").stdout)


class Dedicated(PrivilegeTests, LabTest):
    request = Request(mode="dedicated")


class Shared(PrivilegeTests, LabTest):
    request = Request(mode="shared")


class Tap(PrivilegeTests, LabTest):
    request = Request(port="tap")
