"""The ways in which a master goes. Each: what happens to it, for how long it is watched, how it comes back.

`returns`: it is there again while it is still watched, and must not speak for the service address then."""

import signal
import socket
import subprocess
import time

from qure_dev import frames
from qure_dev.lab import netns, topology
from qure_dev.lab.topology import SERVICE_V4
from qure_dev.waiting import until, watch

WATCHED = 1.2  # seconds after the fault in which nobody else uses the machine's cores
PAUSED = 0.8  # above the greatest lease, 200 ms
HANG = 3.0  # above the time after which a hung control thread is given up, 1.1 s
WAITING_REQUESTS = 20


class Kill:
    """SIGKILL: as if the machine had died."""

    returns = False

    def strike(self, node):
        node.kill()
        watch(WATCHED)

    def mend(self, node):
        node.start()


class Leave:
    """SIGTERM: it hands over, says goodbye and ends."""

    returns = False

    def strike(self, node):
        self._process = node.process()
        self._process.signal(signal.SIGTERM)
        watch(WATCHED)

    def mend(self, node):
        until(self._process.ended, 15, f"{node.name} ends after SIGTERM")
        node.start()


class Cut:
    """The switch forwards nothing from or to it."""

    returns = False

    def strike(self, node):
        node.cut()
        watch(WATCHED)

    def mend(self, node):
        node.heal()


class Pause:
    """SIGSTOP for longer than the lease, then SIGCONT with ARP requests waiting in its ring."""

    returns = True

    def strike(self, node):
        node.pause()
        watch(PAUSED)
        ask_for_service()
        self.resumed_ns = time.time_ns()
        node.resume()
        watch(WATCHED)

    def mend(self, node):
        pass


class Hang:
    """Its control thread stands still and goes on later, with all that it has not read; its workers never stop."""

    returns = True

    def strike(self, node):
        program = str(node.build / "tests/lab/qure-hang")
        argv = [program, str(node.process().pid), str(HANG)]  # the control thread is the process's first
        self._helper = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self._helper.stdout.readline().strip() != "hanging":
            raise RuntimeError(f"qure-hang could not stop {node.name}'s control thread")
        self._helper.wait(timeout=HANG + 10)
        self._helper.stdout.close()
        ask_for_service()
        watch(WATCHED)

    def mend(self, node):
        pass


FAULTS = {"kill": Kill, "pause": Pause, "cut": Cut, "graceful": Leave, "control-hang": Hang}


def ask_for_service():
    """The gateway asks for the service address, by broadcast: the switch puts it into every node's ring."""
    gateway = netns.open_socket(topology.gateway(), socket.AF_PACKET, socket.SOCK_RAW, 0)
    with gateway:
        gateway.bind(("gw0", 0))
        mac = gateway.getsockname()[4]
        request = frames.arp(frames.REQUEST, frames.mac_text(mac), topology.GATEWAY_V4, SERVICE_V4)
        for _ in range(WAITING_REQUESTS):
            gateway.send(request)
