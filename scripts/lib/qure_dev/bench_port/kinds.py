"""The kinds of port: how both ends of each are opened, and who is measured on them, turn about."""

import os
import shutil
from collections.abc import Callable

from qure_dev.bench_port.programs import Bench, Figures, Turns, Unable, measure_qure, measure_rings, measure_testpmd
from qure_dev.lab import netns

TESTPMD = "dpdk-testpmd macswap"
AF_PACKET = "qpairs=1,framecnt=2048,qdisc_bypass=1"  # as dataplane/port.cc has it


def _turns(rounds: int, qure: Callable[[], Figures], testpmd: Callable[[], Figures]) -> Turns:
    if shutil.which("dpdk-testpmd") is None:
        raise Unable("there is no dpdk-testpmd; scripts/setup lab installs it")
    pairs = [(qure(), testpmd()) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


class Kind:
    name: str
    beside: str  # what is measured on the same port

    def measure(self, bench: Bench, rounds: int) -> Turns:
        raise NotImplementedError


class NetRing(Kind):
    name = "net_ring"
    beside = "macswap loop"  # a ring has both its ends in one process, where testpmd cannot be

    def measure(self, bench: Bench, rounds: int) -> Turns:
        return measure_rings(bench, rounds)


class AfPacket(Kind):
    name = "af_packet"
    beside = TESTPMD

    def measure(self, bench: Bench, rounds: int) -> Turns:
        try:
            netns.add_veth(bench.namespace, "dut0", bench.namespace, "gen0")
        except netns.CommandError as error:
            raise Unable(str(error)) from None
        for end in ("dut0", "gen0"):
            netns.ip(bench.namespace, "link", "set", end, "arp", "off", "up")
        generator = ("net_af_packet0", f"iface=gen0,{AF_PACKET}")
        return _turns(
            rounds,
            lambda: measure_qure(bench, "af_packet:dut0", generator),
            lambda: measure_testpmd(bench, f"net_af_packet0,iface=dut0,{AF_PACKET}", generator),
        )


class Memif(Kind):
    name = "memif"
    beside = TESTPMD

    def measure(self, bench: Bench, rounds: int) -> Turns:
        socket = f"socket-abstract=no,socket={os.path.join(bench.directory, 'memif.sock')}"
        device = f"net_memif0,role=server,{socket}"
        generator = ("net_memif0", f"role=client,{socket}")
        return _turns(
            rounds,
            lambda: measure_qure(bench, f"vdev:{device}", generator),
            lambda: measure_testpmd(bench, device, generator),
        )


KINDS: tuple[type[Kind], ...] = (NetRing, AfPacket, Memif)
