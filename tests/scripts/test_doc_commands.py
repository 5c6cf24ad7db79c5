"""Which blocks of a document are commands, and where they run."""

import sys

from planted import PlantedTest
from qure_dev.paths import LAB_TESTS

sys.path.insert(0, str(LAB_TESTS))
import doc_commands  # noqa: E402

TEXT = """# Title

```sh
scripts/lab up
```

```toml
[node]
```

```text
qurectl [--json] COMMAND
```

1. As root:

   ```sh first
   qurectl status
   qurectl nodes
   ```
"""


class DocCommands(PlantedTest):
    def test_only_sh_is_run(self) -> None:
        self.plant("docs/operations.md", TEXT)
        tree, node = doc_commands.blocks("docs/operations.md", self.root)
        self.assertEqual(
            (tree.place, tree.text, tree.is_of_the_tree), ("docs/operations.md:4", "scripts/lab up\n", True)
        )
        self.assertEqual((tree.machine, node.machine), ("", "first"))
        self.assertEqual((node.text.splitlines(), node.is_of_the_tree), (["qurectl status", "qurectl nodes"], False))

    def test_every_script_has_a_stand_in(self) -> None:
        scripts = {path.name for path in (LAB_TESTS.parents[1] / "scripts").iterdir() if path.is_file()}
        self.assertEqual(set(doc_commands.STAND_INS), scripts)
