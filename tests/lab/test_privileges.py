"""What an attacker who gets into a running qured would have: few of root's privileges, and few system calls."""

import re
import subprocess
from pathlib import Path

from qure_dev.lab import topology
from support import SERVICE_V4, LabTest, Mixin, Request

# Bits of capabilities(7).
CHOWN, SETUID, NET_ADMIN, SYS_MODULE, SYS_PTRACE, SYS_ADMIN = 0, 7, 12, 16, 19, 21


class FilterTests(Mixin):
    """Inherited once per kind of port."""

    def setUp(self) -> None:
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")

    def refused(self) -> list[str]:
        """What the kernel's log says of calls that the node's process was refused, if it can be read."""
        log = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=10, check=False).stdout
        mark = f" pid={self.node.recorded().pid} "
        return [line for line in log.splitlines() if "type=1326" in line and mark in line]

    def test_field_e13_each_thread_is_filtered(self) -> None:
        tasks = list(Path(f"/proc/{self.node.recorded().pid}/task").iterdir())
        self.assertGreater(len(tasks), 2)
        for task in tasks:
            status = (task / "status").read_text()
            self.assertRegex(status, r"Seccomp:\s+2")
            self.assertRegex(status, r"NoNewPrivs:\s+1")

    def test_field_e13_what_a_node_needs_is_not_refused(self) -> None:
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.dig("www.home.example", "A")
        self.dig("www.home.example", "A", "+tcp")
        self.assertIn("qure_role", self.curl(f"http://{topology.METRICS}/metrics", member="n1"))
        self.assertEqual(self.node.control("reload").returncode, 0)
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertTrue(self.node.recorded().stop(grace=10), "did not end after SIGTERM")
        self.assertNotIn("xdp", self.on_node("ip", "link", "show", "lan0").stdout, "its program is still there")
        self.assertEqual(self.refused(), [])


class PrivilegeTests(FilterTests):
    """Inherited once per kind of port that needs no more than the network."""

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

    def test_field_e13_workers_and_control_thread_go_before_others(self) -> None:
        priorities = {}
        for task in Path(f"/proc/{self.node.recorded().pid}/task").iterdir():
            fields = (task / "stat").read_text()
            priorities[int(task.name)] = int(fields.rpartition(")")[2].split()[16])  # nice, field 19 of proc(5)
        self.assertLess(priorities[self.node.recorded().pid], 0, "the control thread is the first")
        self.assertGreaterEqual(sum(nice == -20 for nice in priorities.values()), 2, priorities)

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


class AfXdp(FilterTests, LabTest):
    request = Request(port="af_xdp")


class Tap(PrivilegeTests, LabTest):
    request = Request(port="tap")
