"""The demonstration: one node, what it answers, what it shows, what it refuses. Each step proves something or fails."""

import argparse
import contextlib
import json
import re
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass

from lab import config, topology
from lab.lab import Lab, Request, held
from lab.topology import SERVICE_V4, SERVICE_V6


@dataclass(frozen=True)
class Proof:
    check: str
    passed: bool
    detail: str


class Demo:
    """Each step returns what it saw, in a few words, and raises if that is not what was to be proven."""

    def __init__(self, out):
        self._lab = Lab()
        self._out = out

    def steps(self):
        return [
            ("address claimed", self.claimed),
            ("gateway verified", self.verified),
            ("ARP", self.arp),
            ("ping", self.ping),
            ("ping over IPv6 (ND)", self.ping6),
            ("flood, 20000 pings", self.flood),
            ("DNS: A, AAAA, TXT", self.names),
            ("DNS: no such name", self.no_such_name),
            ("web over IPv4", self.web),
            ("web over IPv6", self.web6),
            ("counters", self.counters),
            ("metrics", self.metrics),
            ("second claimant refused", self.second_claimant),
            ("first still serves", self.web),
        ]

    def up(self):
        self._lab.up(Request(nodes=1), say=lambda text: print(text, file=self._out, flush=True))
        self._node = self._lab.node("n1")

    def close(self):
        self._lab.down()

    def _gw(self, *argv):
        print(f"  qure-gw$ {' '.join(argv)}", file=self._out, flush=True)
        done = self._lab.execute("gw", *argv, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(
                f"{argv[0]}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}"
            )
        return done.stdout

    @staticmethod
    def _find(pattern, text):
        found = re.search(pattern, text, re.IGNORECASE)
        if not found:
            raise RuntimeError(f"expected /{pattern}/ in: {text.strip()[-200:]}")
        return found.group()

    def claimed(self):
        macs = [self._node.wait_for(address, state="held")["mac"] for address in (SERVICE_V4, SERVICE_V6)]
        return f"{SERVICE_V4} at {macs[0]}, {SERVICE_V6} at {macs[1]}"

    def verified(self):
        for address in (SERVICE_V4, SERVICE_V6):
            self._node.wait_for(address, verified=True)
        return "its answers arrive at both service MACs"

    def arp(self):
        mac = self._node.address(SERVICE_V4)["mac"]
        return self._find(
            rf"reply from {SERVICE_V4} \[{mac}\]", self._gw("arping", "-c", "2", "-w", "3", "-I", "gw0", SERVICE_V4)
        )

    def ping(self):
        return self._find(r"5 received, 0% packet loss", self._gw("ping", "-c", "5", "-i", "0.1", SERVICE_V4))

    def ping6(self):
        self._gw("ip", "-6", "neigh", "flush", "dev", "gw0")
        received = self._find(r"5 received, 0% packet loss", self._gw("ping", "-6", "-c", "5", "-i", "0.1", SERVICE_V6))
        neighbor = self._find(r"lladdr \S+", self._gw("ip", "neigh", "show", SERVICE_V6))
        return f"{received}, neighbor {neighbor}"

    def flood(self):
        return self._find(
            r"20000 received, 0% packet loss, time \d+ms",
            self._gw("ping", "-f", "-q", "-c", "20000", "-w", "60", SERVICE_V4),
        )

    def names(self):
        seen = []
        for kind, server in (("A", SERVICE_V4), ("AAAA", SERVICE_V6), ("TXT", SERVICE_V4)):
            seen.append(
                self._find(r"\S.*", self._gw("dig", f"@{server}", "+short", "+tries=1", "www.home.example", kind))
            )
        return ", ".join(seen)

    def no_such_name(self):
        return self._find(r"status: NXDOMAIN", self._gw("dig", f"@{SERVICE_V4}", "+tries=1", "nowhere.home.example"))

    def web(self, url=f"http://{SERVICE_V4}/"):
        return "answered by " + self._find(r"^n1$", self._gw("curl", "-sSg", "--max-time", "5", url).strip())

    def web6(self):
        return self.web(f"http://[{SERVICE_V6}]/")

    def counters(self):
        rows = {row["reason"]: row["lan"] + row["host"] for row in self._node.query("counters")["reasons"]}
        shown = (
            "arp_reply",
            "neighbor_advertisement",
            "echo_reply",
            "echo6_reply",
            "dns_answer",
            "dns_nxdomain",
            "host_service",
        )
        missing = [reason for reason in shown if not rows[reason]]
        if missing:
            raise RuntimeError(f"not counted: {', '.join(missing)}")
        return ", ".join(f"{reason} {rows[reason]}" for reason in shown)

    def metrics(self):
        done = self._lab.execute("n1", "curl", "-sS", "--max-time", "5", f"http://{topology.METRICS}/metrics")
        self._find(r'qure_frames_total\{[^}]*reason="echo_reply"[^}]*\} [1-9]', done.stdout)
        samples = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        return f"{len(samples)} samples from http://{topology.METRICS}/metrics"

    def second_claimant(self):
        """A node of another cluster wants the same addresses: it must find them taken, and by whom."""
        cluster = config.cluster_part(self._node.config_path.read_text())
        name = self._find(r'\[cluster\]\s+name = "\w+"', cluster)
        second = self._lab.add_node(2, cluster=cluster.replace(name, '[cluster]\nname = "elsewhere"'))
        print("  n2 starts, of another cluster, for the same addresses", file=self._out, flush=True)
        second.start()
        for address in (SERVICE_V4, SERVICE_V6):
            mac = self._node.address(address)["mac"]
            second.wait_for(address, state="taken", holder=mac)
            self._find(rf".*{re.escape(address)}.*{mac}.*", second.log.read_text())
        return f"n2 says {SERVICE_V4} is taken by {self._node.address(SERVICE_V4)['mac']}"


def table(proofs):
    width = max(len(proof.check) for proof in proofs)
    lines = [f"{'check':<{width}}  result  detail", f"{'-' * width}  ------  {'-' * 40}"]
    return "\n".join(
        lines
        + [f"{proof.check:<{width}}  {'passed' if proof.passed else 'FAILED'}  {proof.detail}" for proof in proofs]
    )


def run(demo, out):
    proofs = []
    for check, step in demo.steps():
        print(f"{check}", file=out, flush=True)
        try:
            proofs.append(Proof(check, True, step()))
        except (RuntimeError, TimeoutError, subprocess.SubprocessError, KeyError, TypeError) as error:
            proofs.append(Proof(check, False, " ".join(str(error).split())))
        print(f"  -> {proofs[-1].detail}", file=out, flush=True)
    return proofs


def main():
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Installs what is missing, builds, brings up a gateway and a node in network "
        "namespaces, and shows what the node does. Exit status 0: all was proven.",
    )
    parser.add_argument(
        "--json", action="store_true", help="the proofs as JSON on standard output, all else on standard error"
    )
    arguments = parser.parse_args()
    out = sys.stderr if arguments.json else sys.stdout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    demo = Demo(out)
    try:
        with held(), contextlib.closing(demo):
            demo.up()
            proofs = run(demo, out)
    except (RuntimeError, TimeoutError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"proofs": [asdict(proof) for proof in proofs]}) if arguments.json else f"\n{table(proofs)}")
    return 0 if all(proof.passed for proof in proofs) else 1


if __name__ == "__main__":
    sys.exit(main())
