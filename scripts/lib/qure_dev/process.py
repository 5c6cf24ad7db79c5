"""Processes that outlive the program that started them, recorded by pid and start time: no other is ever hit."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qure_dev.waiting import until


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the command name (field 3 is index 0), or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


@dataclass(frozen=True)
class Process:
    pid: int
    started: int  # clock ticks since boot (proc(5), field 22)

    @staticmethod
    def of(pid: int) -> "Process | None":
        fields = _stat(pid)
        return Process(pid, int(fields[19])) if fields else None

    @staticmethod
    def load(path: Path) -> "Process | None":
        """The process recorded in `path`, or None."""
        try:
            pid, started = path.read_text().split()
            return Process(int(pid), int(started))
        except (OSError, ValueError):
            return None

    def save(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started}\n")

    def _open(self) -> int | None:
        """A pidfd of this very process, or None if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if Process.of(self.pid) != self:
            os.close(handle)
            return None
        return handle

    def alive(self) -> bool:
        """Until its last thread has ended; a zombie that nobody has waited for is not alive."""
        handle = self._open()
        if handle is None:
            return False
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        exited = bool(poll.poll(0))
        os.close(handle)
        return not exited

    def cpu_seconds(self) -> float:
        """User and system time used so far."""
        fields = _stat(self.pid)
        if fields is None:
            raise ProcessLookupError(f"process {self.pid} is gone")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        """Sends the signal if it is still this very process."""
        handle = self._open()
        if handle is None:
            return
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    def ended(self) -> bool:
        """True once it has ended; reaps it if it is our child."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return not self.alive()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        until(self.ended, 10, f"process {self.pid} ends after SIGKILL")

    def stop(self, grace: float = 5) -> bool:
        """Asks it to end, wakes it if it is stopped, and kills it after `grace` seconds. True if it ended by itself."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            until(self.ended, grace, f"process {self.pid} ends")
            return True
        except TimeoutError:
            self.kill()
            return False


def spawn(argv: Sequence[str], log: Path) -> Process:
    """Starts a process of its own session with its output appended to `log`."""
    with open(log, "ab") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    child.returncode = 0  # it is watched by pid from here on, not by this object
    process = Process.of(child.pid)
    if process is None:  # not even a zombie: its number is ours until it is waited for
        raise ProcessLookupError(f"{argv[0]} is gone")
    return process
