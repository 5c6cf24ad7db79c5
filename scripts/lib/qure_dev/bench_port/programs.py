"""The programs that are measured, and the one that measures: each a process at the end of a pipe."""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from qure_dev.lab import netns

FLOWS = 1024  # of the generator
KNOWN = 0.99  # so much of QuRe's traffic at least is of them, or the figures are of something else
START = 15  # seconds
UNABLE = 1  # exit status of our programs
WORDS = 3  # lines of what a program said last
NICE = ("nice", "-n", "-20")


Figures = dict[str, Any]  # of one turn, as a program prints them
Turns = tuple[list[Figures], list[Figures]]  # QuRe's, and those of what is beside it


class Unable(RuntimeError):
    """This machine cannot do that kind of port."""


@dataclass
class Program:
    process: subprocess.Popen[bytes]
    errors: IO[str]  # what it writes to its error output

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def last_words(self) -> str:
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        return "; ".join(lines[-WORDS:]) or f"exit status {self.process.returncode}"

    def says(self, word: bytes) -> bool:
        """Reads what it says until it says `word`."""
        assert self.process.stdout
        said = b""
        end = time.monotonic() + START
        while word not in said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
            read = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not read:
                return False
            said += read
        return True

    def finish(self, patience: float) -> str:
        """Ends its input, which ends the program; returns what it said. Killed if it does not end."""
        try:
            said, _ = self.process.communicate(timeout=patience)
            return said.decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.process.args!r} does not end") from None
        finally:
            self.kill()


class Bench:
    """Where the programs run: a network namespace and a directory of their own, two CPUs."""

    def __init__(self, build: Path, cpus: Sequence[int], seconds: float) -> None:
        self.build = build
        self.device_cpu, self.generator_cpu = cpus
        self.seconds = seconds
        self.namespace = f"qure-bench-{os.getpid()}"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="qure-bench-"))
        netns.add(self.namespace)
        self._stack.callback(netns.run, "ip", "netns", "del", self.namespace)
        netns.sysctl(self.namespace, ipv6__conf__default__disable_ipv6=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def spawn(self, *argv: object) -> Program:
        """The error output goes to a file, so that no full pipe holds the program up."""
        errors = self._stack.enter_context(tempfile.TemporaryFile("w+", dir=self.directory))
        process = subprocess.Popen(
            [*NICE, *netns.inside(self.namespace, *map(str, argv))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"RUNTIME_DIRECTORY": self.directory},
        )
        return Program(process, errors)

    def program(self, name: str) -> Path:
        return self.build / "tests/bench/port" / name


def answer(bench: Bench, argv: Sequence[object], patience: float) -> Figures:
    """The JSON that a program prints before it ends by itself."""
    program = bench.spawn(*argv)
    said = program.finish(patience)
    if program.process.returncode == UNABLE:
        raise Unable(program.last_words())
    if program.process.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {program.last_words()}")
    return json.loads(said)


@contextlib.contextmanager
def running(bench: Bench, argv: Sequence[object], word: bytes) -> Iterator[list[str]]:
    """A device under test, from when it is ready; yields a list that its last words are put into."""
    program = bench.spawn(*argv)
    said: list[str] = []
    try:
        if not program.says(word):
            program.kill()
            raise Unable(program.last_words())
        yield said
        said.append(program.finish(START))
    finally:
        program.kill()


def check_known(reasons: Mapping[str, int]) -> None:
    """QuRe's frames were what they are said to be."""
    known, opened = reasons.get("forward_flow", 0), reasons.get("forward_new", 0)
    if opened > FLOWS or known + opened < KNOWN * sum(reasons.values()):
        raise RuntimeError(f"QuRe did not forward known flows: {reasons}")


def generate(bench: Bench, vdev: Sequence[str]) -> Figures:
    argv = [bench.program("port_generator"), "generator", bench.generator_cpu, *vdev, bench.seconds]
    return answer(bench, argv, START + 2 * bench.seconds)


def measure_qure(bench: Bench, port: str, vdev: Sequence[str]) -> Figures:
    """One turn of QuRe at its end of the wire, `port` as in [node.lan]; `vdev` is the generator's."""
    argv = [bench.program("port_device"), "device", bench.device_cpu, port]
    with running(bench, argv, b"ready\n") as said:
        figures = generate(bench, vdev)
    check_known(json.loads(said[0]))
    return figures


def measure_testpmd(bench: Bench, device: str, vdev: Sequence[str]) -> Figures:
    """One turn of dpdk-testpmd, with the device arguments that QuRe's port has."""
    cpus = f"({bench.device_cpu},{bench.generator_cpu})"
    environment = f"--no-huge -m 128 --no-pci --no-telemetry --lcores 0@{cpus},1@{bench.device_cpu}".split()
    forwarding = "--forward-mode=macswap --auto-start --nb-cores=1 --rxd=1024 --txd=1024 --total-num-mbufs=16384"
    # Into a pipe it would say nothing before its end.
    testpmd = ["stdbuf", "-oL", "dpdk-testpmd", "--file-prefix=device", *environment, f"--vdev={device}"]
    with running(bench, [*testpmd, "--", *forwarding.split()], b"Press enter to exit"):
        return generate(bench, vdev)


def measure_rings(bench: Bench, rounds: int) -> Turns:
    """All turns on net_ring: QuRe's figures, and those of the plain loop beside it."""
    argv = [bench.program("port_rings"), "device", bench.device_cpu, bench.generator_cpu, rounds, bench.seconds]
    report = answer(bench, argv, START + 4 * rounds * (bench.seconds + 1))
    check_known(report["reasons"])
    return report["qure"], report["beside"]
