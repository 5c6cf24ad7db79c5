"""An idle node sleeps; under a flood it polls."""


from qure_dev import frames
from qure_dev.waiting import watch
from support import GATEWAY_V4, SERVICE_V4, LabTest, Mixin, Request, until
from wire import flood

QUIET = 2  # busy rounds a second, at most: what a node publishes on the LAN is announced in its first seconds
WINDOW = 2.0  # seconds over which shares and rates are measured
CLIENT_MAC = "02:00:5e:00:53:01"


class LoadTests(Mixin):
    """Inherited once per port kind."""

    def measure(self) -> dict[str, float]:
        """Rates of the worker over the window, and "cpu", the process's share of a core."""
        process = self.node.recorded()
        before, cpu = self.worker(), process.cpu_seconds()
        seconds = watch(WINDOW)
        after, used = self.worker(), process.cpu_seconds() - cpu
        return {key: (after[key] - before[key]) / seconds for key in after} | {"cpu": used / seconds}

    def test_idle(self) -> None:
        self.node.wait_for(SERVICE_V4, state="held", verified=True)
        rates = self.measure()
        self.assertGreater(rates["sleep_seconds"], 0.9 * self.request.workers, "the workers are not asleep")

    def test_flood(self) -> None:
        mac = self.node.wait_for(SERVICE_V4, state="held")["mac"]
        idle = {}

        def quiet() -> bool:
            idle.update(self.measure())
            return idle["busy_rounds"] < QUIET

        until(quiet, 30, lambda: f"all is announced and the LAN is quiet: {idle}")
        ping = frames.ipv4(GATEWAY_V4, SERVICE_V4, 1, frames.echo_request(1, 1))
        with flood("gw", "gw0", frames.ethernet(mac, CLIENT_MAC, frames.IPV4, ping)):
            flooded = self.measure()
        self.assertGreater(flooded["busy_rounds"], 10 * idle["busy_rounds"] + 1000, (idle, flooded))
        # How long a core takes for a nap differs from machine to machine; what polling takes is the measure of it.
        self.assertLess(8 * idle["cpu"], flooded["cpu"], (idle, flooded))
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
