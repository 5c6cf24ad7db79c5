"""What the nodes say of their cluster, side by side: is it whole, who leads it."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from qure_dev.lab.node import Node

Views = dict[str, Any]  # a node's name -> what it says of itself, or None
_AGREED = ("era", "term", "master", "deputy")


def views(nodes: Iterable[Node]) -> Views:
    """Name -> what the node says of itself (`qurectl --json status`), or None if it does not answer."""
    return {node.name: node.status() for node in nodes}


def masters(said: Views) -> list[str]:
    """Names of those who say that they are master."""
    return [name for name, status in said.items() if status and status["role"] == "master"]


def master(said: Views) -> str:
    """The name of the one master."""
    found = masters(said)
    if len(found) != 1:
        raise RuntimeError(f"not one master but: {', '.join(found) or 'none'}")
    return found[0]


def deputy(said: Views) -> str:
    """The name of the master's deputy."""
    wanted = said[master(said)]["deputy"]
    return next(name for name, status in said.items() if wanted and status["node_id"] == wanted["node"])


def problem(said: Views) -> str:
    """Why these views are not those of one whole cluster: all answer, one is master, all agree on it and on the era, it
    holds its addresses, and if it is not alone a deputy acknowledges its heartbeats. "" if they are."""
    silent = [name for name, status in said.items() if not status]
    if silent:
        return f"no answer from {', '.join(silent)}"
    found = masters(said)
    if len(found) != 1:
        roles = ", ".join(f"{name} {status['role']}" for name, status in said.items())
        return f"{len(found)} masters: {roles}"
    status = said[found[0]]
    for key in _AGREED:
        told = {name: _short(view[key]) for name, view in said.items()}
        if len(set(told.values())) > 1:
            return f"they differ on {key}: {told}"
    waiting = [entry["address"] for entry in status["addresses"] if entry["state"] != "held"]
    if waiting:
        return f"{found[0]} does not hold {', '.join(waiting)}"
    if len(said) > 1 and (status["phase"] != "leased" or not status["deputy"]):
        return f"{found[0]} has no deputy: {status['phase']}"
    return ""


def _short(value: Any) -> Any:
    """A value of a status for comparing and showing: names may not be known everywhere yet, so ids only."""
    if isinstance(value, dict):
        return value.get("node") or term_text(value)
    return value


def term_text(term: Any) -> str:
    """A term in a few characters; "-" if there is none."""
    if not isinstance(term, dict):
        return "-" if term is None else str(term)
    return f"{term['era']}.{term['epoch']}.{term['holder'][:4]}"


def history(node: Node) -> dict[tuple[str, int, int], dict[str, Any]]:
    """The events that a node knows: (node id, age, seq) -> event."""
    answer = node.query("history") or {"events": []}
    return {(event["node"], event["age"], event["seq"]): event for event in answer["events"]}
