"""A changed configuration is applied without losing a packet; a bad one is refused whole."""

import contextlib
import signal
import socket
import subprocess
import threading
from typing import Any, Self

from qure_dev import dns_message
from qure_dev.lab import netns, topology
from qure_dev.waiting import paced
from support import SERVICE_V4, SERVICE_V6, LabTest, until
from wire import udp_socket

RELOADS = 10
RATE = 400  # per second


class Stream:
    """Datagrams at a constant rate, each to be answered: lost() is the number that were not."""

    def __init__(self, port: int, payload: bytes) -> None:
        self._payload = payload
        self._udp = udp_socket("gw", socket.AF_INET)
        self._udp.connect((SERVICE_V4, port))
        self._done = threading.Event()
        self._sent = 0
        self._answered: set[Any] = set()
        self._threads = [
            threading.Thread(target=self._send, daemon=True),
            threading.Thread(target=self._receive, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self._answered, 5, "the first answer of the stream")
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def _send(self) -> None:
        for turn in paced(RATE, 3600):
            if self._done.is_set():
                return
            self._udp.send(turn.to_bytes(2, "big") + self._payload[2:])
            self._sent = turn + 1

    def _receive(self) -> None:
        """Ends when no answer has come for the socket's timeout after the last was sent."""
        while True:
            try:
                self._answered.add(self._udp.recv(2048)[:2])
            except TimeoutError:
                if self._done.is_set():
                    return

    def lost(self) -> int:
        return self._sent - len(self._answered)

    @property
    def sent(self) -> int:
        return self._sent


class Reload(LabTest):
    alone = True

    def setUp(self) -> None:
        self.good = self.node.config_path.read_text()
        self.addCleanup(self._restore)

    def _restore(self) -> None:
        self.node.config_path.write_text(self.good)
        self.assertEqual(self.node.control("reload").returncode, 0)

    def reload(self) -> None:
        done = self.node.control("reload")
        self.assertEqual(done.returncode, 0, done.stderr)

    def txt(self) -> str:
        return self.dig("+short", "www.home.example", "TXT").strip().strip('"')

    @contextlib.contextmanager
    def pings(self, *arguments: str) -> Any:
        """A constant-rate ping meanwhile; none may be lost."""
        reason = "echo6_reply" if "-6" in arguments else "echo_reply"
        before = self.counters()[reason]
        argv = netns.inside(topology.gateway(), "ping", "-q", "-i", "0.003", "-W", "2", *arguments)
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            self.wait_for_counter(reason, before)
            yield
            self.wait_for_counter(reason, self.counters()[reason])
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=30)[0]
        # The one that was under way when ping was stopped may be missing.
        self.assertLessEqual(self.lost(output), 1, output)

    def test_no_packet_is_lost(self) -> None:
        """Ping (v4 and v6) and DNS in the fast path, UDP echo through the host port, during ten reloads."""
        dns, echo = dns_message.query("www.home.example", payload=None), bytes(64)
        with self.pings(SERVICE_V4), self.pings("-6", SERVICE_V6), Stream(53, dns) as names, Stream(
            topology.ECHO_PORT, echo
        ) as host:
            text = "held together by QuRe"
            for turn in range(RELOADS):
                new = f"reload number {turn}"
                self.edit_config(f'value = "{text}"', f'value = "{new}"')
                self.reload()
                until(lambda: self.txt() == new, 5, f"the TXT record says {new}")
                text = new
        self.assertEqual((names.lost(), host.lost()), (0, 0), f"of {names.sent} and {host.sent}")

    def test_hang_up(self) -> None:
        self.edit_config("held together by QuRe", "read again")
        self.node.recorded().signal(signal.SIGHUP)
        until(lambda: self.txt() == "read again", 5, "the new TXT record")

    def test_address_added_and_removed(self) -> None:
        with self.pings(SERVICE_V4):
            self.edit_config(
                "[[cluster.service]]", '[[cluster.address]]\naddress = "198.51.100.60/24"\n\n[[cluster.service]]'
            )
            self.reload()
            self.node.wait_for("198.51.100.60", state="held")
            self.assertEqual(self.curl("http://198.51.100.60/"), "n1\n")
            self.node.config_path.write_text(self.good)
            self.reload()
            until(lambda: not self.node.address("198.51.100.60"), 5, "the address is given up")
        self.forget_neighbors()
        done = self.lab.execute("gw", "ping", "-c", "1", "-W", "1", "198.51.100.60")
        self.assertNotEqual(done.returncode, 0)

    def check_refused(self, old: str, new: str, key: str) -> None:
        """Refused with file, line and key, by `reload` and by `config check`; the old configuration goes on serving."""
        self.edit_config(old, new)
        line = self.node.config_path.read_text().partition(new)[0].count("\n") + 1
        where = f"{self.node.config_path}:{line}: {key}: "
        with self.pings(SERVICE_V4):
            done = self.node.control("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn(where, done.stderr)
        self.assertIn(where, self.node.log.read_text())
        self.assertFalse(self.node.status()["last_reload"]["success"])
        checked = self.node.control("config", "check", str(self.node.config_path))
        self.assertEqual(checked.returncode, 2)
        self.assertIn(where, checked.stderr)
        self.assertEqual(self.txt(), "held together by QuRe")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")

    def test_bad_value(self) -> None:
        self.check_refused('default = "local"', 'default = "lokal"', "cluster.default")

    def test_unknown_key(self) -> None:
        self.check_refused('probe_interval = "150ms"', 'prob_interval = "150ms"', "cluster.prob_interval")

    def test_bad_address(self) -> None:
        self.check_refused('address = "198.51.100.50/24"', 'address = "198.51.100.500/24"', "cluster.address.address")

    def test_what_needs_a_restart(self) -> None:
        self.edit_config(f'file_prefix = "{topology.namespace("n1")}"', 'file_prefix = "other"')
        done = self.node.control("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("node.dpdk.file_prefix", done.stderr)

    def test_good_file_is_valid(self) -> None:
        self.assertEqual(self.node.control("config", "check", str(self.node.config_path)).returncode, 0)
