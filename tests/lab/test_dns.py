"""Names of the configuration, asked with a real client and with crafted datagrams."""

import re
import socket

from cluster_support import ClusterTest
from qure_dev import dns_message
from support import SERVICE_V4, SERVICE_V6, LabTest, Mixin
from wire import udp_socket


class DnsTests(Mixin):
    """Inherited once per address family."""

    family: int

    server = SERVICE_V4

    def ask(self, *arguments: str) -> str:
        return self.dig(*arguments, server=self.server)

    def test_records(self) -> None:
        for kind, value in (("A", SERVICE_V4), ("AAAA", SERVICE_V6), ("TXT", '"held together by QuRe"')):
            self.assertEqual(self.ask("+short", "www.home.example", kind), f"{value}\n")
        self.assertEqual(self.ask("+short", "home.example", "NS"), "ns1.home.example.\n")
        self.assertIn(
            "ns1.home.example. hostmaster.home.example. 1 3600 600 86400 60", self.ask("+short", "home.example", "SOA")
        )

    def test_flags(self) -> None:
        flags = self.ask("www.home.example", "A").partition("flags: ")[2].partition(";")[0].split()
        self.assertEqual(flags, ["qr", "aa", "rd"])
        flags = self.ask("+norecurse", "www.home.example", "A").partition("flags: ")[2].partition(";")[0].split()
        self.assertEqual(flags, ["qr", "aa"])

    def test_case_is_kept(self) -> None:
        output = self.ask("+norecurse", "WwW.HoMe.ExAmPlE", "A")
        self.assertIn("ANSWER: 1", output)
        self.assertGreaterEqual(output.count("WwW.HoMe.ExAmPlE."), 2, output)  # question and owner

    def test_name_that_does_not_exist(self) -> None:
        output = self.ask("nowhere.home.example", "A")
        self.assertIn("status: NXDOMAIN", output)
        self.assertIn("ANSWER: 0, AUTHORITY: 1", output)
        self.assertRegex(output, r"home\.example\.\s+60\s+IN\s+SOA")

    def test_type_that_does_not_exist(self) -> None:
        output = self.ask("www.home.example", "MX")
        self.assertIn("status: NOERROR", output)
        self.assertIn("ANSWER: 0, AUTHORITY: 1", output)

    def test_foreign_name_is_refused(self) -> None:
        output = self.ask("www.other.example", "A")
        self.assertIn("status: REFUSED", output)
        self.assertIn("ANSWER: 0, AUTHORITY: 0", output)

    def test_edns(self) -> None:
        self.assertIn(
            "EDNS: version: 0, flags:; udp: 1232", self.ask("+edns=0", "+bufsize=4096", "www.home.example", "A")
        )
        self.assertNotIn("EDNS:", self.ask("+noedns", "www.home.example", "A"))
        self.assertIn("status: BADVERS", self.ask("+edns=1", "+noednsneg", "www.home.example", "A"))

    def test_which_server_it_is(self) -> None:
        self.assertIn('NSID: 6e 31 ("n1")', self.ask("+nsid", "www.home.example", "A"))
        for name in ("id.server", "hostname.bind"):
            self.assertEqual(self.ask("+short", "CH", "TXT", name), '"n1"\n')

    def test_cookies(self) -> None:
        first = self.ask("+cookie=0102030405060708", "www.home.example", "A")
        cookie = re.search(r"COOKIE: (0102030405060708[0-9a-f]{32}) \(good\)", first)
        assert cookie, first
        again = self.ask(f"+cookie={cookie[1]}", "www.home.example", "A")
        self.assertIn(f"COOKIE: {cookie[1]} (good)", again)
        self.assertIn("status: FORMERR", self.ask("+ednsopt=10:0102", "+nocookie", "www.home.example", "A"))

    def test_unknown_opcode(self) -> None:
        self.assertIn("status: NOTIMP", self.ask("+opcode=2", "www.home.example", "A"))

    def _is_silence(self, udp: socket.socket, message: bytes, reason: str) -> None:
        """No answer: the message is counted, and the next question on the same socket is the first to be answered."""
        before = self.counters()[reason]
        udp.sendto(message, (self.server, 53))
        self.wait_for_counter(reason, before)
        udp.setblocking(False)
        with self.assertRaises(BlockingIOError):
            udp.recv(2048)

    def test_silence_to_answers(self) -> None:
        """An answer to an answer would make a loop."""
        with udp_socket("gw", self.family) as udp:
            query = bytearray(dns_message.query("www.home.example", payload=None))
            query[2] |= 0x80
            self._is_silence(udp, bytes(query), "dns_response")

    def test_silence_to_port_53(self) -> None:
        with udp_socket("gw", self.family) as udp:
            udp.bind(("", 53))
            self._is_silence(udp, dns_message.query("www.home.example", payload=None), "dns_reflection")

    def test_silence_to_a_short_message(self) -> None:
        with udp_socket("gw", self.family) as udp:
            self._is_silence(udp, b"\x12\x34\x01\x00", "dns_short")

    def test_malformed_question(self) -> None:
        with udp_socket("gw", self.family) as udp:
            udp.sendto(dns_message.query("www.home.example", payload=None)[:-3], (self.server, 53))
            answer = udp.recv(2048)
            self.assertEqual(answer[:2], b"\x51\x52")
            self.assertEqual(answer[3] & 0xF, 1, "FORMERR")


class Dns4(DnsTests, LabTest):
    server = SERVICE_V4
    family = socket.AF_INET


class Dns6(DnsTests, LabTest):
    server = SERVICE_V6
    family = socket.AF_INET6


class Takeover(ClusterTest):
    def test_cookies_stay_good(self) -> None:
        """All nodes share the secret: what the old master gave, the new one takes."""
        first = self.dig("+cookie=0102030405060708", "www.home.example", "A")
        cookie = re.search(r"COOKIE: ([0-9a-f]{48}) \(good\)", first)
        assert cookie, first
        master = next(name for name, status in self.before.items() if status["role"] == "master")
        self.assertIn("NSID: ", self.dig("+nsid", "www.home.example", "A"))
        self.lab.node(master).kill()
        self.whole(*self.others(master))
        answer = self.dig(f"+cookie={cookie[1]}", "+nsid", "www.home.example", "A")
        self.assertIn(f"COOKIE: {cookie[1]} (good)", answer)
        self.assertNotIn(f'("{master}")', answer)
