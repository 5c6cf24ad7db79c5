"""The peer: Debian's keepalived on the same switch, under the same client. VRRPv3 at its least interval, no preemption.

keepalived leaves its address in the kernel, which goes on answering, when it is killed or stopped; a machine that died
or stands still would not. So its node is cut off at the switch for kill, pause and cut."""

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

from qure_dev.failover.faults import WATCHED
from qure_dev.failover.figures import Run
from qure_dev.failover.probe import Probe
from qure_dev.lab import netns, topology
from qure_dev.lab.lab import Lab, add_host, make_state
from qure_dev.lab.topology import SERVICE_V4
from qure_dev.process import Process, spawn
from qure_dev.waiting import until, watch

NAME = "keepalived"
FAULTS = ("kill", "pause", "cut", "graceful")
STEADY = (0.3, 0.6)
# The greatest priorities that are not the address owner's: the skew times are the least (RFC 5798 section 6.1). Two
# backups then wait equally long and now and then both take over; that is measured as it is.
BEST_PRIORITY = 254

CONFIG = """\
global_defs {{
  router_id {name}
}}
vrrp_instance qure {{
  version 3
  state BACKUP
  nopreempt
  interface lan0
  virtual_router_id 51
  priority {priority}
  advert_int 0.01
  virtual_ipaddress {{
    {address}/24 dev lan0
  }}
}}
"""


class Router:
    """One machine with keepalived."""

    def __init__(self, index: int) -> None:
        self.name = topology.node_name(index)
        self._index = index
        self._namespace = topology.namespace(self.name)
        self._directory = topology.state() / self.name

    def create(self) -> None:
        self._directory.mkdir(parents=True)
        config = CONFIG.format(name=self.name, priority=BEST_PRIORITY + 1 - self._index, address=SERVICE_V4)
        (self._directory / "keepalived.conf").write_text(config)
        add_host(self.name, "lan0", *topology.node_addresses(self._index))

    def start(self) -> None:
        here = self._directory
        files = ("-f", here / "keepalived.conf", "-p", here / "keepalived.run", "-r", here / "vrrp.run")
        argv = ["keepalived", "-n", "-l", "-P", *map(str, files)]
        spawn(netns.inside(self._namespace, *argv), here / "log").save(here / "keepalived.pid")

    def process(self) -> Process | None:
        return Process.load(self._directory / "keepalived.pid")

    def _recorded(self) -> Process:
        process = self.process()
        if process is None:
            raise RuntimeError(f"keepalived of {self.name} was never started")
        return process

    def stopped(self) -> bool:
        return self._recorded().ended()

    def _worker(self) -> Process | None:
        """Its child, which speaks VRRP."""
        try:
            return Process.of(int((self._directory / "vrrp.run").read_text()))
        except (OSError, ValueError):
            return None

    def ready(self) -> bool:
        return self._worker() is not None

    def holds(self) -> bool:
        """Whether the service address is on its interface."""
        rows = json.loads(netns.ip(self._namespace, "-j", "addr", "show", "dev", "lan0"))
        return any(entry.get("local") == SERVICE_V4 for row in rows for entry in row.get("addr_info", []))

    def cut(self) -> None:
        netns.set_port_state(topology.switch(), topology.switch_port(self.name), netns.PORT_DISABLED)

    def heal(self) -> None:
        netns.set_port_state(topology.switch(), topology.switch_port(self.name), netns.PORT_FORWARDING)

    def kill(self) -> None:
        for process in (self.process(), self._worker()):
            if process:
                process.kill()

    def leave(self) -> None:
        self._recorded().signal(signal.SIGTERM)

    def restart(self) -> None:
        """Starts it again as a backup, without what a killed one left behind."""
        self.kill()
        (self._directory / "vrrp.run").unlink(missing_ok=True)
        if self.holds():
            netns.ip(self._namespace, "addr", "del", f"{SERVICE_V4}/24", "dev", "lan0")
        self.heal()
        self.start()
        until(self.ready, 10, f"keepalived of {self.name} starts: {self.log()}")

    def log(self) -> str:
        return "\n".join((self._directory / "log").read_text(errors="replace").splitlines()[-8:])


class Session:
    def __init__(self, fault: str, rate: int, nodes: int, build: Path | None = None) -> None:
        self._lab = Lab(build)
        self._fault = fault
        self._rate = rate
        self._routers = [Router(index) for index in range(1, nodes + 1)]

    def open(self, say: Callable[[str], None]) -> None:
        self._lab.down()
        make_state()
        self._lab.build_network()
        say(f"  the same switch and gateway; {NAME} on {', '.join(router.name for router in self._routers)}")
        for router in self._routers:
            router.create()
        for router in self._routers:
            router.start()
        self._settle()

    def close(self) -> None:
        self._lab.down()

    def _settle(self) -> Router:
        """Waits until all speak and one holds the address; returns it."""

        def settled() -> bool:
            return all(router.ready() for router in self._routers) and sum(map(Router.holds, self._routers)) == 1

        until(settled, 20, lambda: "one router holds the address; " + self._routers[0].log())
        return next(router for router in self._routers if router.holds())

    def run(self) -> Run:
        old = self._settle()
        with Probe(self._lab.build, SERVICE_V4, self._rate) as probe:
            watch(random.uniform(*STEADY))
            if self._fault == "graceful":
                old.leave()
            else:
                old.cut()
                if self._fault == "kill":
                    old.kill()
            watch(WATCHED)
            winner = self._winner(old)
            report = probe.report()
        if self._fault == "graceful":
            until(old.stopped, 10, f"keepalived of {old.name} ends after SIGTERM")
        old.restart()
        return Run(report["outage_ms"], report["sent"], report["lost"], report["duplicates"], winner.name)

    def _winner(self, old: Router) -> Router:
        others = [router for router in self._routers if router is not old]
        until(lambda: any(map(Router.holds, others)), 20, "another router takes over")
        return next(filter(Router.holds, others))
