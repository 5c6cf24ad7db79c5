"""The servers behind a lab node: HTTP on port 80 and UDP echo on port 7, IPv4 and IPv6.

usage: python3 -m qure_dev.lab.web NAME

GET /         "NAME\\n"
GET /bytes/N  N bytes of a known pattern (see `pattern`)
GET /peer     the address the request came from
"""

import http.server
import socket
import sys
import threading

from qure_dev.lab import topology

_ALPHABET = bytes(range(32, 127))


def pattern(length: int) -> bytes:
    """`length` printable bytes in which a missing, doubled or moved piece shows."""
    return (b"".join(b"%08x" % offset + _ALPHABET for offset in range(0, length, 103)))[:length]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    node = ""

    def do_GET(self) -> None:
        head, _, tail = self.path.strip("/").partition("/")
        if head == "":
            self._answer(f"{self.node}\n".encode())
        elif head == "bytes" and tail.isdecimal():
            self._answer(pattern(int(tail)))
        elif head == "peer":
            self._answer(f"{self.client_address[0].removeprefix('::ffff:')}\n".encode())
        else:
            self.send_error(404)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Node", self.node)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class WebServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def main() -> None:
    Handler.node = sys.argv[1]
    threading.Thread(target=serve_echo, daemon=True).start()
    WebServer(("::", topology.WEB_PORT), Handler).serve_forever()


def serve_echo() -> None:
    """Echoes each datagram from the very address it was sent to (IPV6_PKTINFO, RFC 3542 section 6.2)."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    sock.bind(("::", topology.ECHO_PORT))
    while True:
        data, ancillary, _, sender = sock.recvmsg(65536, socket.CMSG_SPACE(20))
        local = [(level, kind, value) for level, kind, value in ancillary if kind == socket.IPV6_PKTINFO]
        sock.sendmsg([data], local, 0, sender)


if __name__ == "__main__":
    main()
