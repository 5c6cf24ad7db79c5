"""What the demonstrations share: a lab, what is shown of it, and a table of what was proven."""

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from qure_dev.lab.lab import Lab
from qure_dev.lab.node import Node


@dataclass(frozen=True)
class Proof:
    check: str
    passed: bool
    detail: str


class Show:
    """Each step returns what it saw, in a few words, and raises if that is not what was to be proven."""

    def __init__(self, out: TextIO) -> None:
        self._lab = Lab()
        self._out = out

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        raise NotImplementedError

    def up(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._lab.down()

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def _gw(self, *argv: str) -> str:
        self._say(f"  gw$ {' '.join(argv)}")
        done = self._lab.execute("gw", *argv, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(
                f"{argv[0]}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}"
            )
        return done.stdout

    @staticmethod
    def _find(pattern: str, text: str) -> str:
        found = re.search(pattern, text, re.IGNORECASE)
        if not found:
            raise RuntimeError(f"expected /{pattern}/ in: {text.strip()[-200:]}")
        return found.group()

    def _shown_on(self, node: Node, *arguments: str, timeout: float = 15) -> str:
        """What qurectl on this machine prints, also shown here."""
        self._say(f"  {node.name}$ qurectl {' '.join(arguments)}")
        done = node.control(*arguments, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"qurectl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-200:]}")
        self._say("\n".join(f"    {line}" for line in done.stdout.splitlines()))
        return done.stdout


def table(proofs: Sequence[Proof]) -> str:
    width = max(len(proof.check) for proof in proofs)
    lines = [f"{'check':<{width}}  result  detail", f"{'-' * width}  ------  {'-' * 40}"]
    return "\n".join(
        lines
        + [f"{proof.check:<{width}}  {'passed' if proof.passed else 'FAILED'}  {proof.detail}" for proof in proofs]
    )


def run(show: Show, out: TextIO) -> list[Proof]:
    proofs: list[Proof] = []
    for check, step in show.steps():
        print(f"{len(proofs) + 1}. {check}", file=out, flush=True)
        try:
            proofs.append(Proof(check, True, step()))
        except (RuntimeError, TimeoutError, subprocess.SubprocessError, KeyError, TypeError, StopIteration) as error:
            proofs.append(Proof(check, False, " ".join(str(error).split())))
        print(f"  -> {proofs[-1].detail}", file=out, flush=True)
    return proofs
