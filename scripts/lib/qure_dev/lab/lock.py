"""One program at a time works on a lab: a lock for each name."""

import contextlib
import errno
import itertools
import os
import socket
from collections.abc import Iterator, Mapping

from qure_dev.lab import topology
from qure_dev.waiting import until

_HELD = "QURE_LAB_HELD"  # the lab that this program, or the one that started it, holds


class LabError(RuntimeError):
    """Something the user can put right."""


@contextlib.contextmanager
def held(wait: float = 0) -> Iterator[None]:
    """Keeps the lab to this program and those it starts. Waits up to `wait` seconds for another program."""
    name = topology.lab_name()
    if os.environ.get(_HELD) == name:
        yield
        return
    with contextlib.closing(_socket()) as lock:
        try:
            until(lambda: _bound(lock, name), wait, "another program is done with the lab", every=1)
        except TimeoutError:
            raise LabError(f"another program is using the lab {name}") from None
        with _environment({_HELD: name}):
            yield


@contextlib.contextmanager
def own(name: str = "") -> Iterator[str]:
    """A lab for this program and those it starts: of this name, or that of QURE_LAB, or the first that nobody uses.
    What an earlier program may have left in it is the caller's to take down."""
    name = name or os.environ.get(topology.LAB_VARIABLE, "")
    if name:
        with _environment({topology.LAB_VARIABLE: name}), held():
            yield name
        return
    with contextlib.closing(_socket()) as lock:
        name = next(name for name in (f"auto{number}" for number in itertools.count(1)) if _bound(lock, name))
        with _environment({topology.LAB_VARIABLE: name, _HELD: name}):
            yield name


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX)  # with an abstract name: it leaves no file, and goes with the program


def _bound(lock: socket.socket, name: str) -> bool:
    try:
        lock.bind(f"\0qure-lab-{name}")
        return True
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
