"""Seconds per step and scaling efficiency, from a model of a ring all-reduce. Pure arithmetic.

A ring over n ranks sends 2 (n - 1) / n of the gradients over each of its links, in 2 (n - 1) hops for each
bucket. Ranks of one node are neighbours, so between two nodes there is one link each way, however many GPUs
they have. DDP hides communication behind the backward pass except for the last bucket. NCCL within a machine
hides nothing: the GPUs themselves copy and add up. Nor does low-communication training, which exchanges
everything at once after a number of steps. docs/scaling.md has the runs that the constants come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from agent.wire.message import EMPTY, Message, message
from fleet.forecast.links import Link, slowest

#: torch's DDP gathers gradients in buckets of this size.
BUCKET: Final = 25 << 20
#: Part of a step's computing that communication can overlap: the backward pass after its first bucket.
HIDDEN: Final = 0.5
#: The part of a link's measured rate that gloo reaches: its ring waits at every hop.
EFFICIENCY: Final = 0.96
#: Between GPUs of one node, bytes per second: gloo copies and adds up on the CPU, NCCL does not.
LOCAL_RATE: Final = {"gloo": 1.1e9, "nccl": 30e9}
#: The part that gloo's copying and adding reach of a link as fast as the processors that measured it.
PROCESSORS: Final = 0.38
#: The rate in bytes at which gloo sends fp16, relative to fp32: it adds halves up one by one.
HALVES: Final = 0.6
_LOCAL_RTT = 30e-6


class Workload(Struct, frozen=True):
    """A training step on one GPU: bytes of its gradients as fp32, and seconds of computing."""

    gradient_bytes: int
    compute_seconds: float
    #: The source of the two numbers.
    source: Message = EMPTY


class Method(Struct, frozen=True):
    """A method to exchange gradients: bytes per number, and steps per exchange."""

    name: str
    title: Message
    bytes_per_number: int
    every: int = 1


class Forecast(Struct, frozen=True):
    """The expected speed of one method on ``gpus`` over ``nodes``."""

    method: Method
    gpus: int
    nodes: int
    step_seconds: float
    communication_seconds: float
    #: Of ``gpus`` times one GPU's rate.
    efficiency: float

    @property
    def speed_up(self) -> float:
        """How many times the throughput of one GPU is reached."""
        return self.gpus * self.efficiency


METHODS: Final = (
    Method("fp32", message("forecast.fp32", "DDP, gradients in fp32"), 4),
    Method("fp16", message("forecast.fp16", "DDP, gradients in fp16"), 2),
    Method("low", message("forecast.low", "low communication, every 50 steps"), 4, 50),
)
#: The expectation of the project's guide: GPUs, nodes, speed-up.
GUIDE: Final = ((1, 1, 1.0), (4, 1, 3.5), (8, 2, 6.5), (16, 4, 12.0))


def forecast(
    workload: Workload, method: Method, *, gpus: int, nodes: int, ring: Sequence[Link], backend: str = "gloo"
) -> Forecast:
    """Return the forecast; ``ring`` are the links between the nodes, empty for one node."""
    communication = _all_reduce(workload, method, gpus, ring, backend)
    if method.every > 1:
        step = workload.compute_seconds + communication / method.every
    else:
        size = workload.gradient_bytes / 4 * method.bytes_per_number
        last = communication * min(1.0, BUCKET / size) if size else 0.0
        hidden = HIDDEN * workload.compute_seconds if ring or backend != "nccl" else 0.0
        step = workload.compute_seconds + max(communication - hidden, last)
    return Forecast(method, gpus, nodes, step, communication, workload.compute_seconds / step)


def _all_reduce(workload: Workload, method: Method, gpus: int, ring: Sequence[Link], backend: str) -> float:
    if gpus < 2:
        return 0.0
    size = workload.gradient_bytes / 4 * method.bytes_per_number
    rate = _rate(method, slowest(ring), backend)
    buckets = max(1, -(-int(size) // BUCKET))
    # Half a round trip per hop; a ring passes each of its links in every turn.
    hops = sum(link.rtt / 2 for link in ring) + max(gpus - len(ring), 0) * _LOCAL_RTT / 2
    return 2 * (gpus - 1) / gpus * size / rate + buckets * 2 * (gpus - 1) / gpus * hops


def _rate(method: Method, worst: Link | None, backend: str) -> float:
    link = worst.rate if worst else math.inf
    local = LOCAL_RATE.get(backend, LOCAL_RATE["gloo"])
    if backend != "nccl":
        if worst:
            local = max(local, PROCESSORS * link)
        if method.bytes_per_number < 4:
            local *= HALVES
    return min(link * EFFICIENCY, local)
