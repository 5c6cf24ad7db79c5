"""qure-probe in the gateway: a client that asks at a constant rate and notices every answer that does not come."""

import json
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from qure_dev import programs
from qure_dev.lab import netns, topology

SECONDS = 120  # it ends by itself after so long, whatever becomes of us
PATIENCE = 10  # for the first answer


class Probe:
    """Asks `address` from `with` on until `report()`."""

    def __init__(self, build: Path, address: str, rate: int, extra: Sequence[str] = ()) -> None:
        program = str(build / programs.PROBE)
        self._argv = netns.inside(
            topology.gateway(), program, "--rate", str(rate), "--seconds", str(SECONDS), *extra, address
        )

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr
        ready, _, _ = select.select([self._process.stderr], [], [], PATIENCE)
        said = self._process.stderr.readline().strip() if ready else f"no answer within {PATIENCE} s"
        if said != "answered":
            self.__exit__()
            raise RuntimeError(f"qure-probe: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in filter(None, (self._process.stdout, self._process.stderr)):
            pipe.close()

    def finished(self) -> dict[str, Any]:
        """Lets it run to its own end (`extra`: --seconds). What it saw."""
        return json.loads(self._process.communicate(timeout=SECONDS + 30)[0])

    def report(self) -> dict[str, Any]:
        """Ends it. What it saw: see qure-probe --help."""
        self._process.send_signal(signal.SIGINT)
        return json.loads(self._process.communicate(timeout=30)[0])
