"""What is where in the lab: names, addresses, and the drawing."""

GATEWAY = "qure-gw"
SWITCH = "qure-sw"
BRIDGE = "br0"
GATEWAY_V4 = "198.51.100.1"
GATEWAY_V6 = "2001:db8:2::1"
SERVICE_V4 = "198.51.100.50"
SERVICE_V6 = "2001:db8:2::50"
DEFAULT_NODES = 3
MAX_NODES = 32  # addresses from .11 on, clear of the service's .50

PORT_KINDS = ("af_packet", "af_xdp", "tap")
MODES = ("dedicated", "shared")
WEB_PORT = 80
ECHO_PORT = 7
METRICS = "127.0.0.1:9464"


def namespace(member):
    """The namespace of "gw", "sw", "n1", …"""
    return f"qure-{member}"


def switch_port(member):
    return f"sw-{member}"


def node_name(index):
    return f"n{index}"


def node_addresses(index):
    """IPv4 and IPv6 address of node `index` (from 1), with prefix lengths."""
    return f"198.51.100.{10 + index}/24", f"2001:db8:2::{10 + index}/64"


def lan_port(kind):
    """The `port` of [node.lan]."""
    return "tap:qlan0" if kind == "tap" else f"{kind}:lan0"


def draw(request, services):
    """The topology as text. `services`: the service addresses of the configuration."""
    link = {"af_packet": "lan0 = qured", "af_xdp": "lan0 = qured", "tap": "lan0 - lanbr - qlan0 = qured"}[request.port]
    lines = [
        f"  {GATEWAY}                        {SWITCH}             the nodes: {request.port}, {request.mode}",
        f"  gw0 {GATEWAY_V4}/24  ------ sw-gw -+",
        f"      {GATEWAY_V6}/64            |",
        f"                               {BRIDGE} -+",
    ]
    for index in range(1, request.nodes + 1):
        name = node_name(index)
        where = " ".join(node_addresses(index))
        holder = "qure0" if request.mode == "dedicated" else "lan0 itself"
        lines.append(
            f"                                    +- sw-{name} ---- {namespace(name)}: {link} = {holder} {where}"
        )
    lines.append(f"  service addresses: {', '.join(services) or 'none'}")
    return "\n".join(lines)
