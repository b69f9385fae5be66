"""A check: its declaration, and a pure function from observations to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from msgspec import Struct, field

from agent.wire.message import EMPTY, Message
from fleet.addresses import is_loopback
from fleet.data import Data
from fleet.events import CheckStatus
from fleet.facts import system_of
from fleet.inventory import Inventory, Node
from fleet.preflight.observations import FACTS, Absent, AnyObservation, Observation, ObservationStore, T

#: ``fleet`` and ``pair`` checks are evaluated once every node has been observed.
Scope = Literal["node", "pair", "fleet"]
Group = Literal["reach", "ports", "machine", "environment", "network"]


class Verdict(Struct, frozen=True):
    """``status`` is ok, warn, fail or skip; ``seen`` does not name the node."""

    status: CheckStatus
    seen: Message
    remedy: Message = EMPTY


def ok(seen: Message) -> Verdict:
    """Return the verdict that nothing prevents a run."""
    return Verdict("ok", seen)


def warn(seen: Message, remedy: Message = EMPTY) -> Verdict:
    """Return the verdict that a run starts, but may be slow or fail later."""
    return Verdict("warn", seen, remedy)


def fail(seen: Message, remedy: Message) -> Verdict:
    """Return the verdict that a run would not start."""
    return Verdict("fail", seen, remedy)


def skip(seen: Message) -> Verdict:
    """Return the verdict that the check has no result, with the reason."""
    return Verdict("skip", seen)


class Situation(Struct, frozen=True):
    """The run to check: its ``nodes`` in the order of their ranks, rank 0 on the first."""

    inventory: Inventory
    nodes: tuple[Node, ...]
    #: Bytes that a deploy would put on a node; None when they have not been counted.
    deploy_bytes: int | None = None
    #: Bytes of the data that a deploy copies; None when none is copied, or it has not been counted.
    data_bytes: int | None = None
    #: Train on the CPU even where there are GPUs.
    cpu: bool = False
    #: What the program reads; None when nothing is known of it.
    data: Data | None = None

    @property
    def rendezvous(self) -> int:
        """The port of the rendezvous, on rank 0's node."""
        return self.inventory.run.port


class Subject(Struct, frozen=True):
    """One cell of the matrix: a node, with all observations of it and of the others."""

    node: Node
    situation: Situation
    seen: ObservationStore
    #: Results that evaluators share, by the function that computes them.
    memo: dict[object, object] = field(default_factory=dict)

    def __getitem__(self, observation: Observation[T]) -> T:
        return self.seen.value(self.node.name, observation)

    def of(self, node: str, observation: Observation[T]) -> T | None:
        """Return another node's observation, None when there is none."""
        return self.seen.get(node, observation)

    def absent(self, observation: AnyObservation) -> Absent | None:
        """Return why the node lacks an observation, None when it has it."""
        return self.seen.absent(self.node.name, observation)

    def once(self, compute: Callable[[Subject], T]) -> T:
        """Return the result of ``compute``, which is the same for all cells and is computed once."""
        if compute not in self.memo:
            self.memo[compute] = compute(self)
        return cast(T, self.memo[compute])

    @property
    def hosts_rank_0(self) -> bool:
        """Whether the rendezvous is on this node."""
        return bool(self.situation.nodes) and self.situation.nodes[0].name == self.node.name

    @property
    def on_loopback(self) -> bool:
        """Whether the node is another address of the master's machine, such as the nodes of a lab."""
        return is_loopback(self.node.address)

    @property
    def on_windows(self) -> bool:
        """Whether the node runs Windows; false while its system is not known."""
        return system_of(self.of(self.node.name, FACTS)) == "Windows"

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that the inventory sets for the node's ranks."""
        return self.situation.inventory.run.variables(self.node)


Evaluator = Callable[[Subject], Verdict]


class Check(Struct, frozen=True):
    """One column of the matrix."""

    #: Used on the command line and in events.
    name: str
    title: Message
    group: Group
    #: Why a result matters, in one sentence.
    why: Message
    #: Observations that the evaluator reads; one that is absent makes the result ``skip``, or ``fail`` after
    #: an internal error.
    needs: tuple[AnyObservation, ...]
    evaluate: Evaluator
    scope: Scope = "node"
    #: Those of ``needs`` that the evaluator handles itself when they are absent.
    may_be_absent: tuple[AnyObservation, ...] = ()
