"""What each node brings to a run: its GPUs, or processes on its CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.facts import OTHERS, number_of
from fleet.frozen import frozen
from fleet.inventory import Fault, Node
from fleet.nodeset import fold

Facts = Mapping[str, Any]


@frozen
class Share:
    """A node with its facts, the GPUs it uses, whether it has others besides, and its number of ranks."""

    node: Node
    facts: Facts
    gpus: tuple[int, ...]
    chosen: bool
    ranks: int

    @property
    def system(self) -> str:
        """The node's operating system as Python names it (``Windows``, ``Linux``), empty when unknown."""
        return str((self.facts.get("os") or {}).get("system") or "")


def shares_of(
    nodes: Sequence[Node], facts: Mapping[str, Facts], cpu: bool, faults: list[Fault]
) -> tuple[Share, ...]:
    """Return each node's share; reports nodes without facts, GPUs that are not there, and CPU beside GPU."""
    shares = []
    for node in nodes:
        if node.name not in facts:
            faults.append(Fault("the node has not told what it has", "connect to it first", key=node.name))
        elif (share := _share(node, facts[node.name], cpu, faults)) is not None:
            shares.append(share)
    if with_gpu := [share.node.name for share in shares if share.gpus]:
        faults.extend(
            Fault(
                f"no GPU to train on{_reason(share)}, while {fold(with_gpu)} has",
                "leave it out of the run, or train on the CPU everywhere (--cpu)",
                key=share.node.name,
            )
            for share in shares
            if not share.gpus
        )
    return tuple(shares)


def _reason(share: Share) -> str:
    error = share.facts.get("gpu_error")
    return f" ({error})" if error and share.node.gpus != 0 else ""


def _share(node: Node, facts: Facts, cpu: bool, faults: list[Fault]) -> Share | None:
    own = [number_of(position, gpu) for position, gpu in enumerate(facts.get("gpus") or ())]
    # The whole machine's: only then is it known whether there are others to keep the ranks from.
    found = tuple(sorted([*own, *(facts.get(OTHERS) or ())]))
    if cpu or node.gpus == 0 or (node.gpus is None and not found):
        return Share(node, facts, (), False, node.processes or 1)
    if isinstance(node.gpus, tuple):
        wanted = node.gpus
    else:
        wanted = found if node.gpus is None else found[: node.gpus]
        if node.gpus is not None and len(wanted) < node.gpus:
            faults.append(
                Fault(
                    f"the inventory says {node.gpus} GPUs, the node has {len(found)}",
                    "correct `gpus`, or look for the missing ones (nvidia-smi)",
                    key=node.name,
                )
            )
            return None
    if missing := [gpu for gpu in wanted if gpu not in found]:
        has = ", ".join(map(str, found)) or "none"
        faults.append(
            Fault(
                f"there is no GPU {', '.join(map(str, missing))}; it has: {has}",
                "correct `gpus`",
                key=node.name,
            )
        )
        return None
    return Share(node, facts, wanted, wanted != found, len(wanted))
