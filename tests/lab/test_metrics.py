"""What a node shows of itself: to Prometheus, to the operator, to DPDK's own tools."""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from qure_dev.lab import netns, topology
from qure_dev.paths import ROOT
from qure_dev.process import spawn
from support import SERVICE_V4, SERVICE_V6, LabTest, until

TOOLS = ROOT / "build/tools/usr/bin"
PROMETHEUS = """
global: {scrape_interval: 1s}
scrape_configs:
- job_name: qure
  static_configs: [{targets: ["%s"]}]
"""
API = "http://127.0.0.1:9090/api/v1/query"


def tool(name: str) -> str:
    """A program of the Prometheus package: installed, or unpacked by scripts/setup."""
    return shutil.which(name) or str(TOOLS / name)


class Metrics(LabTest):
    def scrape(self) -> str:
        return self.curl(f"http://{topology.METRICS}/metrics", member="n1")

    def sample(self, **labels: str) -> float:
        """The sum of qure_frames_total over the samples with these labels."""
        lines = [line for line in self.scrape().splitlines() if line.startswith("qure_frames_total{")]
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if all(f'{key}="{value}"' in line for key, value in labels.items())
        )

    def test_promtool_finds_nothing(self) -> None:
        done = subprocess.run(
            [tool("promtool"), "check", "metrics"], input=self.scrape(), capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_every_reason_is_there(self) -> None:
        text = self.scrape()
        for reason in self.counters():
            self.assertIn(f'reason="{reason}"', text)

    def test_counts_move(self) -> None:
        before = self.sample(reason="echo_reply", port="lan", verdict="answer")
        self.gw("ping", "-c", "3", "-i", "0.05", SERVICE_V4)
        until(
            lambda: self.sample(reason="echo_reply", port="lan", verdict="answer") >= before + 3,
            5,
            "three more echo replies",
        )

    def test_loopback_only(self) -> None:
        port = topology.METRICS.rpartition(":")[2]
        for address in ("198.51.100.11", SERVICE_V4):
            done = self.lab.execute("gw", "curl", "-sS", "--max-time", "2", f"http://{address}:{port}/metrics")
            self.assertNotEqual(done.returncode, 0)

    def test_prometheus_scrapes(self) -> None:
        with tempfile.TemporaryDirectory() as work:
            config = Path(work, "prometheus.yml")
            config.write_text(PROMETHEUS % topology.METRICS)
            argv = [
                tool("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={work}/data",
                "--web.listen-address=127.0.0.1:9090",
            ]
            process = spawn(netns.inside(self.node.namespace, *argv), Path(work, "log"))
            try:
                until(lambda: self.ask('up{job="qure"}') == ["1"], 60, lambda: Path(work, "log").read_text()[-2000:])
                before = float(self.ask('sum(qure_frames_total{reason="echo_reply"})')[0])
                self.gw("ping", "-c", "3", "-i", "0.05", SERVICE_V4)
                until(
                    lambda: float(self.ask('sum(qure_frames_total{reason="echo_reply"})')[0]) >= before + 3,
                    15,
                    "Prometheus sees the pings",
                )
                self.assertEqual(self.ask(f'qure_claim_state{{address="{SERVICE_V4}",state="held"}}'), ["1"])
            finally:
                process.stop()

    def ask(self, query: str) -> Any:
        """The values that Prometheus answers to a query."""
        done = self.on_node("curl", "-sS", "-G", API, "--data-urlencode", f"query={query}")
        if done.returncode != 0 or not done.stdout.startswith("{"):
            return []
        return [row["value"][1] for row in json.loads(done.stdout)["data"]["result"]]

    def test_dpdk_telemetry(self) -> None:
        self.gw("ping", "-c", "2", "-i", "0.05", SERVICE_V4)
        done = subprocess.run(
            ["dpdk-telemetry.py", "-f", self.node.namespace],
            input="/qure/reasons\n/qure/ports\n/qure/worker,0\nquit\n",
            capture_output=True,
            text=True,
            timeout=20,
            env=os.environ | {"RUNTIME_DIRECTORY": str(self.node.directory)},
        )
        answers = {}
        for line in done.stdout.splitlines():
            match = re.search(r'\{"/qure/\w+":.*\}', line)
            answers.update(json.loads(match.group()) if match else {})
        self.assertGreaterEqual(answers["/qure/reasons"]["echo_reply"], 2, done.stdout + done.stderr)
        self.assertEqual(set(answers["/qure/ports"]), {"lan", "host"})
        self.assertGreater(answers["/qure/worker"]["rounds"], 0)


class Operator(LabTest):
    def test_socket_is_for_root_only(self) -> None:
        mode = os.stat(self.node.socket)
        self.assertEqual((stat.S_IMODE(mode.st_mode) & 0o077, mode.st_uid), (0, 0))

    def test_status(self) -> None:
        self.node.wait_for(SERVICE_V4, state="held")
        text = self.node.control("status").stdout
        for word in ("n1", "master", SERVICE_V4, SERVICE_V6, "held"):
            self.assertIn(word, text)

    def test_ports(self) -> None:
        ports = {port["name"]: port for port in self.node.query("ports")["ports"]}
        self.assertEqual(set(ports), {"lan", "host"})
        self.assertEqual(ports["lan"]["link"], "up")
        text = self.node.control("ports").stdout
        self.assertIn(ports["lan"]["mac"], text)

    def test_counters(self) -> None:
        self.gw("ping", "-c", "1", SERVICE_V4)
        self.wait_for_counter("echo_reply", 0)
        few, everything = self.node.control("counters").stdout, self.node.control("counters", "--all").stdout
        self.assertIn("echo_reply", few)
        self.assertNotIn("ip4_version", few)
        self.assertIn("ip4_version", everything)

    def test_gate_follows_the_claim(self) -> None:
        self.node.wait_for(SERVICE_V4, state="held")
        self.assertEqual(self.node.status()["gate"], "open")

    def test_no_node_to_talk_to(self) -> None:
        done = self.node.control("--socket", "/nowhere/qured.sock", "status")
        self.assertEqual(done.returncode, 3)
        self.assertIn("/nowhere/qured.sock", done.stderr)
