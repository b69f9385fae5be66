"""What each node brings to a run: its GPUs, or processes on its CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from agent.wire.message import Message, from_data, message
from fleet.facts import NodeFacts
from fleet.inventory import Fault, Node
from fleet.nodeset import fold


class Share(Struct, frozen=True):
    """A node with its facts, the GPUs it uses, whether it has others, and its number of ranks."""

    node: Node
    facts: NodeFacts
    gpus: tuple[int, ...]
    chosen: bool
    ranks: int

    @property
    def system(self) -> str:
        """The node's operating system as Python names it (``Windows``, ``Linux``), empty when unknown."""
        return self.facts["os"]["system"]


def shares_of(
    nodes: Sequence[Node], facts: Mapping[str, NodeFacts], cpu: bool, faults: list[Fault]
) -> tuple[Share, ...]:
    """Return each node's share; reports nodes without facts, missing GPUs, and CPU nodes in a run on GPUs."""
    shares = []
    for node in nodes:
        if node.name not in facts:
            what = message("plan.no-facts", "the node has not reported its hardware yet")
            remedy = message("plan.no-facts.remedy", "connect to {node} first", node=node.name)
            faults.append(Fault(what, remedy, key=node.name))
        elif (share := _share(node, facts[node.name], cpu, faults)) is not None:
            shares.append(share)
    if with_gpu := [share.node.name for share in shares if share.gpus]:
        others = fold(with_gpu)
        faults.extend(
            Fault(
                _without_gpu(share, others),
                message(
                    "plan.no-gpu.remedy",
                    "exclude {node} from the run, or train on the CPU on all nodes (--cpu)",
                    node=share.node.name,
                ),
                key=share.node.name,
            )
            for share in shares
            if not share.gpus
        )
    return tuple(shares)


def _without_gpu(share: Share, others: str) -> Message:
    error = share.facts["gpu_error"]
    if error and share.node.gpus != 0:
        return message(
            "plan.gpu-error",
            "no GPU to train on ({error}), unlike {others}",
            error=from_data(error),
            others=others,
        )
    return message("plan.no-gpu", "no GPU to train on, unlike {others}", others=others)


def _share(node: Node, facts: NodeFacts, cpu: bool, faults: list[Fault]) -> Share | None:
    own = [gpu["index"] for gpu in facts["gpus"]]
    # The whole machine's: only then is it known whether there are others to keep the ranks from.
    found = tuple(sorted([*own, *facts["gpus_of_others"]]))
    if cpu or node.gpus == 0 or (node.gpus is None and not found):
        return Share(node, facts, (), False, node.processes or 1)
    if isinstance(node.gpus, tuple):
        wanted = node.gpus
    else:
        wanted = found if node.gpus is None else found[: node.gpus]
        if node.gpus is not None and len(wanted) < node.gpus:
            faults.append(
                Fault(
                    message(
                        "plan.fewer-gpus",
                        "`gpus` is {wanted}, but the node has {found:n GPU}",
                        wanted=node.gpus,
                        found=len(found),
                    ),
                    message(
                        "plan.fewer-gpus.remedy",
                        "correct `gpus`, or run nvidia-smi on {node} to find the missing ones",
                        node=node.name,
                    ),
                    key=node.name,
                )
            )
            return None
    if missing := [gpu for gpu in wanted if gpu not in found]:
        if found:
            what = message(
                "plan.gpu-missing",
                "GPU {missing} was not found; available: {found}",
                missing=missing,
                found=found,
            )
        else:
            what = message(
                "plan.gpu-missing-all",
                "GPU {missing} was not found; the node has no GPU",
                missing=missing,
            )
        remedy = message("plan.gpu-missing.remedy", "correct `gpus`")
        faults.append(Fault(what, remedy, key=node.name))
        return None
    return Share(node, facts, wanted, wanted != found, len(wanted))
