"""What a node has told of itself, cut down to the part of the machine that the inventory gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.inventory import Node

#: Key of the facts: the numbers of the machine's GPUs that are not this node's.
OTHERS = "gpus_of_others"


def own_part(node: Node, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with the GPUs that ``node.gpus`` gives; the numbers of the rest go under OTHERS.

    The agent's ``telemetry`` chooses alike, so that what is judged, planned and drawn is one thing.
    """
    gpus = list(enumerate(facts.get("gpus") or ()))
    if node.gpus is None:
        own = gpus
    elif isinstance(node.gpus, int):
        own = gpus[: node.gpus]
    else:
        own = [each for each in gpus if number_of(*each) in node.gpus]
    others = [number_of(*each) for each in gpus if each not in own]
    return {**facts, "gpus": [gpu for _, gpu in own], OTHERS: others}


def number_of(position: int, gpu: Mapping[str, Any]) -> int:
    """Return NVML's number of a GPU; where nothing tells it, its place in the list."""
    index = gpu.get("index")
    return position if index is None else int(index)
