"""The main job, on each kind of LAN port: the service address answers, and the node behind it is reached."""


from qure_dev.lab import web
from support import GATEWAY_V4, SERVICE_V4, SERVICE_V6, LabTest, Mixin, Request

FLOOD = 20_000
BIG = 5_000_000


class ServiceTests(Mixin):
    """Inherited once per port kind."""

    # DPDK's af_packet driver has the kernel reassemble IPv4 (PACKET_FANOUT_FLAG_DEFRAG): beyond any port's MTU.
    keeps_fragments = True

    def setUp(self) -> None:
        self.node.start()
        self.service_mac = self.node.wait_for(SERVICE_V4, state="held")["mac"]
        self.node.wait_for(SERVICE_V6, state="held")

    def test_arping(self) -> None:
        output = self.gw("arping", "-c", "3", "-f", "-w", "3", "-I", "gw0", SERVICE_V4)
        self.assertIn(self.service_mac, output.lower())

    def test_arp_probe_finds_the_address_in_use(self) -> None:
        done = self.lab.execute("gw", "arping", "-D", "-c", "2", "-w", "3", "-I", "gw0", SERVICE_V4)
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_ping(self) -> None:
        self.forget_neighbors()
        before = self.counters()["echo_reply"]
        self.assertIn(" 0% packet loss", self.gw("ping", "-c", "5", "-i", "0.05", "-W", "2", SERVICE_V4))
        self.wait_for_counter("echo_reply", before + 4)
        self.assertIn(self.service_mac, self.gw("ip", "neigh", "show", SERVICE_V4))

    def test_ping6(self) -> None:
        self.forget_neighbors()
        before = self.counters()["neighbor_advertisement"]
        self.assertIn(" 0% packet loss", self.gw("ping", "-6", "-c", "5", "-i", "0.05", "-W", "2", SERVICE_V6))
        self.wait_for_counter("neighbor_advertisement", before)
        self.assertIn(self.node.address(SERVICE_V6)["mac"], self.gw("ip", "neigh", "show", SERVICE_V6))

    def test_large_ping(self) -> None:
        self.assertIn(" 0% packet loss", self.gw("ping", "-c", "3", "-i", "0.05", "-s", "1472", "-M", "do", SERVICE_V4))
        self.assertIn(
            " 0% packet loss", self.gw("ping", "-6", "-c", "3", "-i", "0.05", "-s", "1452", "-M", "do", SERVICE_V6)
        )

    def test_fragmented_ping_reaches_the_kernel(self) -> None:
        if self.keeps_fragments:
            self.assertIn(" 0% packet loss", self.gw("ping", "-c", "3", "-i", "0.05", "-s", "4000", SERVICE_V4))
        self.assertIn(" 0% packet loss", self.gw("ping", "-6", "-c", "3", "-i", "0.05", "-s", "4000", SERVICE_V6))

    def test_flood(self) -> None:
        self.flood(FLOOD, SERVICE_V4)

    def test_flood6(self) -> None:
        self.flood(FLOOD, "-6", SERVICE_V6)

    def test_dig(self) -> None:
        self.assertEqual(self.dig("+short", "www.home.example", "A"), f"{SERVICE_V4}\n")
        self.assertEqual(self.dig("+short", "www.home.example", "AAAA", server=SERVICE_V6), f"{SERVICE_V6}\n")
        self.assertEqual(self.dig("+short", "www.home.example", "TXT"), '"held together by QuRe"\n')

    def test_curl(self) -> None:
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.assertEqual(self.curl(f"http://[{SERVICE_V6}]/"), "n1\n")

    def test_client_address_is_kept(self) -> None:
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/peer"), f"{GATEWAY_V4}\n")

    def test_big_body(self) -> None:
        expected = web.pattern(BIG).decode()
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/bytes/{BIG}"), expected)
        self.assertEqual(self.curl(f"http://[{SERVICE_V6}]/bytes/{BIG}"), expected)

    def test_own_address_of_the_node(self) -> None:
        self.assertEqual(self.curl("http://198.51.100.11/"), "n1\n")
        self.assertEqual(self.curl("http://[2001:db8:2::11]/"), "n1\n")

    def test_node_reaches_the_gateway(self) -> None:
        for arguments in (("-4", GATEWAY_V4), ("-6", "2001:db8:2::1"), ("-4", "-I", SERVICE_V4, GATEWAY_V4)):
            done = self.on_node("ping", "-c", "3", "-i", "0.05", "-W", "2", *arguments)
            self.assertIn(" 0% packet loss", done.stdout, f"{arguments}: {done.stdout}{done.stderr}")

    def test_gateway_verifies(self) -> None:
        self.node.wait_for(SERVICE_V4, verified=True)
        self.node.wait_for(SERVICE_V6, verified=True)


class AfPacket(ServiceTests, LabTest):
    request = Request(port="af_packet")
    keeps_fragments = False


class AfPacketTwoWorkers(ServiceTests, LabTest):
    request = Request(port="af_packet", workers=2)
    keeps_fragments = False


class AfXdp(ServiceTests, LabTest):
    request = Request(port="af_xdp")


class Tap(ServiceTests, LabTest):
    request = Request(port="tap")


class Shared(ServiceTests, LabTest):
    """The kernel keeps the interface and the node's own address."""

    request = Request(port="af_packet", mode="shared")
    keeps_fragments = False

    def test_own_address_is_the_kernels(self) -> None:
        before = self.counters()["kernel_owned"]
        self.assertEqual(self.curl("http://198.51.100.11/"), "n1\n")
        self.wait_for_counter("kernel_owned", before)
        done = self.on_node("ip", "-br", "addr", "show", "dev", "lan0")
        self.assertIn("198.51.100.11/24", done.stdout)
        self.assertNotIn(SERVICE_V4, done.stdout)

    def test_replies_leave_through_the_host_port(self) -> None:
        done = self.on_node("ip", "route", "get", GATEWAY_V4, "from", SERVICE_V4)
        self.assertIn("dev qure0", done.stdout, done.stderr)
