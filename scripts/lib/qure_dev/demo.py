"""The demonstration: three nodes, what they answer and show, how one follows another. Each step proves something."""

import argparse
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict

from qure_dev import programs
from qure_dev.demo_bare import BareDemo
from qure_dev.failover.probe import Probe
from qure_dev.lab import cluster, config, topology
from qure_dev.lab.lab import Request
from qure_dev.lab.lock import own
from qure_dev.lab.topology import SERVICE_V4, SERVICE_V6
from qure_dev.proofs import Show, run, table
from qure_dev.waiting import until

NODES = 3
RATE = 1000  # packets a second of the client that notices every one that is lost
CONNECTIONS = 24


class Demo(Show):
    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("one cluster, one master", self.one_cluster),
            ("eras and ages", self.lifetimes),
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
            ("master killed", self.master_killed),
            ("its successor serves", self.web),
            ("killed node restarted", self.restarted),
            ("history on every node", self.shared_history),
            ("handed over, none lost", self.handed_over),
            ("second claimant refused", self.second_claimant),
            ("first still serves", self.web),
        ]

    def up(self) -> None:
        self._lab.up(Request(nodes=NODES), say=self._say)
        self._meet()

    def _meet(self) -> None:
        """Waits until the cluster is whole; `_node` is its master from here on."""
        self._views = self._lab.wait_whole([node for node in self._lab.nodes() if node.index <= NODES])
        self._node = self._lab.node(cluster.master(self._views))

    def _shown(self, *arguments: str) -> str:
        return self._shown_on(self._node, *arguments)

    def one_cluster(self) -> str:
        term = cluster.term_text(self._views[self._node.name]["term"])
        return f"{NODES} nodes, master {self._node.name}, deputy {cluster.deputy(self._views)}, term {term}"

    def lifetimes(self) -> str:
        """Every node says the same era of every other, and the age that the other says of itself."""
        self._shown("nodes")
        ages = {name: status["age"] for name, status in self._views.items()}
        for name in self._views:
            rows = self._lab.node(name).query("nodes")["nodes"]
            told = {row["name"]: row["age"] for row in rows}
            if told != ages or len({row["era"] for row in rows}) != 1:
                raise RuntimeError(f"{name} says of era and ages: {rows}")
        listed = ", ".join(f"{name} {age}" for name, age in ages.items())
        return f"era {self._views[self._node.name]['era']}; ages {listed}"

    def claimed(self) -> str:
        macs = [self._node.wait_for(address, state="held")["mac"] for address in (SERVICE_V4, SERVICE_V6)]
        return f"{SERVICE_V4} at {macs[0]}, {SERVICE_V6} at {macs[1]}"

    def verified(self) -> str:
        for address in (SERVICE_V4, SERVICE_V6):
            self._node.wait_for(address, verified=True)
        return "its answers arrive at both service MACs"

    def arp(self) -> str:
        mac = self._node.address(SERVICE_V4)["mac"]
        return self._find(
            rf"reply from {SERVICE_V4} \[{mac}\]", self._gw("arping", "-c", "2", "-w", "3", "-I", "gw0", SERVICE_V4)
        )

    def ping(self) -> str:
        return self._find(r"5 received, 0% packet loss", self._gw("ping", "-c", "5", "-i", "0.1", SERVICE_V4))

    def ping6(self) -> str:
        self._gw("ip", "-6", "neigh", "flush", "dev", "gw0")
        received = self._find(r"5 received, 0% packet loss", self._gw("ping", "-6", "-c", "5", "-i", "0.1", SERVICE_V6))
        neighbor = self._find(r"lladdr \S+", self._gw("ip", "neigh", "show", SERVICE_V6))
        return f"{received}, neighbor {neighbor}"

    def flood(self) -> str:
        return self._find(
            r"20000 received, 0% packet loss, time \d+ms",
            self._gw("ping", "-f", "-q", "-c", "20000", "-w", "60", SERVICE_V4),
        )

    def names(self) -> str:
        seen = []
        for kind, server in (("A", SERVICE_V4), ("AAAA", SERVICE_V6), ("TXT", SERVICE_V4)):
            seen.append(
                self._find(r"\S.*", self._gw("dig", f"@{server}", "+short", "+tries=1", "www.home.example", kind))
            )
        return ", ".join(seen)

    def no_such_name(self) -> str:
        return self._find(r"status: NXDOMAIN", self._gw("dig", f"@{SERVICE_V4}", "+tries=1", "nowhere.home.example"))

    def web(self, url: str = f"http://{SERVICE_V4}/") -> str:
        """New connections are spread over the nodes; each must be answered."""
        answers = [self._gw("curl", "-sSg", "--max-time", "5", url).strip() for _ in range(CONNECTIONS)]
        for answer in answers:
            self._find(r"^n\d+$", answer)
        shares = ", ".join(f"{name} {answers.count(name)}" for name in sorted(set(answers)))
        return f"{CONNECTIONS} connections, answered by {shares}"

    def web6(self) -> str:
        return self.web(f"http://[{SERVICE_V6}]/")

    def counters(self) -> str:
        rows = {row["reason"]: row["lan"] + row["host"] for row in self._node.query("counters")["reasons"]}
        shown = (
            "arp_reply",
            "neighbor_advertisement",
            "echo_reply",
            "echo6_reply",
            "dns_answer",
            "dns_nxdomain",
            "host_service",
            "forward_flow",
        )
        missing = [reason for reason in shown if not rows[reason]]
        if missing:
            raise RuntimeError(f"not counted: {', '.join(missing)}")
        return ", ".join(f"{reason} {rows[reason]}" for reason in shown)

    def metrics(self) -> str:
        argv = ("curl", "-sS", "--max-time", "5", f"http://{topology.METRICS}/metrics")
        done = self._lab.execute(self._node.name, *argv)
        self._find(r'qure_frames_total\{[^}]*reason="echo_reply"[^}]*\} [1-9]', done.stdout)
        samples = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        return f"{len(samples)} samples from http://{topology.METRICS}/metrics"

    def master_killed(self) -> str:
        """SIGKILL: the deputy acts on the silence of its heartbeats."""
        killed, era = self._node, self._views[self._node.name]["era"]
        with Probe(self._lab.build, SERVICE_V4, RATE) as probe:
            self._say(f"  gw: {RATE} pings a second to {SERVICE_V4}; then {killed.name}: kill -9")
            killed.kill()
            rest = [node for node in self._lab.nodes() if node.name != killed.name]
            self._views = self._lab.wait_whole(rest)
            report = probe.report()
        self._node, self._killed = self._lab.node(cluster.master(self._views)), killed
        if self._views[self._node.name]["era"] != era:
            raise RuntimeError("the era ended, though nodes lived on")
        lost = f"{report['lost']} of {report['sent']} packets lost"
        return f"{self._node.name} serves, outage {report['outage_ms']:.1f} ms, {lost}"

    def restarted(self) -> str:
        leader = self._node.name
        self._killed.start()
        self._meet()
        status = self._views[self._killed.name]
        if self._node.name != leader:
            raise RuntimeError(f"{self._node.name} leads instead of {leader}: the incumbent stays")
        return f"{self._killed.name} is {status['role']} again at age {status['age']}, {leader} stays master"

    def shared_history(self) -> str:
        known = {}

        def equal() -> bool:
            known.update({name: cluster.history(self._lab.node(name)).keys() for name in self._views})
            return len({frozenset(events) for events in known.values()}) == 1

        until(equal, 15, "all histories are equal")
        self._shown("history")
        return f"{len(known[self._node.name])} events, the same on all {len(known)}"

    def handed_over(self) -> str:
        """No frame may be lost: the successor opens when the master has shut."""
        old = self._node
        with Probe(self._lab.build, SERVICE_V4, RATE) as probe:
            self._shown("handover")
            self._meet()
            report = probe.report()
        if self._node.name == old.name or report["lost"] or report["duplicates"]:
            raise RuntimeError(f"master {self._node.name}, lost {report['lost']}, duplicates {report['duplicates']}")
        return f"from {old.name} to {self._node.name}, 0 of {report['sent']} packets lost"

    def second_claimant(self) -> str:
        """A node of another cluster wants the same addresses: it must find them taken, and by whom."""
        text = config.cluster_part(self._node.config_path.read_text())
        name = self._find(r'\[cluster\]\s+(key = "\w+"\s+)?name = "\w+"', text)
        second = self._lab.add_node(NODES + 1, text=text.replace(name, '[cluster]\nname = "elsewhere"'))
        self._say(f"  {second.name} starts, of another cluster, for the same addresses")
        second.start()
        for address in (SERVICE_V4, SERVICE_V6):
            mac = self._node.address(address)["mac"]
            second.wait_for(address, state="taken", holder=mac)
            self._find(rf".*{re.escape(address)}.*{mac}.*", second.log.read_text())
        return f"{second.name} says {SERVICE_V4} is taken by {self._node.address(SERVICE_V4)['mac']}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Installs what is missing, builds, brings up a gateway and three nodes in network "
        "namespaces, and shows what they do. Exit status 0: all was proven.",
    )
    parser.add_argument(
        "--json", action="store_true", help="the proofs as JSON on standard output, all else on standard error"
    )
    parser.add_argument(
        "--bare",
        action="store_true",
        help="three machines without a configuration file instead: one begins a cluster, the others are taken in",
    )
    arguments = parser.parse_args()
    out = sys.stderr if arguments.json else sys.stdout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab is taken down on the way out
    try:
        programs.build(programs.QURED, programs.QURECTL, programs.PROBE)
        with own(), contextlib.closing(BareDemo(out) if arguments.bare else Demo(out)) as demo:
            demo.up()
            proofs = run(demo, out)
    except (RuntimeError, TimeoutError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"proofs": [asdict(proof) for proof in proofs]}) if arguments.json else f"\n{table(proofs)}")
    return 0 if all(proof.passed for proof in proofs) else 1


if __name__ == "__main__":
    sys.exit(main())
