"""The ways in which a master goes. Each: what happens to it, for how long it is watched, how it comes back.

`returns`: it is there again while it is still watched, and must not speak for the service address then."""

import signal
import socket
import subprocess
import time

from qure_dev import frames, programs
from qure_dev.lab import netns, topology
from qure_dev.lab.node import Node
from qure_dev.lab.topology import SERVICE_V4
from qure_dev.waiting import until, watch

WATCHED = 1.2  # seconds after the fault in which nobody else uses the machine's cores
PAUSED = 0.8  # above the greatest lease, 200 ms
HANG = 3.0  # above the time after which a hung control thread is given up, 1.1 s
WAITING_REQUESTS = 20


class Fault:
    returns = False

    def strike(self, node: Node) -> None:
        """It happens, and the watch is over when this returns."""
        raise NotImplementedError

    def mend(self, node: Node) -> None:
        """The node comes back, if it does not by itself."""


class Kill(Fault):
    """SIGKILL: as if the machine had died."""

    def strike(self, node: Node) -> None:
        node.kill()
        watch(WATCHED)

    def mend(self, node: Node) -> None:
        node.start()


class Leave(Fault):
    """SIGTERM: it hands over, says goodbye and ends."""

    def strike(self, node: Node) -> None:
        self._process = node.recorded()
        self._process.signal(signal.SIGTERM)
        watch(WATCHED)

    def mend(self, node: Node) -> None:
        until(self._process.ended, 15, f"{node.name} ends after SIGTERM")
        node.start()


class Cut(Fault):
    """The switch forwards nothing from or to it."""

    def strike(self, node: Node) -> None:
        node.cut()
        watch(WATCHED)

    def mend(self, node: Node) -> None:
        node.heal()


class Pause(Fault):
    """SIGSTOP for longer than the lease, then SIGCONT with ARP requests waiting in its ring."""

    returns = True

    def strike(self, node: Node) -> None:
        node.pause()
        watch(PAUSED)
        ask_for_service()
        self.resumed_ns = time.time_ns()
        node.resume()
        watch(WATCHED)


class Hang(Fault):
    """Its control thread stands still and goes on later, with all that it has not read; its workers never stop."""

    returns = True

    def strike(self, node: Node) -> None:
        program = str(node.build / programs.HANG)
        argv = [program, str(node.recorded().pid), str(HANG)]  # the control thread is the process's first
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as helper:
            assert helper.stdout
            if helper.stdout.readline().strip() != "hanging":
                raise RuntimeError(f"qure-hang could not stop {node.name}'s control thread")
            helper.wait(timeout=HANG + 10)
        ask_for_service()
        watch(WATCHED)


FAULTS: dict[str, type[Fault]] = {"kill": Kill, "pause": Pause, "cut": Cut, "graceful": Leave, "control-hang": Hang}


def ask_for_service() -> None:
    """The gateway asks for the service address, by broadcast: the switch puts it into every node's ring."""
    gateway = netns.open_socket(topology.gateway(), socket.AF_PACKET, socket.SOCK_RAW, 0)
    with gateway:
        gateway.bind(("gw0", 0))
        mac = gateway.getsockname()[4]
        request = frames.arp(frames.REQUEST, frames.mac_text(mac), topology.GATEWAY_V4, SERVICE_V4)
        for _ in range(WAITING_REQUESTS):
            gateway.send(request)
