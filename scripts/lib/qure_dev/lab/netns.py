"""Network namespaces by way of iproute2, and sockets inside them."""

import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro", "rxvlan", "txvlan")
_libc = ctypes.CDLL(None, use_errno=True)


class CommandError(RuntimeError):
    """A command that had to succeed did not."""


def run(*argv: str) -> str:
    """Runs a command that must succeed; returns its output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def names() -> list[str]:
    """All named namespaces."""
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]


def inside(namespace: str, *argv: str) -> list[str]:
    """The argv that runs a command in a namespace; it keeps the pid (ip execs)."""
    return ["ip", "netns", "exec", namespace, *argv]


def ip(namespace: str, *arguments: str) -> str:
    return run("ip", "-n", namespace, *arguments)


def exists(namespace: str, interface: str) -> bool:
    return (
        subprocess.run(["ip", "-n", namespace, "link", "show", "dev", interface], capture_output=True).returncode == 0
    )


def sysctl(namespace: str, **values: int) -> None:
    """Sets net.* values: keys with "__" for the dots ("ipv6__conf__all__disable_ipv6")."""
    script = "; ".join(f"echo {value} >/proc/sys/net/{key.replace('__', '/')}" for key, value in values.items())
    run(*inside(namespace, "sh", "-e", "-c", script))


def add(namespace: str) -> None:
    run("ip", "netns", "add", namespace)
    ip(namespace, "link", "set", "lo", "up")


def add_veth(namespace: str, interface: str, peer_namespace: str, peer: str) -> None:
    """Joins two namespaces. One queue each way, so that an AF_XDP socket on queue 0 sees every frame, and no offloads,
    so that what is on this wire is what would be on a real one."""
    ip(
        namespace,
        "link",
        "add",
        interface,
        "numrxqueues",
        "1",
        "numtxqueues",
        "1",
        "type",
        "veth",
        "peer",
        "name",
        peer,
        "numrxqueues",
        "1",
        "numtxqueues",
        "1",
        "netns",
        peer_namespace,
    )
    for where, name in ((namespace, interface), (peer_namespace, peer)):
        sysctl(where, **{f"ipv6__conf__{name}__accept_dad": 0, f"ipv6__conf__{name}__router_solicitations": 0})
        for offload in OFFLOADS:  # each alone: a driver may lack one
            subprocess.run(inside(where, "ethtool", "-K", name, offload, "off"), capture_output=True)


def add_bridge(namespace: str, bridge: str) -> None:
    """Plain forwarding from the first frame on, of anything: no spanning tree delay, no multicast snooping, no IP, no
    packet filter, which would drop what it cannot parse."""
    ip(namespace, "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    run(
        *inside(
            namespace,
            "sh",
            "-c",
            "for call in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $call ] || echo 0 >$call; done",
        )
    )
    no_ip(namespace, bridge)
    ip(namespace, "link", "set", bridge, "up")


def no_ip(namespace: str, interface: str) -> None:
    """The kernel speaks no IP on this interface."""
    sysctl(namespace, **{f"ipv6__conf__{interface}__disable_ipv6": 1})


# linux/if_bridge.h
PORT_DISABLED, PORT_FORWARDING = 0, 3


def set_port_state(namespace: str, port: str, state: int) -> None:
    """A bridge's port forwards frames or does not. The link itself stays up: neither end sees a carrier go."""
    run("bridge", "-n", namespace, "link", "set", "dev", port, "state", str(state))


def nft(namespace: str, rules: str) -> None:
    """Runs nftables commands."""
    run(*inside(namespace, "nft", rules))


def open_socket(namespace: str, *arguments: int) -> socket.socket:
    """socket.socket(*arguments) in a namespace: made by a short-lived thread there, it stays where it was made."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            with open(f"/run/netns/{namespace}") as handle:
                if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {namespace}: {os.strerror(ctypes.get_errno())}")
            made.append(socket.socket(*arguments))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    (result,) = made
    if isinstance(result, OSError):
        raise result
    return result
