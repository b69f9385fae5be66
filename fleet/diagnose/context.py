"""What a rule may depend on: the system that a rank runs on, and the run that it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from fleet.plan import RunPlan

System = Literal["windows", "linux"]
Program = Literal["trainer", "other"]
#: What printed the text: a rank, a step that builds an environment (uv, pip), or the login of a transport.
Kind = Literal["run", "uv", "ssh", "winrm"]


class Context(Struct, frozen=True):
    """Where an output comes from."""

    system: System
    program: Program
    #: The port of the run's rendezvous, None when it is not known.
    port: int | None
    kind: Kind = "run"


def contexts_of(plan: RunPlan) -> Mapping[int, Context]:
    """Return rank -> the context of its output."""
    program: Program = "trainer" if plan.runs_trainer else "other"
    return {
        rank: Context("windows" if part.windows else "linux", program, plan.master_port)
        for part in plan.nodes
        for rank in range(part.first_rank, part.first_rank + part.local_world_size)
    }
