"""What happens to the node: killed, stopped, paused, cut off."""

import signal
import time
from collections.abc import Callable

from support import SERVICE_V4, SERVICE_V6, LabTest, Mixin, Request, until


class RestartTests(Mixin):
    """Inherited once per mode."""

    def setUp(self) -> None:
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")
        self.node.wait_for(SERVICE_V6, state="held")

    def assert_serving(self) -> None:
        self.node.wait_for(SERVICE_V4, state="held")
        self.node.wait_for(SERVICE_V6, state="held")
        self.assertIn(" 0% packet loss", self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4))
        self.assertIn(" 0% packet loss", self.gw("ping", "-6", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V6))
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.assertEqual(self.curl(f"http://[{SERVICE_V6}]/"), "n1\n")

    def test_killed(self) -> None:
        """SIGKILL and start, thrice: nothing left over blocks it, nothing piles up."""
        for _ in range(3):
            self.node.kill()
            started = time.monotonic()
            self.node.start()
            self.assert_serving()
            self.assertLess(time.monotonic() - started, 15)
        for family, address in (("-4", SERVICE_V4), ("-6", SERVICE_V6)):
            rules = self.on_node("ip", family, "rule").stdout
            self.assertEqual(rules.count(f"from {address} "), 1, rules)
        self.assertNotEqual(self.node.status()["age"], 1)

    def test_stopped_cleanly(self) -> None:
        process = self.node.recorded()
        self.assertTrue(process.stop(grace=10), "did not end after SIGTERM")
        self.assertNotIn("qure0", self.on_node("ip", "-br", "link").stdout)
        for family in ("-4", "-6"):
            self.assertNotIn("5351", self.on_node("ip", family, "rule").stdout)
        self.assertFalse(self.node.socket.exists())
        self.node.start()
        self.assert_serving()

    def test_paused(self) -> None:
        """A node that stood still notices, listens, and serves again."""
        stalls = self.worker()["stalls"]
        self.node.pause()
        self.assertEqual(
            self.lost(self.lab.execute("gw", "ping", "-c", "4", "-i", "0.2", "-W", "1", SERVICE_V4).stdout), 4
        )
        self.node.resume()
        until(lambda: self.worker()["stalls"] > stalls, 5, "the stall is noticed")
        until(
            lambda: self.lab.execute("gw", "ping", "-c", "1", "-W", "1", SERVICE_V4).returncode == 0,
            5,
            "it answers again",
        )
        self.assert_serving()

    def test_cut_off(self) -> None:
        """The switch forwards nothing; then the cable is pulled, and the carrier goes too."""
        self.check_back(self.node.cut, self.node.heal)
        self.check_back(self.node.unplug, self.node.plug)

    def check_back(self, away: Callable[[], None], back: Callable[[], None]) -> None:
        away()
        self.assertEqual(
            self.lost(self.lab.execute("gw", "ping", "-c", "3", "-i", "0.2", "-W", "1", SERVICE_V4).stdout), 3
        )
        back()
        until(
            lambda: self.lab.execute("gw", "ping", "-c", "1", "-W", "1", SERVICE_V4).returncode == 0,
            10,
            "it answers again",
        )
        self.assert_serving()

    def test_second_instance_is_refused(self) -> None:
        """A second qured on the same control socket and data must not disturb the first."""
        pid = self.node.recorded().pid
        done = self.on_node(*self.node.program(), timeout=20)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.node.recorded().pid, pid)
        self.assert_serving()

    def test_hang_up_is_a_reload_not_an_end(self) -> None:
        self.node.recorded().signal(signal.SIGHUP)
        self.assert_serving()


class Dedicated(RestartTests, LabTest):
    request = Request(mode="dedicated")


class Shared(RestartTests, LabTest):
    request = Request(mode="shared")


class AfXdp(RestartTests, LabTest):
    request = Request(port="af_xdp")


class Tap(RestartTests, LabTest):
    request = Request(port="tap")
