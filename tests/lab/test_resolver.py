"""Names of others: aliases that follow them, and clients of the LAN that ask for them."""

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from dns_servers import update, upstream
from qure_dev.paths import ROOT
from qure_dev.process import Process
from support import GATEWAY_V4, GATEWAY_V6, SERVICE_V4, SERVICE_V6, LabTest, Request, until

SERVER = (GATEWAY_V4, 5310)
FOREIGN = "203.0.113.77"  # an address of the gateway that is outside the clients' network
STALE = 4  # seconds
ZONE = """$TTL 2
@ SOA ns hostmaster 1 3600 600 86400 2
  NS ns
ns A 198.51.100.1
cloud A 203.0.113.1
cloud AAAA 2001:db8:9::1
away CNAME cloud
back CNAME www.alias.test.
rich A 203.0.113.9
"""
NAMED = f'"{GATEWAY_V4}/32", "{GATEWAY_V6}/128"'  # the tests ask from there
CONFIG = f"""
[cluster.resolver]
upstreams = ["{SERVER[0]}:{SERVER[1]}"]
forward = true
clients = ["198.51.100.0/24", "2001:db8:2::/64", {NAMED}]
stale = "{STALE}s"
timeout = "200ms"

[[cluster.zone]]
name = "alias.test"
ns = ["alias.test"]

[[cluster.zone.record]]
name = "@"
type = "ALIAS"
value = "away.up.test"

[[cluster.zone.record]]
name = "loop"
type = "ALIAS"
value = "back.up.test"

[[cluster.zone.record]]
name = "www"
type = "A"
value = "198.51.100.50"
"""


class Resolver(LabTest):
    zone_text: Path

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="qure-resolver-")
        cls.addClassCleanup(directory.cleanup)
        cls.zone_text = Path(directory.name) / "up.test.zone"
        config = Path(directory.name) / "qure.toml"
        config.write_text((ROOT / "docs/example.toml").read_text() + CONFIG)
        cls.request = Request(config=str(config))
        super().setUpClass()

    def running_upstream(self) -> AbstractContextManager[Process]:
        self.zone_text.write_text(ZONE)
        return upstream(SERVER, {"up.test": self.zone_text})

    def short(self, *arguments: str, server: str = SERVICE_V4) -> list[str]:
        return self.dig("+short", *arguments, server=server).split()

    def alias_states(self) -> dict[str, str]:
        lines = self.node.control("dns", "aliases").stdout.splitlines()[1:]
        return {target: state for target, state, _ in (line.split(None, 2) for line in lines)}

    def wait_short(self, expected: list[str], *arguments: str, deadline: float = 10, **options: Any) -> None:
        until(
            lambda: self.short(*arguments, **options) == expected,
            deadline,
            lambda: f"{arguments} {expected}: {self.dig(*arguments, **options)}",
        )

    def test_an_alias_follows_its_target(self) -> None:
        with self.running_upstream() as server:
            self.wait_short(["203.0.113.1"], "alias.test", "A", deadline=35)
            self.wait_short(["2001:db8:9::1"], "alias.test", "AAAA")
            answer = self.dig("alias.test", "A")
            self.assertRegex(answer, r"alias\.test\.\s+[0-2]\s+IN\s+A\s+203\.0\.113\.1")
            self.assertIn("flags: qr aa", answer)
            update(self.lab, SERVER, "zone up.test.", "del cloud.up.test. A", "add cloud.up.test. 2 A 203.0.113.2")
            self.wait_short(["203.0.113.2"], "alias.test", "A", deadline=5)  # TTL 2 s
            self.assertEqual(self.alias_states()["away.up.test."], "good")

            server.stop(5)
            until(lambda: self.alias_states()["away.up.test."] == "stale", 10, "the server is missed")
            self.assertEqual(self.short("alias.test", "A"), ["203.0.113.2"])  # the last good answer
            until(lambda: "status: SERVFAIL" in self.dig("alias.test", "A"), STALE + 10, "the last answer is too old")
            self.assertEqual(self.short("www.alias.test"), [SERVICE_V4])

    def test_an_alias_that_leads_back_is_found(self) -> None:
        with self.running_upstream():
            until(lambda: self.alias_states()["back.up.test."] == "loop", 35, "the loop is seen")
            self.assertIn("status: SERVFAIL", self.dig("loop.alias.test"))

    def test_clients_of_the_lan_may_ask_for_more(self) -> None:
        with self.running_upstream():
            before = self.counters()
            answer = self.dig("rich.up.test", "A")
            self.assertIn("status: NOERROR", answer)
            self.assertRegex(answer, r"rich\.up\.test\.\s+[12]\s+IN\s+A\s+203\.0\.113\.9")
            self.assertIn("flags: qr rd ra;", answer)
            self.assertGreater(self.counters()["dns_forwarded"], before["dns_forwarded"])
            until(
                lambda: self.short("rich.up.test") and self.counters()["dns_cached"] > before["dns_cached"],
                10,
                "an answer from the packet path",
            )
            self.assertIn("203.0.113.9", self.dig("+tcp", "rich.up.test"))
            self.assertEqual(self.short("rich.up.test", server=SERVICE_V6), ["203.0.113.9"])
            missing = self.dig("nowhere.up.test")
            self.assertIn("status: NXDOMAIN", missing)
            self.assertIn("AUTHORITY: 1", missing)
            chain = self.dig("away.up.test", "AAAA")
            self.assertIn("CNAME\tcloud.up.test.", chain)
            self.assertIn("AAAA\t2001:db8:9::1", chain)
            self.assertIn("flags: qr aa rd ra;", self.dig("www.alias.test"))
            self.assertIn("status: REFUSED", self.dig("+norecurse", "rich.up.test"))

    def test_field_e3_not_the_gateway_unless_it_is_named(self) -> None:
        with self.running_upstream():
            self.wait_short(["203.0.113.9"], "rich.up.test")
            self.edit_config(f", {NAMED}]", "]")
            self.addCleanup(self.reload_with, "]\nstale", f", {NAMED}]\nstale")
            self.node.control("reload")
            before = self.counters()["dns_gateway"]
            until(lambda: "status: REFUSED" in self.dig("rich.up.test"), 5, "the gateway is refused")
            self.assertGreater(self.counters()["dns_gateway"], before)
            self.assertIn("status: REFUSED", self.dig("+tcp", "rich.up.test"))
            self.assertIn(SERVICE_V4, self.dig("www.alias.test"))

    def reload_with(self, old: str, new: str) -> None:
        self.edit_config(old, new)
        self.node.control("reload")

    def test_nobody_else_may(self) -> None:
        self.gw("ip", "address", "add", f"{FOREIGN}/32", "dev", "lo")
        self.addCleanup(self.gw, "ip", "address", "del", f"{FOREIGN}/32", "dev", "lo")
        with self.running_upstream():
            self.wait_short(["203.0.113.9"], "rich.up.test")  # known by now
            refused = self.dig("-b", FOREIGN, "rich.up.test")
            self.assertIn("status: REFUSED", refused)
            self.assertNotIn(" ra", refused.partition("flags:")[2].partition(";")[0])
            self.assertIn("status: REFUSED", self.dig("-b", FOREIGN, "+tcp", "rich.up.test"))
            self.assertIn(SERVICE_V4, self.dig("-b", FOREIGN, "www.alias.test"))
