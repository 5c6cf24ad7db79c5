"""What the tests of machines without a configuration file share."""

from typing import Any

from support import GATEWAY_V4, SERVICE_V4, LabTest

FIRST = ("init", "--name", "home", "--address", f"{SERVICE_V4}/24", "--gateway", GATEWAY_V4)


class BareTest(LabTest):
    def ask(self, name: str, *what: str) -> Any:
        """What `qurectl --json` on this node answers; it must."""
        answer = self.lab.node(name).query(*what)
        self.assertIsNotNone(answer, f"{name}: {what}: {self.lab.node(name).last_words()}")
        return answer

    def control(self, name: str, *arguments: str, status: int = 0, text: str = "") -> str:
        """What qurectl on this node prints; it must end with this exit status. `text`: its input."""
        done = self.lab.node(name).control(*arguments, timeout=60, text=text)
        self.assertEqual(done.returncode, status, f"{name}: {arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def admit(self, name: str, by: str) -> None:
        self.control(by, "admit", self.ask(name, "candidates")["joining"]["code"])

    def served(self) -> None:
        self.gw("ping", "-c", "3", "-i", "0.1", "-W", "1", SERVICE_V4)
