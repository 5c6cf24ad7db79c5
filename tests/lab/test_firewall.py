"""A firewall on a node that keeps clients from a service, while the server works and the machine itself reaches it."""

import functools
import json
import signal
from typing import Any

from balance_support import BalanceTest
from qure_dev.lab import netns, topology
from support import GATEWAY_V4, SERVICE_V4, until

CHECK = 'check = { type = "http", path = "/", interval = "200ms", timeout = "150ms" }\n'
# As somebody writes it who thinks of the machine's network card: clients come by the host port.
RULES = """
table inet closed {
chain in {
type filter hook input priority 0; policy drop;
iif lo accept
iifname "lan0" tcp dport 80 accept
}
}
"""


class Firewall(BalanceTest):
    def checked(self, check: str = CHECK) -> None:
        self.with_service_keys(check)
        self.balanced(*self.names)

    def close(self, name: str) -> None:
        namespace = topology.namespace(name)
        netns.nft(namespace, RULES)
        self.addCleanup(netns.nft, namespace, "table inet closed\ndelete table inet closed")

    def check_of(self, name: str) -> Any:
        (row,) = [row for row in self.services(name)["services"] if row["name"] == "web"]
        return row["check"]

    def port_of(self, owner: str) -> int:
        """A source port of the gateway whose next flow goes to `owner`."""
        for port in range(26000, 26100):
            asked = ("explain", f"{GATEWAY_V4}:{port}", f"{SERVICE_V4}:80")
            if json.loads(self.control(owner, "--json", *asked))["frame"]["node"] == owner:
                return port
        self.fail(f"{owner} gets none of 100 flows")

    def is_accused(self, name: str, by: str) -> bool:
        verdict = json.loads(self.control(by, "--json", "status"))["verdict"]
        return any("firewall" in reason and name in reason for reason in verdict["reasons"])

    def test_field_d13_a_node_that_clients_cannot_reach_has_no_share(self) -> None:
        self.checked()
        name = self.names[1]
        self.close(name)
        self.balanced(*self.others(name))
        self.assertEqual(self.check_of(name), "unreached")
        for asked in self.names:
            until(functools.partial(self.is_accused, name, asked), 10, f"{asked} says that clients do not reach {name}")
        seen = self.connections("--count", 60)
        self.assertEqual((seen["failed"], set(seen["nodes"])), (0, set(self.others(name))))
        netns.nft(topology.namespace(name), "delete table inet closed")
        self.balanced(*self.names)
        self.assertEqual(self.check_of(name), "healthy")

    def test_field_b2_the_next_syn_goes_to_a_living_node(self) -> None:
        self.checked()
        name = self.names[1]
        port = self.port_of(name)
        self.close(name)
        seen = self.connections("--count", 1, "--first-port", port)
        self.assertEqual(seen["failed"], 0, seen)
        self.assertNotIn(name, seen["nodes"])

    def test_without_reach_the_firewall_is_nobodys_business(self) -> None:
        self.checked(CHECK.replace(" }", ", reach = false }"))
        closed, stopped = self.names[1], self.names[2]
        self.close(closed)
        web = self.lab.node(stopped).web()
        assert web
        web.signal(signal.SIGSTOP)
        self.addCleanup(web.signal, signal.SIGCONT)
        self.balanced(*self.others(stopped))  # by then the others have been checked as often
        self.assertEqual(self.check_of(closed), "healthy")
