"""The command blocks of README.md and docs/operations.md can be run one after the other, as a reader types them. Those
marked `records` are for a cluster that has them: they come last. Those marked `keyed` are for one that has none, and
a key in its files; those marked `founded` for the same after `cluster found`. Those of a site without files are run by
test_site.py."""

import os
import subprocess
import tempfile
from pathlib import Path

import doc_commands
from cluster_support import ClusterTest
from doc_commands import Block
from qure_dev.lab import cluster, topology
from qure_dev.lab.node import Node
from qure_dev.process import Process
from support import until

PATIENCE = 240  # seconds for a block


class Blocks(ClusterTest):
    alone = True

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="qure-docs-")
        self.addCleanup(directory.cleanup)
        self.checkout = Path(directory.name)
        doc_commands.make_checkout(self.checkout, self.lab.build)
        self.files = topology.state() / "files"  # in memory: an overlay's upper layer can be there
        self.files.mkdir(exist_ok=True)

    def run_blocks(self, path: str, machine: str = "") -> None:
        found = [block for block in doc_commands.blocks(path) if block.machine == machine]
        self.assertTrue(found, f"{path} has no block of commands of {machine or 'any cluster'}")
        for block in found:
            with self.subTest(place=block.place):
                self.prepare(block)
                self.run_in_checkout(block) if block.is_of_the_tree else self.run_on_nodes(block)

    def prepare(self, block: Block) -> None:
        """What the reader does before, who is told to edit a file."""
        edited = self.files / "root" / "new.toml"
        if str(Path("/root") / edited.name) in block.text and edited.exists():
            edited.write_text(edited.read_text() + "# Our services\n")

    def run_script(self, block: Block, argv: list[str], environment: dict[str, str]) -> None:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, env=environment
        )
        self.assertEqual(done.returncode, 0, f"{block.place}\n{block.text}{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def run_in_checkout(self, block: Block) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "QURE_LAB_HELD"}
        self.run_script(block, ["bash", "-c", doc_commands.in_checkout(block, self.checkout)], environment)

    def run_on_nodes(self, block: Block) -> None:
        """On the master or on all nodes, once the cluster is whole. Where a block starts qured, it is not running
        before."""
        master = cluster.master(self.whole())
        for name in self.names if block.is_for_all_nodes else [master]:
            node = self.lab.node(name)
            if block.starts_qured:
                node.recorded().stop(20)
            script = doc_commands.on_node(block, node, self.files)
            argv = ["ip", "netns", "exec", node.namespace, "bash", "-c", script]
            self.run_script(block, argv, dict(os.environ))
            if block.starts_qured:
                self.adopt(node)
        self.whole()

    def adopt(self, node: Node) -> None:
        """The qured that a block has started is the lab's from here on."""
        process = Process.of(int((self.files / "started").read_text()))
        self.assertIsNotNone(process, f"{node.name}: qured has ended")
        assert process
        process.save(node.directory / "qured.pid")


class Documents(Blocks):
    def test_operations(self) -> None:
        self.run_blocks("docs/operations.md")
        self.run_blocks("docs/operations.md", "records")

    def test_readme(self) -> None:
        self.run_blocks("README.md")


class ByHand(Blocks):
    def test_operations(self) -> None:
        self.run_blocks("docs/operations.md", "keyed")
        master = self.lab.node(cluster.master(self.whole()))
        self.control(master.name, "cluster", "found")
        until(lambda: len(master.query("cluster")["nodes"]) == len(self.names), 10, "the records name all nodes")
        self.run_blocks("docs/operations.md", "founded")
