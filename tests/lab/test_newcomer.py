"""A newcomer's path: one machine with its address and default route on the interface, logged in through it."""

import http.client
import json
import re
import shutil
import socket

from qure_dev.lab import netns, topology
from qure_dev.paths import ROOT
from qure_dev.process import spawn
from support import SERVICE_V4, LabTest, Request, until

NODE_V4 = topology.node_addresses(1)[0]
PATIENCE = 60  # seconds in which a connection may stand still: neighbours keep an old MAC address for a while


class Connection:
    """One TCP connection from the gateway to the machine's own address, as ssh has it, that nothing may break."""

    def __init__(self) -> None:
        self.http = http.client.HTTPConnection(NODE_V4.partition("/")[0], topology.WEB_PORT)
        self.http.auto_open = 0  # one connection, and no other after it
        self.http.sock = netns.open_socket(topology.gateway(), socket.AF_INET, socket.SOCK_STREAM)
        self.http.sock.settimeout(PATIENCE)
        self.http.sock.connect((self.http.host, self.http.port))

    def speak(self) -> str:
        """Asks the server behind it something; returns its answer."""
        self.http.request("GET", "/")
        return self.http.getresponse().read().decode()


class Newcomer(LabTest):
    request = Request(mode="shared")

    def setUp(self) -> None:
        # The gateway soon asks again for an address that does not answer.
        soon = {"base_reachable_time_ms": 1000, "delay_first_probe_time": 1, "retrans_time_ms": 200}
        netns.sysctl(topology.gateway(), **{f"ipv4__neigh__gw0__{name}": value for name, value in soon.items()})
        self.end()
        shutil.rmtree(self.node.directory / "data", ignore_errors=True)
        self.write(mode="shared")
        self.connection = Connection()
        self.addCleanup(self.connection.http.close)
        self.addCleanup(self.end)

    def write(self, mode: str, **more: str) -> None:
        """README's configuration, as printed but for the mode and for the folders, which other nodes of this machine
        share."""
        found = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        assert found, "README.md has a configuration"
        text = found[1].replace('mode = "shared"', "\n".join([f'mode = "{mode}"', *map(" = ".join, more.items())]))
        folders = f'data_directory = "{self.node.directory}/data"\ncontrol_socket = "{self.node.socket}"\n'
        self.node.config_path.write_text(text.replace("[node]\n", f"[node]\n{folders}", 1))

    def end(self) -> None:
        process = self.node.process()
        if process and process.alive():
            self.assertTrue(process.stop(grace=15), "did not end after SIGTERM")

    def run_program(self, *options: str) -> tuple[int, str]:
        done = self.on_node(*self.node.program(), *options)
        return done.returncode, done.stdout + done.stderr

    def begin_trial(self, duration: str) -> None:
        """Starts qured for a while and waits until it serves."""
        argv = netns.inside(self.node.namespace, *self.node.program(), "--try", duration)
        spawn(argv, self.node.log).save(self.node.directory / "qured.pid")
        self.node.answers()
        self.assertIn(NODE_V4, self.addresses("qure0"))
        self.assertNotIn(NODE_V4, self.addresses("lan0"))
        self.assert_connected("on trial")

    def addresses(self, interface: str) -> list[str]:
        done = self.on_node("ip", "-j", "addr", "show", interface)
        entries = json.loads(done.stdout or "[]") if done.returncode == 0 else []
        return [f"{info['local']}/{info['prefixlen']}" for entry in entries for info in entry.get("addr_info", ())]

    def assert_connected(self, when: str) -> None:
        try:
            self.assertEqual(self.connection.speak(), "n1\n", when)
        except (OSError, http.client.HTTPException) as error:
            self.fail(f"{when}: {error}; {self.node.last_words()}")

    def assert_given_back(self) -> None:
        until(lambda: NODE_V4 in self.addresses("lan0"), 15, f"{NODE_V4} is on lan0 again")
        until(
            lambda: "default via" in self.on_node("ip", "route", "show", "dev", "lan0").stdout,
            5,
            "the default route leads through lan0 again",
        )
        self.assertEqual(self.addresses("qure0"), [])

    def test_shared_as_printed(self) -> None:
        status, text = self.run_program("--check")
        self.assertEqual(status, 0, text)
        self.assertNotIn(NODE_V4, text)
        self.assert_connected("after --check")
        self.node.start()
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertEqual(self.curl(f"http://{SERVICE_V4}/"), "n1\n")
        self.assert_connected("after the start")
        self.node.kill()
        self.assert_connected("after kill -9")
        self.node.start()
        self.assert_connected("after the next start")
        self.end()
        self.assert_connected("after the stop")
        self.assertIn(NODE_V4, self.addresses("lan0"))

    def test_field_d1_dedicated_is_refused(self) -> None:
        self.write(mode="dedicated")
        for option in ("--check", None):
            status, text = self.run_program(*[option] if option else [])
            self.assertNotEqual(status, 0, text)
            for word in (NODE_V4, "default route", "take_over"):
                self.assertIn(word, text)
        self.assert_connected("after the refusal")
        self.assertIn(NODE_V4, self.addresses("lan0"))

    def test_field_d1_a_trial_undoes_itself(self) -> None:
        self.write(mode="dedicated", take_over="true")
        status, text = self.run_program("--check")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, rf"{re.escape(NODE_V4)}.*lan0.*qure0")
        self.begin_trial("10s")
        until(lambda: not self.node.running(), 60, "the trial ends")
        self.assert_given_back()
        self.assert_connected("after the trial")

    def test_field_d1_a_trial_that_is_killed(self) -> None:
        self.write(mode="dedicated", take_over="true")
        self.begin_trial("300s")
        self.node.kill()
        self.assert_given_back()
        self.assert_connected("after kill -9")

    def test_field_d1_a_trial_that_is_confirmed(self) -> None:
        self.write(mode="dedicated", take_over="true")
        self.begin_trial("300s")
        self.assertEqual(self.node.control("confirm").returncode, 0)
        self.assertEqual(self.node.control("confirm").returncode, 1)  # there is nothing to confirm any more
        self.assert_connected("confirmed")
        self.end()
        self.assert_given_back()
        self.assert_connected("after the stop")

    def test_field_d1_killed_without_a_trial(self) -> None:
        """The next start and `--restore` give back what a kill has left."""
        self.write(mode="dedicated", take_over="true")
        self.node.start()
        self.node.kill()
        self.node.start()
        self.assert_connected("after kill -9 and the next start")
        self.node.kill()
        status, text = self.run_program("--restore")
        self.assertEqual(status, 0, text)
        self.assert_given_back()
        self.assert_connected("after --restore")
