"""An idle node sleeps; under a flood it polls."""


from qure_dev import frames
from qure_dev.waiting import watch
from support import GATEWAY_V4, SERVICE_V4, LabTest, Mixin, Request, until
from wire import flood

IDLE_SHARE = 0.05  # of a core
QUIET = 2  # busy rounds a second, at most: what a node publishes on the LAN is announced in its first seconds
WINDOW = 2.0  # seconds over which shares and rates are measured
CLIENT_MAC = "02:00:5e:00:53:01"


class LoadTests(Mixin):
    """Inherited once per port kind."""

    def measure(self) -> tuple[float, dict[str, float]]:
        """CPU share of the whole process and rates of the worker over the window."""
        process = self.node.recorded()
        before, cpu = self.worker(), process.cpu_seconds()
        seconds = watch(WINDOW)
        after, used = self.worker(), process.cpu_seconds() - cpu
        rates = {key: (after[key] - before[key]) / seconds for key in after}
        return used / seconds, rates

    def test_idle(self) -> None:
        self.node.wait_for(SERVICE_V4, state="held", verified=True)
        share, rates = self.measure()
        self.assertLess(share, IDLE_SHARE, rates)
        self.assertGreater(rates["sleep_seconds"], 0.9 * self.request.workers, "the workers are not asleep")

    def test_flood(self) -> None:
        mac = self.node.wait_for(SERVICE_V4, state="held")["mac"]
        idle = {}

        def quiet() -> bool:
            idle.update(self.measure()[1])
            return idle["busy_rounds"] < QUIET

        until(quiet, 30, lambda: f"all is announced and the LAN is quiet: {idle}")
        ping = frames.ipv4(GATEWAY_V4, SERVICE_V4, 1, frames.echo_request(1, 1))
        with flood("gw", "gw0", frames.ethernet(mac, CLIENT_MAC, frames.IPV4, ping)):
            _, flooded = self.measure()
        self.assertGreater(flooded["busy_rounds"], 10 * idle["busy_rounds"] + 1000, (idle, flooded))
        # Naps between bursts remain: the sender does not always run.
        self.assertLess(idle["rounds"], 5 * idle["sleeps"], idle)
        self.assertGreater(flooded["rounds"], 50 * flooded["sleeps"], flooded)
        self.assertIn(" 0% packet loss", self.gw("ping", "-c", "3", "-i", "0.05", "-W", "2", SERVICE_V4))


class AfPacket(LoadTests, LabTest):
    alone = True
    request = Request(port="af_packet")


class AfXdp(LoadTests, LabTest):
    alone = True
    request = Request(port="af_xdp")


class Tap(LoadTests, LabTest):
    alone = True
    request = Request(port="tap")
