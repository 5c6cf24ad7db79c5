"""The tests in tests/lab: real nodes in namespaces, real clients. They wait more than they compute, so that two labs
stand side by side; what measures or needs the whole machine (`alone = True` in its class) runs by itself afterwards."""

import json
import os
import queue
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterable, Iterator

from qure_dev.lab import netns
from qure_dev.paths import LAB_TESTS, LIBRARY
from qure_dev.suites import native, progress
from qure_dev.suites.collector import cases
from qure_dev.suites.outcome import FAILED, SKIPPED, Options, Outcome

LABS = 2
END = 90  # seconds that a worker has to take its lab down


class Worker:
    """A process with a lab of its own; see lab_worker."""

    def __init__(self, options: Options) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in ("QURE_LAB", "QURE_LAB_HELD")}
        environment |= {"PYTHONPATH": str(LIBRARY), "QURE_QUICK": "" if options.full else "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qure_dev.suites.lab_worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is ours; it ends by `close`
        )

    def run(self, tests: list[str]) -> Iterator[Outcome]:
        """The outcomes of these tests, which are of one class."""
        assert self._process.stdin and self._process.stdout
        try:
            print(json.dumps(tests), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            pass
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer is None:
                return
            yield Outcome(**answer)
        yield Outcome(tests[0].rpartition(".")[0], FAILED, detail="the process that ran the tests ended")

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.terminate()
        self._process.stdin.close()
        try:
            self._process.wait(END)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


class Labs:
    """Hands the classes to the workers and collects what becomes of them."""

    def __init__(self, options: Options, count: int) -> None:
        self._workers = [Worker(options) for _ in range(count)]
        self._ended = False

    def run(self, classes: Iterable[list[str]]) -> Iterator[Outcome]:
        """All classes, as many at a time as there are workers."""
        waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        for tests in classes:
            waiting.put(tests)
        yield from self._run(waiting, self._workers)

    def run_alone(self, classes: Iterable[list[str]]) -> Iterator[Outcome]:
        """All classes, one after the other."""
        for tests in classes:
            progress.doing(f"lab: {tests[0].rpartition('.')[0]}, alone")
            yield from self._workers[0].run(tests)

    def _run(self, waiting: "queue.SimpleQueue[list[str]]", workers: list[Worker]) -> Iterator[Outcome]:
        found: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()

        def work(worker: Worker) -> None:
            try:
                while not self._ended:
                    tests = waiting.get_nowait()
                    progress.doing(f"lab: {tests[0].rpartition('.')[0]}, {waiting.qsize()} classes to come")
                    for outcome in worker.run(tests):
                        found.put(outcome)
            except queue.Empty:
                pass
            finally:
                found.put(None)

        for worker in workers:
            threading.Thread(target=work, args=(worker,), daemon=True).start()
        working = len(workers)
        while working:
            outcome = found.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome

    def close(self) -> None:
        self._ended = True
        threads = [threading.Thread(target=worker.close) for worker in self._workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _cannot_run() -> str:
    """Why the lab cannot run here, or ""."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        netns.run("unshare", "--net", "true")
    except netns.CommandError as error:
        return str(error)
    return ""


def _classes(options: Options) -> tuple[list[list[str]], list[list[str]]]:
    """The chosen tests by class: those that may run beside others, and those that may not."""
    sys.path.insert(0, str(LAB_TESTS))
    found: dict[type, list[str]] = {}
    for case in cases(unittest.TestLoader().discover(str(LAB_TESTS))):
        if options.wants(case.id()):
            found.setdefault(type(case), []).append(case.id())
    alone = [tests for kind, tests in found.items() if getattr(kind, "alone", False)]
    return [tests for kind, tests in found.items() if not getattr(kind, "alone", False)], alone


def lab(options: Options) -> Iterator[Outcome]:
    failure = None if os.environ.get("QURE_BUILD") else native.build("plain")
    if failure:
        yield failure
        return
    reason = _cannot_run()
    if reason:
        yield Outcome("lab", SKIPPED, detail=reason)
        return
    together, alone = _classes(options)
    labs = Labs(options, min(LABS, len(together)) or 1)
    try:
        yield from labs.run(together)
        yield from labs.run_alone(alone)
    finally:
        labs.close()
