"""A line at least once a minute while something takes long: what is being done, and for how long already."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TextIO

SILENCE = 45.0  # seconds


class _Progress:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._what = ""
        self._since = self._shown = time.monotonic()

    def doing(self, what: str) -> None:
        """Tells what is being done from now on; nothing is printed yet."""
        with self._lock:
            if not self._what or not what.startswith(self._what.partition(":")[0]):
                self._since = time.monotonic()
            self._what = what

    def say(self, text: str, out: TextIO) -> None:
        with self._lock:
            print(text, file=out, flush=True)
            self._shown = time.monotonic()

    def tick(self, out: TextIO) -> None:
        """Prints what is being done if nothing was printed for long."""
        with self._lock:
            now = time.monotonic()
            if now - self._shown >= SILENCE:
                print(f"  ...     {self._what} ({now - self._since:.0f} s)", file=out, flush=True)
                self._shown = now


_progress = _Progress()
doing = _progress.doing
say = _progress.say


@contextlib.contextmanager
def shown(out: TextIO) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(5):
            _progress.tick(out)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
