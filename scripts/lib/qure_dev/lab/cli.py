"""The command line of scripts/lab."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from qure_dev import programs
from qure_dev.lab import cluster, netns, topology
from qure_dev.lab.lab import Lab, Request
from qure_dev.lab.lock import LabError, held
from qure_dev.paths import ROOT

EPILOG = """\
The gateway is 198.51.100.1 and 2001:db8:2::1 in qure-NAME-gw; node nK is 198.51.100.(10+K) and 2001:db8:2::(10+K)
in qure-NAME-nK; the service addresses are those of the configuration (198.51.100.50 and 2001:db8:2::50). Several nodes
are one cluster, under a key drawn for this lab; a node alone has no key. Each node has a web server on port 80 that
answers with its name. State, configuration and log of a node: /run/qure-lab/NAME/nK. Labs of different names stand side
by side."""

NODE_COMMANDS = (
    ("kill", "SIGKILL to qured"),
    ("pause", "SIGSTOP to qured"),
    ("resume", "SIGCONT to qured"),
    ("cut", "its switch port forwards nothing; it keeps its carrier"),
    ("unplug", "its cable is pulled"),
    ("plug", "and put in again"),
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="QuRe nodes in network namespaces behind a gateway.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--build", metavar="DIR", help="build directory with qured (default: $QURE_BUILD or build)")
    parser.add_argument(
        "--name", type=topology.valid_name, metavar="NAME", help="which lab (default: $QURE_LAB or main)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build and start; the same request again changes nothing, another one rebuilds")
    up.add_argument("--nodes", type=int, default=topology.DEFAULT_NODES, metavar="N")
    up.add_argument(
        "--config",
        default=Request.config,
        metavar="FILE",
        help="cluster part of the nodes' configuration; [node] and the key are ours",
    )
    up.add_argument("--port", choices=topology.PORT_KINDS, default="af_packet", help="kind of the nodes' LAN ports")
    up.add_argument("--mode", choices=topology.MODES, default="dedicated")
    up.add_argument("--bare", action="store_true", help="nodes without a configuration file, which wait")
    up.add_argument(
        "--staggered", action="store_true", help="start each node when the one before answers, not all at once"
    )
    commands.add_parser("down", help="stop and remove everything")
    commands.add_parser("list", help="the names of all labs of this machine")
    run = commands.add_parser("exec", help="run a command in a namespace", prefix_chars="\0")
    run.add_argument("member", help="gw, sw or nK")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD…")
    commands.add_parser("start", help="start qured again after kill").add_argument(
        "names", nargs="*", metavar="nK", help="these, at once and in this order (default: all)"
    )
    for name, text in NODE_COMMANDS:
        commands.add_parser(name, help=text).add_argument("node", metavar="nK")
    split = commands.add_parser("split", help="no frame from one part to another; the gateway is in all")
    split.add_argument("parts", nargs="+", metavar="nK[,nL…]")
    heal = commands.add_parser("heal", help="end cut; without a node also split and unplug, everywhere")
    heal.add_argument("node", nargs="?", metavar="nK")
    capture = commands.add_parser("capture", help="tcpdump on the bridge, into a file, until interrupted")
    capture.add_argument("file", metavar="FILE")
    capture.add_argument("--port", metavar="gw|nK", help="only this member's switch port")
    capture.add_argument("filter", nargs="*", metavar="FILTER", help="of pcap-filter(7)")
    commands.add_parser("status", help="what each node says of itself").add_argument("--json", action="store_true")
    return parser


def print_status(status: dict[str, Any]) -> None:
    if not status["nodes"]:
        print(f"no lab {topology.lab_name()} is up")
    for node in status["nodes"]:
        state = "running" if node["running"] else "not running"
        addresses = ", ".join(f"{entry['address']} {entry['state']}" for entry in node["addresses"]) or "-"
        role = " ".join(filter(None, (node["role"], node["phase"]))) or "-"
        numbers = f"era {node['era'] or '-'} age {node['age'] or '-'} term {cluster.term_text(node['term'])}"
        print(f"{node['name']:<4} {state:<12} {role:<15} {numbers}  {addresses}")


def build_if_missing(lab: Lab) -> None:
    """The whole tree, so that what comes next needs no build either."""
    if lab.build == ROOT / "build" and not (lab.build / programs.QURED).exists():
        programs.build()


def bring_up(lab: Lab, arguments: argparse.Namespace) -> None:
    build_if_missing(lab)
    request = Request(
        arguments.nodes, arguments.port, arguments.mode, os.path.abspath(arguments.config), bare=arguments.bare
    )
    with held():
        lab.up(request, say=print, staggered=arguments.staggered)
    print_status(lab.status())


def existing_namespace(member: str) -> str:
    namespace = topology.namespace(member)
    if namespace not in netns.names():
        there = [name for name in netns.names() if topology.is_ours(name)]
        raise LabError(f"no {member} in the lab {topology.lab_name()}: {' '.join(there) or 'it is down'}")
    return namespace


def execute(member: str, argv: Sequence[str]) -> NoReturn:
    namespace = existing_namespace(member)
    if not argv:
        raise LabError("exec what?")
    os.execvp("ip", netns.inside(namespace, *argv))


def capture(arguments: argparse.Namespace) -> NoReturn:
    existing_namespace(arguments.port or "sw")
    interface = topology.switch_port(arguments.port) if arguments.port else topology.BRIDGE
    argv = ["tcpdump", "-Z", "root", "-U", "-n", "-i", interface, "-w", os.path.abspath(arguments.file)]
    execute("sw", argv + arguments.filter)


def split(lab: Lab, texts: Sequence[str]) -> None:
    parts = [text.split(",") for text in texts]
    for name in (name for part in parts for name in part):
        lab.existing_node(name)
    lab.split(*parts)


def run(arguments: argparse.Namespace) -> None:
    if arguments.name:
        os.environ[topology.LAB_VARIABLE] = arguments.name
    lab = Lab(arguments.build)
    if os.geteuid() != 0:
        raise LabError("network namespaces need root: run it as root")
    if arguments.command == "up":
        bring_up(lab, arguments)
    elif arguments.command == "down":
        with held():
            lab.down()
    elif arguments.command == "list":
        print("\n".join(topology.all_labs()) or "no lab is up")
    elif arguments.command == "exec":
        execute(arguments.member, arguments.argv)
    elif arguments.command == "capture":
        capture(arguments)
    elif arguments.command == "split":
        split(lab, arguments.parts)
    elif arguments.command == "status":
        status = lab.status()
        print(json.dumps(status)) if arguments.json else print_status(status)
    elif arguments.command == "start":
        lab.start([lab.existing_node(name).name for name in arguments.names])
    elif arguments.command == "heal" and not arguments.node:
        existing_namespace("sw")
        lab.heal()
    else:
        getattr(lab.existing_node(arguments.node), arguments.command)()


def main() -> int:
    try:
        run(build_parser().parse_args())
    except (LabError, RuntimeError, TimeoutError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0
