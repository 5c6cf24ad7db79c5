"""The command blocks of README.md and docs/operations.md can be run one after the other, as a reader types them. Those
of a site without files are run by test_site.py."""

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

PATIENCE = 240  # seconds for a block


class Documents(ClusterTest):
    alone = True

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="qure-docs-")
        self.addCleanup(directory.cleanup)
        self.checkout = Path(directory.name)
        doc_commands.make_checkout(self.checkout, self.lab.build)
        self.files = topology.state() / "files"  # in memory: an overlay's upper layer can be there
        self.files.mkdir(exist_ok=True)

    def run_blocks(self, path: str) -> None:
        found = [block for block in doc_commands.blocks(path) if not block.machine]
        self.assertTrue(found, f"{path} has no block of commands")
        for block in found:
            with self.subTest(place=block.place):
                self.run_in_checkout(block) if block.is_of_the_tree else self.run_on_nodes(block)

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

    def test_operations(self) -> None:
        self.run_blocks("docs/operations.md")

    def test_readme(self) -> None:
        self.run_blocks("README.md")
