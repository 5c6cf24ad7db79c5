"""Flows spread over all nodes, and stay where they are whatever happens to the others."""

import json
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from balance_support import BalanceTest
from qure_dev.lab import cluster
from support import GATEWAY_V4, QUICK, SERVICE_V4, SERVICE_V6, until


class Spread(BalanceTest):
    def assert_even(self, nodes: Mapping[str, int], count: int) -> None:
        """Within five standard deviations of a third."""
        self.assertEqual(sum(nodes.values()), count)
        self.assertEqual(set(nodes), set(self.names))
        for name, connections in nodes.items():
            self.assertLess(abs(connections - count / 3), 5 * (count * 2 / 9) ** 0.5, f"{name} of {nodes}")

    def test_connections_spread_evenly(self) -> None:
        count = 600 if QUICK else 10_000
        for host in (SERVICE_V4, SERVICE_V6):
            seen = self.connections("--count", count, "--host", host)
            self.assertEqual(seen["failed"], 0)
            self.assert_even(seen["nodes"], count)

    def test_a_socket_always_lands_on_the_same_node(self) -> None:
        first, again = (self.connections("--count", 60, "--first-port", 20001) for _ in range(2))
        self.assertEqual(first["failed"] + again["failed"], 0)
        self.assertEqual(first["ports"], again["ports"])
        successor = next(name for name in self.names if name != cluster.master(self.before))
        self.control(cluster.master(self.before), "handover", successor)
        until(lambda: cluster.master(self.whole()) == successor, 10, f"{successor} leads")
        self.assertEqual(self.connections("--count", 60, "--first-port", 20001)["ports"], first["ports"])

    def test_address_affinity(self) -> None:
        self.with_service_keys('affinity = "address"\n')
        seen = self.connections("--count", 100)
        self.assertEqual((seen["failed"], len(seen["nodes"])), (0, 1), seen)
        both: dict[str, int] = {}
        for last in range(2, 26):
            address = f"198.51.100.{100 + last}"
            self.gw("ip", "addr", "add", f"{address}/24", "dev", "gw0")
            self.addCleanup(self.gw, "ip", "addr", "del", f"{address}/24", "dev", "gw0")
            seen = self.connections("--count", 5, "--source", address)
            self.assertEqual((seen["failed"], len(seen["nodes"])), (0, 1), seen)
            both |= seen["nodes"]
        self.assertEqual(set(both), set(self.names))

    def test_adaptive_affinity(self) -> None:
        """A heavy hitter's new connections are spread, its old ones and all of others' stay whole."""
        self.with_service_keys('affinity = "adaptive"\n')
        small = [f"198.51.100.{last}" for last in range(102, 152)]
        for address in small:
            self.gw("ip", "addr", "add", f"{address}/24", "dev", "gw0")
            self.addCleanup(self.gw, "ip", "addr", "del", f"{address}/24", "dev", "gw0")
        at = self.small_clients(small)
        self.assertEqual(set(at.values()), set(self.names))

        count = 2_000 if QUICK else 20_000
        with self.downloads() as result:
            seen = self.connections("--count", count, timeout=240)
            self.assertEqual(seen["failed"], 0)
            self.assertEqual(self.services("n1")["heavy_hitters"], [GATEWAY_V4])
            self.balanced(*self.names)
        self.assert_broken_only_on(result)
        after = self.connections("--count", 600)
        self.assertEqual(after["failed"], 0)
        self.assert_even(after["nodes"], 600)
        if not QUICK:
            self.assertGreater(min(seen["nodes"].values()), count / 4, seen)
        self.assertEqual(self.small_clients(small), at)

    def small_clients(self, addresses: Iterable[str]) -> dict[str, str]:
        """The one node that serves each of these."""
        at = {}
        for address in addresses:
            seen = self.connections("--count", 4, "--source", address)
            self.assertEqual((seen["failed"], len(seen["nodes"])), (0, 1), seen)
            (at[address],) = seen["nodes"]
        return at

    def test_who_has_the_most_flows(self) -> None:
        master = cluster.master(self.before)
        self.assertEqual(self.connections("--count", 40)["failed"], 0)

        def of_gateway() -> Any:
            remotes = json.loads(self.control(master, "--json", "flows", "--top", "10"))["top"]["remotes"]
            return next((row for row in remotes if row["remote"] == GATEWAY_V4), {"flows": 0})

        until(lambda: of_gateway()["flows"] >= 40, 25, lambda: f"the gateway's flows are found: {of_gateway()}")
        self.assertEqual({part["service"] for part in of_gateway()["parts"]}, {"web"})
        self.assertIn(GATEWAY_V4, self.control(master, "flows", "--top"))

    def test_weights(self) -> None:
        self.control("n1", "weight", "n2", "web", "6")
        self.addCleanup(self.control, "n1", "weight", "n2", "web", "default")

        def shares() -> Any:
            (row,) = self.services("n3")["services"]
            return {owner["name"]: owner["weight"] for owner in row["owners"]}

        until(lambda: shares() == {"n1": 1, "n2": 6, "n3": 1}, 10, lambda: f"n2 has 6 of 8: {shares()}")
        seen = self.connections("--count", 400)
        self.assertEqual(seen["failed"], 0)
        self.assertGreater(seen["nodes"]["n2"], 250, seen)


class Downloads(BalanceTest):
    """One event each, while downloads are under way on every node."""

    def master(self) -> str:
        return cluster.master(self.before)

    def member(self) -> str:
        return next(name for name in self.names if name not in (self.master(), cluster.deputy(self.before)))

    def test_master_killed(self) -> None:
        with self.downloads() as result:
            self.lab.node(self.master()).kill()
            self.balanced(*self.others(self.master()))
        self.assert_broken_only_on(result, self.master())

    def test_member_killed(self) -> None:
        with self.downloads() as result:
            self.lab.node(self.member()).kill()
            self.balanced(*self.others(self.member()))
        self.assert_broken_only_on(result, self.member())

    def test_two_drained_at_once(self) -> None:
        drained = self.others(self.master())
        for name in drained:
            self.addCleanup(self.control, name, "undrain", name)
        with self.downloads() as result:
            for name in drained:
                self.control(self.master(), "drain", name)
            self.balanced(self.master())
            # From ports that no connection had before: one that is still remembered would go where it went.
            seen = self.connections("--count", 20, "--first-port", 21001)
            self.assertEqual(set(seen["nodes"]), {self.master()}, seen)
        self.assert_broken_only_on(result)
        self.assertEqual(set(result), set(self.names))

    def test_drained_until_a_deadline(self) -> None:
        drained = self.member()
        self.addCleanup(self.control, drained, "undrain", drained)
        rest = self.others(drained)

        def left() -> Any:
            (row,) = self.services(self.master())["draining"]
            return row["drain_left_seconds"]

        def flows_there() -> Any:
            owners = json.loads(self.control(self.master(), "--json", "flows"))["owners"]
            (row,) = [row for row in owners if row["name"] == drained]
            return row["flows"]

        with self.downloads(seconds=3) as before:
            self.control(self.master(), "drain", drained, "--deadline", "60")
            self.balanced(*rest)
            self.assertGreater(left(), 40)
        self.assert_broken_only_on(before)
        self.control(self.master(), "undrain", drained)
        self.balanced(*self.names)
        with self.downloads(seconds=12) as result:
            self.control(self.master(), "drain", drained, "--deadline", "3")
            self.balanced(*rest)
            until(lambda: left() == 0, 10, "the deadline passes")
            self.assertEqual(set(self.connections("--count", 30)["nodes"]), set(rest))
            until(lambda: flows_there() == 0, 25, "its flows are forgotten")
        self.assert_broken_only_on(result, drained)
        self.assertEqual(set(result), set(self.names))

    def test_node_added(self) -> None:
        self.lab.node(self.member()).kill()
        rest = self.others(self.member())
        self.balanced(*rest)
        with self.downloads() as result:
            self.lab.node(self.member()).start()
            self.balanced(*self.names)
        self.assert_broken_only_on(result)
        self.assertEqual(set(result), set(rest))

    def test_weights_changed_again_and_again(self) -> None:
        for name in self.names:
            self.addCleanup(self.control, name, "weight", name, "web", "default")
        with self.downloads(seconds=10) as result:
            for round_number in range(3):
                for index, name in enumerate(self.names):
                    self.control(name, "weight", name, "web", str(1 + 3 * ((index + round_number) % 3)))
                self.balanced(*self.names)
        self.assert_broken_only_on(result)

    def test_reloaded(self) -> None:
        with self.downloads() as result:
            self.with_service_keys('affinity = "address"\n')
        self.assert_broken_only_on(result)

    def test_handed_over_and_back(self) -> None:
        old = self.master()
        successor = self.others(old)[0]
        with self.downloads(seconds=8) as result:
            self.control(old, "handover", successor)
            until(lambda: cluster.master(self.whole()) == successor, 10, f"{successor} leads")
            self.control(successor, "handover", old)
            until(lambda: cluster.master(self.whole()) == old, 10, f"{old} leads")
        self.assert_broken_only_on(result)

    # Flows that are older than both epochs: only their owners' reports keep them when the master changes.
    def test_master_killed_after_two_epochs(self) -> None:
        spared = self.others(self.master())
        for name in spared:
            self.addCleanup(self.control, name, "weight", name, "web", "default")
        with self.downloads(seconds=14) as result:
            for weights in (("1", "9"), ("9", "1"), ("5", "2")):
                for name, weight in zip(spared, weights, strict=True):
                    self.control(name, "weight", name, "web", weight)
                self.balanced(*self.names)
            self.lab.node(self.master()).kill()
            self.balanced(*spared)
        self.assert_broken_only_on(result, self.master())


class Health(BalanceTest):
    def test_a_node_whose_server_fails_gets_no_new_flow(self) -> None:
        self.with_service_keys('check = { type = "http", path = "/", interval = "200ms", timeout = "150ms" }\n')
        self.balanced(*self.names)
        name = self.names[1]
        web = self.lab.node(name).web()
        assert web
        web.signal(signal.SIGSTOP)
        self.addCleanup(web.signal, signal.SIGCONT)
        self.balanced(*self.others(name))
        seen = self.connections("--count", 60)
        self.assertEqual((seen["failed"], set(seen["nodes"])), (0, set(self.others(name))))
        web.signal(signal.SIGCONT)
        self.balanced(*self.names)


class ReturnByMaster(BalanceTest):
    """The gateway binds the service address to the service MAC: what comes from another is dropped there."""

    def test_downloads_and_a_killed_master(self) -> None:
        self.with_service_keys('return = "master"\n')
        status = json.loads(self.control("n1", "--json", "status"))
        (mac,) = [entry["mac"] for entry in status["addresses"] if entry["address"] == SERVICE_V4]
        rules = [
            "table netdev bind {",
            "chain in {",
            "type filter hook ingress device gw0 priority 0;",
            f"ip saddr {SERVICE_V4} ether saddr != {mac} counter drop",
            "}",
            "}",
        ]
        self.gw("nft", "\n".join(rules))
        self.addCleanup(self.gw, "nft", "delete table netdev bind")
        master = cluster.master(self.before)
        with self.downloads() as result:
            self.lab.node(master).kill()
            self.balanced(*self.others(master))
        self.assert_broken_only_on(result, master)
        self.assertEqual(self.connections("--count", 30)["failed"], 0)


class Explain(BalanceTest):
    """What `qurectl explain` says is what the wire then does."""

    def said(self, name: str, port: int, *protocol: str) -> Any:
        answer = self.control(name, "--json", "explain", f"{GATEWAY_V4}:{port}", f"{SERVICE_V4}:80", *protocol)
        return json.loads(answer)

    def assert_same(self, port: int) -> Any:
        """Whichever node is asked; the master's answer."""
        master = cluster.master(self.before)
        steps = self.said(master, port)
        for name in self.others(master):
            self.assertEqual(self.said(name, port), steps, f"{name} on port {port}")
        return steps

    def assert_true(self, first: int, count: int) -> None:
        """For new flows of these source ports, on every node."""
        master = cluster.master(self.before)
        said = {port: self.said(master, port)["frame"]["node"] for port in range(first, first + count)}
        for port in list(said)[:20]:
            self.assert_same(port)
        seen = self.connections("--count", count, "--first-port", first)
        self.assertEqual((seen["failed"], {int(port): node for port, node in seen["ports"].items()}), (0, said))

    def test_it_agrees_with_the_wire(self) -> None:
        count = 40 if QUICK else 500
        self.assert_true(21000, count)
        drained = self.others(cluster.master(self.before))[0]
        self.control(drained, "drain")
        self.addCleanup(self.control, drained, "undrain")
        self.balanced(*self.others(drained))
        self.assert_true(22000, count)
        steps = self.assert_same(23000)
        self.assertIn({"name": drained, "why_not": "draining"}, steps["others"])

    def test_a_known_flow(self) -> None:
        first, count = 24000, 60
        last = range(first + count - 8, first + count)  # the freshest: flows that are closing are soon forgotten
        for port in last:
            self.assertIsNone(self.assert_same(port)["flow"])
        seen = self.connections("--count", count, "--first-port", first)
        self.assertEqual(set(seen["nodes"]), set(self.names))
        for port in last:
            steps = self.assert_same(port)
            node = seen["ports"][str(port)]
            self.assertEqual((steps["flow"]["owner"], steps["frame"]["node"]), (node, node), steps)

    def test_what_is_not_balanced(self) -> None:
        text = self.control("n1", "explain", f"{GATEWAY_V4}:1000", f"{SERVICE_V4}:81")
        self.assertRegex(text, r"service +none\n(.|\n)*host_service")
        self.assertIn("nowhere", self.control("n1", "explain", "nowhere", "80", status=1))
