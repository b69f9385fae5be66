"""The machine that everything runs on, as dtui's own agent describes it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from msgspec import Struct

from fleet.events import LinkChanged, NodeProbed
from fleet.fleet import Fleet
from fleet.inventory import Inventory, default_master


class Machine(Struct, frozen=True, kw_only=True):
    """``text`` describes the machine; ``cores`` are those that this process may use."""

    gpus: int
    cores: int
    text: str


async def inspect_machine(project: Path) -> Machine:
    """Return this machine; raises SystemExit when the agent can't be started."""
    inventory = Inventory(project=project, master=default_master(project))
    async with Fleet(inventory, home=project / ".dtui") as fleet:
        async for event in fleet.connect():
            if isinstance(event, LinkChanged) and event.state in ("failed", "lost"):
                raise SystemExit(f"{event.detail}; {event.remedy}")
            if isinstance(event, NodeProbed):
                facts = event.facts
    kinds = Counter(gpu["name"] for gpu in facts["gpus"])
    cpu = facts["cpu"]
    cores = cpu["usable"] or os.cpu_count() or 1
    parts = [f"{count} x {name}" for name, count in kinds.items()] or ["no GPU"]
    parts.append(f"{cores} cores ({cpu['model'] or 'unknown processor'})")
    if driver := next((gpu["driver"] for gpu in facts["gpus"]), None):
        parts.append(f"driver {driver}")
    return Machine(gpus=len(facts["gpus"]), cores=cores, text=", ".join(parts))
