"""``telemetry``: the node's load as a stream of samples, each sent as its difference to the one before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, List, Optional, Union

from agent.deltas import Encoder
from agent.sampler.child import GpuSampler, sampler_command
from agent.sampler.host import HostLoad, HostSampler, choose
from agent.wire.gpu import GpuAnswer
from agent.wire.message import to_data
from agent.wire.telemetry import Sample, TelemetryArgs, TelemetryResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[TelemetryArgs, None, object]

_SHORTEST, _LONGEST = 0.1, 3600.0
#: The first question opens the driver.
_FIRST_TIMEOUT = 5.0
_TIMEOUT = 2.0
#: GPU values older than this many intervals (and seconds) are stale.
_STALE = 3.0


def telemetry(call: Request) -> TelemetryResult:
    """Send a sample each interval until cancelled; items are those of :class:`agent.deltas.Encoder`.

    Arguments: ``interval`` (seconds, 1), ``count`` (samples to send), ``gpus`` (numbers, or how many),
    ``master_address`` (whose adapter counts). Returns how many were sent.
    """
    interval = min(max(call.args.get("interval", 1.0), _SHORTEST), _LONGEST)
    count = call.args.get("count")
    gpus = GpuWatch(GpuSampler(sampler_command(call.archive)), interval, call.args.get("gpus"))
    host = HostSampler(call.args.get("master_address", ""))
    encoder = Encoder()
    sent = 0
    try:
        while True:
            body, payload = encoder.encode(gpus.complete(time.time(), host.sample()))
            call.send(body, payload)
            sent += 1
            # Cancelled is raised by the next send; a wait that ends early only brings it forward.
            if sent == count or call.cancelled.wait(until_next(time.time(), interval)):
                return {"samples": sent}
    finally:
        gpus.stop()


def until_next(now: float, interval: float) -> float:
    """Return the seconds to the next multiple of ``interval``: so all nodes sample in the same moment."""
    rest = interval - now % interval
    # A wait may end a hair early: that tick has had its sample.
    return rest if rest > interval / 10 else rest + interval


class GpuWatch:
    """The GPU part of a sample: fresh when the driver answers, else the last with its age."""

    def __init__(
        self,
        sampler: GpuSampler,
        interval: float,
        wanted: Union[int, List[int], None] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sampler = sampler
        self._interval = interval
        self._wanted = wanted
        self._clock = clock
        self._answer: Optional[GpuAnswer] = None
        self._answered = 0.0
        self._timeout = _FIRST_TIMEOUT

    def complete(self, at: float, load: HostLoad) -> Sample:
        """Return the node's sample of time ``at``: the host's load and the GPUs."""
        fresh = self._sampler.ask(self._timeout)
        self._timeout = min(_TIMEOUT, self._interval * 0.8)
        now = self._clock()
        if fresh is not None:
            self._answer, self._answered = fresh, now
        answer = self._answer
        age = now - self._answered if self._answer is not None else None
        trouble = self._sampler.trouble
        return {
            "time": at,
            "cpu": load.cpu,
            "ram": load.ram,
            "paging": load.paging,
            "disk": load.disk,
            "network": load.network,
            "source": answer["source"] if answer else None,
            "driver": answer["driver"] if answer else None,
            "cuda": answer["cuda"] if answer else None,
            "gpu_age": age,
            "stale": age is None or age > max(_STALE, _STALE * self._interval),
            "error": to_data(trouble) if trouble else answer["error"] if answer else None,
            "gpus": choose(answer["gpus"], self._wanted) if answer else [],
        }

    def stop(self) -> None:
        """End the sampler's process."""
        self._sampler.stop()
