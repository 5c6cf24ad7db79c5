"""Waiting for a condition with a deadline: the one place where scripts and tests sleep."""

import time
from typing import TypeVar

T = TypeVar("T")
from collections.abc import Callable, Iterator


def until(condition: Callable[[], T], deadline: float, what: str | Callable[[], str], every: float = 0.05) -> T:
    """The first true value of `condition()`, asked every `every` seconds.

    Raises TimeoutError naming `what` (a string, or a function that makes one) after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline:g} s: {what() if callable(what) else what}")
        time.sleep(every)


def paced(rate: float, seconds: float) -> Iterator[int]:
    """Yields 0, 1, 2 … at `rate` per second for `seconds`: the clock of a constant-rate sender."""
    start = time.monotonic()
    for turn in range(int(rate * seconds)):
        ahead = start + turn / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        yield turn


def watch(seconds: float) -> float:
    """Lets a window pass over which something is measured; returns its true length."""
    start = time.monotonic()
    time.sleep(seconds)
    return time.monotonic() - start
