#!/usr/bin/python3
"""Short connections through the service address, one after the other, and who answered each.

usage: connections.py [--help] [--count N] [--host ADDRESS] [--source ADDRESS] [--first-port P] [--for SECONDS]

Prints one line of JSON: {"nodes": {"n1": 33, …}, "failed": 0, "ports": {"20001": "n1", …}}.
"""

import argparse
import json
import socket
import time


def ask(host: str, source: str, port: int) -> str | None:
    """The name of the node that answers, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # The port is free for the next at once.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.settimeout(3)
            if source or port:
                sock.bind((source, port))
            sock.connect((host, 80))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\n") or answer.endswith(b"\r\n"):
                got = sock.recv(4096)
                if not got:
                    return None
                answer += got
            return answer.rpartition(b"\r\n")[2].decode().strip()
    except OSError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--host", default="198.51.100.50")
    parser.add_argument("--source", default="")
    parser.add_argument("--first-port", type=int, default=0)
    parser.add_argument("--for", dest="seconds", type=float, default=0, help="go on for so long instead of --count")
    arguments = parser.parse_args()
    nodes: dict[str, int] = {}
    ports: dict[int, str] = {}
    failed = 0
    start, i = time.monotonic(), 0
    while i < arguments.count if not arguments.seconds else time.monotonic() < start + arguments.seconds:
        port = arguments.first_port + i if arguments.first_port else 0
        i += 1
        node = ask(arguments.host, arguments.source, port)
        if node is None:
            failed += 1
            continue
        nodes[node] = nodes.get(node, 0) + 1
        if port:
            ports[port] = node
    print(json.dumps({"nodes": nodes, "failed": failed, "ports": ports}), flush=True)


if __name__ == "__main__":
    main()
