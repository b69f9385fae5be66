"""The plan of a run as frozen values, kept as JSON beside the run's events."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Self

from fleet.errors import FleetError
from fleet.events import RankPlan
from fleet.frozen import frozen
from fleet.inventory import FaultsError

#: Stands in ``argv`` for the node's training interpreter, which only the node knows.
INTERPRETER = "{interpreter}"


class PlanError(FaultsError):
    """The run can't be laid out; ``faults`` has every reason, with the node's name in ``key``."""


class PlanFormatError(FleetError):
    """A stored plan is not one that this version knows."""


@frozen(kw_only=True)
class ProcessPlan:
    """One process that a node's supervisor starts: a rank, or a launcher that starts ``ranks`` of them."""

    #: The (first) rank in the world, and on the node.
    rank: int
    local_rank: int
    ranks: int
    #: ``argv[0]`` is INTERPRETER. The working folder is the project.
    argv: tuple[str, ...]
    #: What is added to the node's own environment.
    env: dict[str, str]


@frozen(kw_only=True)
class NodePlan:
    """A node's part of a run."""

    node: str
    #: The node's number, 0 where rank 0 is; accelerate's ``machine_rank``.
    machine_rank: int
    first_rank: int
    local_world_size: int
    #: NVML's numbers of the GPUs in use, one a rank; empty on a CPU run.
    gpus: tuple[int, ...]
    #: Whether the machine has more GPUs, which the ranks must not see.
    gpus_chosen: bool
    #: Adapter for the ranks' traffic; None leaves it to torch.
    interface: str | None
    processes: tuple[ProcessPlan, ...]


@frozen(kw_only=True)
class RunPlan:
    """All of a run. ``notes`` tell a person what may go wrong although the run can be started."""

    run: str
    #: ``ranks`` or ``accelerate``.
    method: str
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
    notes: tuple[str, ...] = ()

    @property
    def ranks(self) -> tuple[RankPlan, ...]:
        """Every rank with its node, in the order of ranks."""
        return tuple(
            RankPlan(node=part.node, rank=part.first_rank + local_rank, local_rank=local_rank)
            for part in self.nodes
            for local_rank in range(part.local_world_size)
        )

    def part(self, node: str) -> NodePlan:
        """Return a node's part; raises KeyError."""
        for part in self.nodes:
            if part.node == node:
                return part
        raise KeyError(node)

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that ``to_json`` wrote; raises PlanFormatError."""
        try:
            fields: dict[str, Any] = json.loads(text)
            nodes = tuple(_node_plan(part) for part in fields["nodes"])
            return cls(**{**fields, "nodes": nodes, "notes": tuple(fields["notes"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PlanFormatError(f"not a run's plan: {text[:80]!r} ({error})") from None


def _node_plan(fields: dict[str, Any]) -> NodePlan:
    processes = tuple(ProcessPlan(**{**one, "argv": tuple(one["argv"])}) for one in fields["processes"])
    return NodePlan(**{**fields, "gpus": tuple(fields["gpus"]), "processes": processes})
