"""The command blocks of docs/operations.md that are typed on the machines of a site without configuration files, one
after the other: on the `first`, on a `new` one that waits, on one that `leaves`."""

import re
import subprocess
import tempfile
from pathlib import Path

import doc_commands
from bare_support import BareTest
from doc_commands import Block
from qure_dev import programs
from support import GATEWAY_V4, SERVICE_V4, Request, until

DOCUMENT = "docs/operations.md"
CODE = "7K2M-9XQ4-T0VB"
TOKEN = "Q1-…"
MACHINES = {"first": "n1", "leaves": "n4", "new": ""}  # "": the next one that waits
ADDRESS = "192.168.1.50/24"  # on a LAN whose machines have no default route
RECOVERY = re.compile(r"recovery code, shown this once: (\S+)")
PRINTED_TOKEN = re.compile(r"^Q1-\S+$", re.MULTILINE)


class Site(BareTest):
    request = Request(nodes=4, bare=True)

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="qure-site-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.editor = Path(self.directory) / "editor"
        self.editor.write_text("#!/bin/sh\necho '# Our services' >> \"$1\"\n")
        self.editor.chmod(0o755)
        self.taken_in = ["n1"]
        self.values = {ADDRESS: f"{SERVICE_V4}/24 --gateway {GATEWAY_V4}"}
        self.recovery = ""

    def waiting(self) -> str:
        """The next machine that no cluster has."""
        return next(node.name for node in self.lab.nodes() if node.name not in self.taken_in)

    def machine(self, block: Block) -> str:
        return MACHINES[block.machine] or self.waiting()

    def type_in(self, block: Block) -> None:
        name = self.machine(block)
        text = block.text
        for written, meant in self.values.items():
            text = text.replace(written, meant)
        if text.startswith("qured "):
            self.lab.node(name).recorded().stop(20)
            self.lab.node(name).start(options=text.split()[1:])
            return
        node = self.lab.node(name)
        build = (node.build / programs.QURECTL).parent
        script = f"set -e\nexport PATH={build}:/usr/bin:/bin QURE_SOCKET={node.socket} EDITOR={self.editor}\n{text}"
        done = subprocess.run(
            ["ip", "netns", "exec", node.namespace, "bash", "-c", script],
            input=f"{self.recovery}\n",
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.directory,
        )
        self.assertEqual(done.returncode, 0, f"{block.place} on {name}\n{text}{done.stdout}{done.stderr}")
        if code := RECOVERY.search(done.stdout):
            self.recovery = code.group(1)
        if token := PRINTED_TOKEN.search(done.stdout):
            self.values[TOKEN] = token.group(0)

    def settle(self, block: Block) -> None:
        """Waits for what the block begins."""
        if block.machine == "leaves":
            self.taken_in.remove("n4")
        elif block.machine == "first" and "revoke" in block.text:
            self.taken_in.remove("n3")
        elif CODE in block.text or block.text.startswith("qured --join"):
            self.taken_in.append(self.waiting())
        elif "admit --all" in block.text:
            self.control("n1", "admit", "--all", "--for", "0")
        members = sorted(self.taken_in)
        until(
            lambda: sorted(node["name"] for node in self.ask("n1", "cluster")["nodes"]) == members,
            20,
            lambda: f"{block.place}: {members} are the cluster: {self.ask('n1', 'cluster')['nodes']}",
        )
        self.lab.wait_whole([self.lab.node(name) for name in members])

    def test_operations(self) -> None:
        found = [block for block in doc_commands.blocks(DOCUMENT) if block.machine in MACHINES]
        self.assertGreater(len(found), 5)
        for block in found:
            if CODE in block.text:
                self.values[CODE] = self.ask(self.waiting(), "candidates")["joining"]["code"]
            self.type_in(block)
            self.settle(block)
        self.served()
