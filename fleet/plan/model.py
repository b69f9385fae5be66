"""The plan of a run as frozen values, stored as JSON with the run's events."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import msgspec
from msgspec import Struct

from agent.wire.message import Message, message
from fleet.errors import FleetError
from fleet.events import RankPlan
from fleet.inventory import FaultsError
from fleet.inventory.model import DEFAULT_MODULE
from fleet.launch_method import LaunchMethod
from fleet.message_json import decoded, encoded

#: Placeholder in ``argv`` for the node's training interpreter, which the node inserts.
INTERPRETER = "{interpreter}"


class PlanError(FaultsError):
    """The run can't be laid out; ``faults`` has every reason, with the node's name in ``key``."""


class PlanFormatError(FleetError):
    """A stored plan is not one that this version can read."""


class ProcessPlan(Struct, frozen=True, kw_only=True):
    """One process that a node's supervisor starts: a rank, or a launcher that starts ``ranks`` of them."""

    #: The (first) rank in the world, and on the node.
    rank: int
    local_rank: int
    ranks: int
    #: ``argv[0]`` is INTERPRETER. Paths are relative to the run's ``workdir``.
    argv: tuple[str, ...]
    #: What dtui adds to the node's variables and the user's (``NodePlan.variables``).
    env: dict[str, str]


class NodePlan(Struct, frozen=True, kw_only=True):
    """A node's part of a run."""

    node: str
    #: The node's number, 0 where rank 0 is; accelerate's ``machine_rank``.
    machine_rank: int
    first_rank: int
    local_world_size: int
    #: NVML's numbers of the GPUs in use, one per rank; empty on a CPU run.
    gpus: tuple[int, ...]
    #: Whether the machine has more GPUs, which the ranks must not see.
    gpus_chosen: bool
    #: Adapter for the ranks' traffic; None leaves it to torch.
    interface: str | None
    processes: tuple[ProcessPlan, ...]
    #: Whether the node runs Windows.
    windows: bool = False
    #: The user's variables of every rank here; the node resolves the references in their values.
    variables: dict[str, str] = {}


class RunPlan(Struct, frozen=True, kw_only=True):
    """All of a run. ``notes`` are warnings about what may go wrong although the run can be started."""

    run: str
    method: LaunchMethod
    #: ``gloo`` or ``nccl``.
    backend: str
    cpu: bool
    #: ``no``, ``fp16`` or ``bf16``.
    mixed_precision: str
    world_size: int
    master_address: str
    master_port: int
    #: In the order of ranks.
    nodes: tuple[NodePlan, ...]
    notes: tuple[Message, ...] = ()
    #: The ranks' working folder below the project, with ``/``; empty is the project's.
    workdir: str = ""
    #: The user's Accelerate configuration, empty without one.
    accelerate: dict[str, object] = {}

    @property
    def ranks(self) -> tuple[RankPlan, ...]:
        """Every rank with its node, in the order of ranks."""
        return tuple(
            RankPlan(node=part.node, rank=part.first_rank + local_rank, local_rank=local_rank)
            for part in self.nodes
            for local_rank in range(part.local_world_size)
        )

    @property
    def runs_trainer(self) -> bool:
        """Whether the program is the bundled trainer."""
        argv = self.nodes[0].processes[0].argv
        return ("-m", DEFAULT_MODULE) in pairwise(argv)

    def part(self, node: str) -> NodePlan:
        """Return a node's part; raises KeyError."""
        for part in self.nodes:
            if part.node == node:
                return part
        raise KeyError(node)

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return msgspec.json.encode(self, enc_hook=encoded).decode("utf-8")

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that ``to_json`` wrote; raises PlanFormatError."""
        try:
            return msgspec.json.decode(text, type=cls, dec_hook=decoded)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise PlanFormatError(
                message(
                    "plan.format",
                    "not the plan of a run: {text!r} ({error})",
                    text=text[:80],
                    error=str(error),
                )
            ) from None
