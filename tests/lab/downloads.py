#!/usr/bin/python3
"""Long downloads through the service address, many at once, and what became of each.

usage: downloads.py [--help] [--count N] [--seconds S] [--host ADDRESS] [--stall S] [--first-port P] [--step BYTES]

Starts N downloads that take S seconds each and prints, as soon as all have begun, the line "begun"; at the end one
line of JSON:
  {"n1": {"started": 10, "finished": 10, "broken": 0}, …}
A download is broken when it is reset, ends early, has a byte wrong or stands still for --stall seconds.
"""

import argparse
import json
import socket
import threading
import time

from qure_dev.lab.web import pattern

STEPS_A_SECOND = 10


class Download:
    def __init__(self, host: str, port: int, length: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if port:
            self.socket.bind(("", port))
        self.socket.settimeout(10)
        self.node, self.state, self.body, self.expected = "none", "broken", bytearray(), pattern(length)
        self.socket.connect((host, 80))
        self.socket.sendall(f"GET /bytes/{length} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n".encode())
        head = bytearray()
        while b"\r\n\r\n" not in head:
            got = self.socket.recv(256)
            if not got:
                raise ConnectionError("no answer")
            head += got
        head, _, self.body = head.partition(b"\r\n\r\n")
        self.node = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])["X-Node"]
        self.state, self.heard = "running", time.monotonic()
        self.socket.setblocking(False)

    def read(self, step: int, stall: float) -> None:
        """Takes a little of what has come. The server is always ahead of us, so a flow that lives always has some."""
        try:
            got = self.socket.recv(step)
        except BlockingIOError:
            if time.monotonic() - self.heard > stall:
                self.state = "broken"
            return
        except OSError:
            self.state = "broken"
            return
        self.heard = time.monotonic()
        self.body += got
        if not got:
            self.state = "finished" if self.body == self.expected else "broken"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--host", default="198.51.100.50")
    parser.add_argument("--stall", type=float, default=8)
    parser.add_argument("--first-port", type=int, default=0, help="source port of the first download; 0: any")
    parser.add_argument("--step", type=int, default=2048, help="bytes that each takes, ten times a second")
    arguments = parser.parse_args()

    length = int(arguments.seconds * STEPS_A_SECOND * arguments.step)
    downloads = []
    for i in range(arguments.count):
        port = arguments.first_port + i if arguments.first_port else 0
        downloads.append(Download(arguments.host, port, length))
    print("begun", flush=True)
    pace = threading.Event()  # never set
    while any(download.state == "running" for download in downloads):
        for download in downloads:
            if download.state == "running":
                download.read(arguments.step, arguments.stall)
        pace.wait(1 / STEPS_A_SECOND)
    result: dict[str, dict[str, int]] = {}
    for download in downloads:
        row = result.setdefault(download.node, {"started": 0, "finished": 0, "broken": 0})
        row["started"] += 1
        row[download.state] += 1
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
