"""The command line of scripts/lab."""

import argparse
import json
import os
import subprocess
import sys

from lab import netns, topology
from lab.lab import ROOT, Lab, LabError, Request, held

EPILOG = """\
The gateway is 198.51.100.1 and 2001:db8:2::1 in qure-gw; node nK is 198.51.100.(10+K) and 2001:db8:2::(10+K) in
qure-nK; the service addresses are those of the configuration (198.51.100.50 and 2001:db8:2::50). Each node has a web
server on port 80 that answers with its name. State, configuration and log of a node: /run/qure-lab/nK."""


def build_parser():
    parser = argparse.ArgumentParser(
        prog="lab",
        description="QuRe nodes in network namespaces behind a gateway.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--build", metavar="DIR", help="build directory with qured (default: $QURE_BUILD or build)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build and start; the same request again changes nothing, another one rebuilds")
    up.add_argument("--nodes", type=int, default=1, metavar="N")
    up.add_argument(
        "--config",
        default=Request.config,
        metavar="FILE",
        help="cluster part of the nodes' configuration; [node] is ours",
    )
    up.add_argument("--port", choices=topology.PORT_KINDS, default="af_packet", help="kind of the nodes' LAN ports")
    up.add_argument("--mode", choices=topology.MODES, default="dedicated")
    commands.add_parser("down", help="stop and remove everything")
    run = commands.add_parser("exec", help="run a command in a namespace", prefix_chars="\0")
    run.add_argument("member", help="gw, sw or nK")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD…")
    for name, text in (
        ("start", "start qured again after kill"),
        ("kill", "SIGKILL to qured"),
        ("pause", "SIGSTOP to qured"),
        ("resume", "SIGCONT to qured"),
        ("cut", "take its switch port down"),
        ("heal", "and up again"),
    ):
        commands.add_parser(name, help=text).add_argument("node", metavar="nK")
    commands.add_parser("status", help="what each node says of itself").add_argument("--json", action="store_true")
    return parser


def print_status(status):
    if not status["nodes"]:
        print("no lab is up")
    for node in status["nodes"]:
        state = "running" if node["running"] else "not running"
        addresses = ", ".join(f"{entry['address']} {entry['state']}" for entry in node["addresses"]) or "-"
        term = "-" if node["term"] is None else node["term"]
        print(f"{node['name']:<4} {state:<12} {node['role'] or '-':<8} term {term}  {addresses}")


def build_if_missing(lab):
    if lab.build == ROOT / "build" and not (lab.build / "control/qured").exists():
        if subprocess.run([ROOT / "scripts/build"]).returncode != 0:
            raise LabError("the build failed")


def run(arguments):
    lab = Lab(arguments.build)
    if os.geteuid() != 0:
        raise LabError("network namespaces need root: run it as root")
    if arguments.command == "up":
        build_if_missing(lab)
        with held():
            lab.up(
                Request(arguments.nodes, arguments.port, arguments.mode, os.path.abspath(arguments.config)), say=print
            )
        print_status(lab.status())
    elif arguments.command == "down":
        with held():
            lab.down()
    elif arguments.command == "exec":
        namespace = topology.namespace(arguments.member)
        if namespace not in netns.names():
            raise LabError(f"no {arguments.member} in the lab: {' '.join(netns.names()) or 'it is down'}")
        if not arguments.argv:
            raise LabError("exec what?")
        os.execvp("ip", netns.inside(namespace, *arguments.argv))
    elif arguments.command == "status":
        status = lab.status()
        print(json.dumps(status)) if arguments.json else print_status(status)
    else:
        getattr(lab.existing_node(arguments.node), arguments.command)()


def main():
    try:
        run(build_parser().parse_args())
    except (LabError, RuntimeError, TimeoutError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0
