"""The checks of words and docs find what is planted."""

from planted import PlantedTest
from qure_dev.checks import docs, words

# Broken up, so that the check of this very file finds nothing.
DEAD = (
    "the so mani" + "eth node", "no" + "body's", "the ask" + "er", "kCr" + "owdSize", "struct Flow" + "Ask",
    "flow_" + "told", "in\n// " + "vain", "stands" + "_back", "TABLE OF " + "SHARES", "Where" + "abouts",
    "waits in v" + "ain",
)  # fmt: skip

USAGE = """constexpr char kUsage[] = R"(usage: qurectl [--json] COMMAND

  status             this node
  key list           its keys
  maintenance on|off rest
  history [--plot]   what was

  --json             as JSON
)";
"""
CONFIG = """
constexpr ConfigKey kKeys[] = {{"node.name"}, {"node.site"}};
void Read(TableReader file) {
  TableReader node = file.Table("node");
  node.String("name", "");
  PlainName(&node, "site", "");
}
"""
COMMANDS = """
| command | shows |
|---|---|
| `status` | this node |
| `key list` | its keys |
| `maintenance on`, `maintenance off` | rest |
| `history [--plot]` | what was; `--json` |
"""
KEYS = """
## [node]

| key | purpose |
|---|---|
| `name` | its name |
| `site` | where it is |
"""


class DeadWords(PlantedTest):
    def test_each_is_found(self) -> None:
        for text in DEAD:
            with self.subTest(text=text):
                self.plant("proto/planted.h", f"// before\n// {text}\n")
                self.assertTrue(words.dead_words(self.root))

    def test_others_are_not(self) -> None:
        self.plant("proto/planted.h", "// A masker in vaingloryous crowding; the asking node; table_size; told.\n")
        self.assertEqual(words.dead_words(self.root), [])


class Docs(PlantedTest):
    def setUp(self) -> None:
        super().setUp()
        self.plant("control/qurectl/main.cc", USAGE)
        self.plant("control/config/node_config.cc", CONFIG)
        self.plant(docs.COMMANDS, COMMANDS)
        self.plant(docs.KEYS, KEYS)
        self.plant(docs.EXAMPLE, '[node]\nname = "n1"\n# site = "here"\n')

    def refused(self, path: str, text: str, *named: str) -> None:
        before = (self.root / path).read_text() if (self.root / path).exists() else ""
        self.plant(path, text)
        problems = docs.docs(self.root)
        self.assertEqual(len(problems), 1, problems)
        for word in (path, *named):
            self.assertIn(word, problems[0])
        self.plant(path, before)

    def test_all_is_well(self) -> None:
        self.plant(
            "README.md", "`qurectl key`\n```sh\nqurectl --json maintenance off && qurectl --socket /s status\n```\n"
        )
        self.assertEqual(docs.docs(self.root), [])

    def test_commands(self) -> None:
        self.refused(docs.COMMANDS, COMMANDS.replace("| `key list` | its keys |\n", ""), "key list")
        self.refused(docs.COMMANDS, COMMANDS.replace("`status`", "`status`, `state`"), "state")
        self.refused(docs.COMMANDS, COMMANDS.replace("--json", ""), "--json")
        self.refused("README.md", "Type `qurectl key burn`.\n", "key burn", ":1")
        self.refused("README.md", "\n```sh\nqurectl stat\n```\n", "stat", ":3")

    def test_keys(self) -> None:
        self.refused(docs.KEYS, KEYS + "| `color` | none |\n", "node.color")
        self.refused(docs.EXAMPLE, '[node]\nname = "n1"\n# color = "red"\n', "node.color", ":3")
        self.refused("README.md", '```toml\n[node]\nsite = "a"\nfloor = 1\n```\n', "node.floor", ":4")
        self.refused("README.md", "```toml\n[node\n```\n", "not TOML")
        self.plant(docs.KEYS, KEYS.replace("| `site` | where it is |\n", ""))
        self.assertIn("site", "\n".join(docs.docs(self.root)))

    def test_widths(self) -> None:
        wide = "word " * 25
        self.plant("README.md", f"{wide}\n| {wide} |\n```\n{wide}\n```\n- [{wide}](https://example.org/{'x' * 90})\n")
        (problem,) = docs.widths(self.root)
        self.assertIn("README.md:1:", problem)
