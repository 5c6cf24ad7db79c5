"""All that ask are taken in for a while, and a node that leaves is free for another cluster."""

from bare_support import FIRST, BareTest
from support import Request, until


class Leave(BareTest):
    request = Request(nodes=2, bare=True)

    def code(self, name: str) -> str | None:
        joining = (self.lab.node(name).query("candidates") or {}).get("joining")
        return joining["code"] if joining else None

    def test_taken_in_with_all_and_free_again(self) -> None:
        self.control("n1", *FIRST)
        (own,) = self.ask("n1", "clusters")["clusters"]
        self.assertEqual((own["name"], own["nodes"], own["own"]), ("home", 1, True))
        first = self.ask("n2", "candidates")["joining"]["code"]
        until(lambda: self.ask("n2", "clusters")["clusters"], 15, "n2 hears of the cluster")
        (heard,) = self.ask("n2", "clusters")["clusters"]
        self.assertEqual((heard["fingerprint"], heard["own"]), (own["fingerprint"], False))
        self.assertIsNotNone(self.code("n2"), "and joins none by itself")

        self.control("n1", "admit", "--all", "--for", "60s")
        self.assertGreater(self.ask("n1", "candidates")["all_for_seconds"], 0)
        self.lab.wait_whole()
        self.control("n1", "admit", "--all", "--for", "0")
        self.assertIsNone(self.ask("n1", "candidates")["all_for_seconds"])

        before = self.ask("n1", "key", "list")["keys"]
        self.control("n2", "leave")
        until(lambda: self.code("n2") not in (None, first), 15, "n2 is another node without a key")
        until(lambda: len(self.ask("n1", "cluster")["nodes"]) == 1, 10, "n1 knows that it has left")

        def in_use(keys: list[dict[str, int]]) -> set[int]:
            return {key["id"] for key in keys if key["in_use"]}

        until(lambda: in_use(self.ask("n1", "key", "list")["keys"]) != in_use(before), 15, "the key was changed")
        self.served()
        refused = self.control("n1", "leave", status=1)
        self.assertIn("--last", refused)
        self.assertEqual(self.ask("n1", "cluster")["cluster"], own["fingerprint"])

        # It comes again, as another.
        self.admit("n2", by="n1")
        self.lab.wait_whole()
