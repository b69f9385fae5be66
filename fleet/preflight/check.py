"""What a check is: a declaration, and a pure function from what was observed to a verdict."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from fleet.frozen import frozen
from fleet.inventory import Inventory, Node

#: ``fleet`` and ``pair`` checks are judged once every node has been looked at.
Scope = Literal["node", "pair", "fleet"]
Group = Literal["reach", "ports", "machine", "environment", "network"]


@frozen
class Verdict:
    """``status`` is ok, warn, fail or skip; ``seen`` is a sentence without the node's name."""

    status: str
    seen: str
    remedy: str = ""


def ok(seen: str) -> Verdict:
    """Return the verdict that nothing stands in the way."""
    return Verdict("ok", seen)


def warn(seen: str, remedy: str = "") -> Verdict:
    """Return the verdict that a run starts, and may be slow or break later."""
    return Verdict("warn", seen, remedy)


def fail(seen: str, remedy: str) -> Verdict:
    """Return the verdict that a run would not start."""
    return Verdict("fail", seen, remedy)


def skip(seen: str) -> Verdict:
    """Return the verdict that there is nothing to tell, with the reason."""
    return Verdict("skip", seen)


@frozen
class Absent:
    """Takes the place of an observation that could not be made, for ``reason``."""

    reason: str
    remedy: str = ""


#: Node name -> name of the observation -> what was observed, or Absent.
Seen = Mapping[str, Mapping[str, Any]]


@frozen
class Situation:
    """What is asked about: a run of ``nodes`` (in the order of their ranks), rank 0 on the first."""

    inventory: Inventory
    nodes: tuple[Node, ...]
    ports: tuple[int, ...]
    #: Bytes that a deploy would put on a node; None when nobody has looked.
    deploy_bytes: int | None = None
    #: Train on the CPU even where there are GPUs.
    cpu: bool = False

    @property
    def rendezvous(self) -> int:
        """The port at which the ranks meet, on rank 0's node."""
        return self.inventory.run.port


@frozen
class Subject:
    """One cell of the matrix: a node, with everything that was observed of it and of the others."""

    node: Node
    situation: Situation
    seen: Seen
    #: What judges worked out already from the same observations, by name.
    memo: dict[str, Any] = field(default_factory=dict, compare=False)

    def __getitem__(self, observation: str) -> Any:
        return self.seen[self.node.name][observation]

    def of(self, node: str, observation: str) -> Any:
        """Return another node's observation, None when there is none."""
        value = self.seen.get(node, {}).get(observation)
        return None if isinstance(value, Absent) else value

    def once(self, name: str, work_out: Callable[[], Any]) -> Any:
        """Return what ``work_out`` gives, working it out for the first of many cells only."""
        if name not in self.memo:
            self.memo[name] = work_out()
        return self.memo[name]

    @property
    def hosts_rank_0(self) -> bool:
        """Whether the ranks meet on this node."""
        return bool(self.situation.nodes) and self.situation.nodes[0].name == self.node.name

    @property
    def on_loopback(self) -> bool:
        """Whether the node is only another address of the master's machine, as those of a lab are."""
        return is_loopback(self.node.address)

    @property
    def on_windows(self) -> bool:
        """Whether the node runs Windows, as far as is known."""
        facts = self.of(self.node.name, "facts") or {}
        return (facts.get("os") or {}).get("system") == "Windows"


Judge = Callable[[Subject], Verdict]


@frozen
class Check:
    """One column of the matrix."""

    #: Used on the command line and in events.
    name: str
    title: str
    group: Group
    #: Why a result matters, one sentence.
    why: str
    #: Observations that the judge reads; one that is absent makes the result ``skip``.
    needs: tuple[str, ...]
    judge: Judge = field(compare=False)
    scope: Scope = "node"
    #: Those of ``needs`` of which the judge itself says what their absence means.
    may_be_absent: tuple[str, ...] = ()


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's own (also an empty one, and ``localhost``)."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address in ("", "localhost")
