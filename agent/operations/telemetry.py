"""``telemetry``: the node's load as a stream of samples, each sent as its difference to the one before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from agent.deltas import Encoder
from agent.sampler.child import GpuSampler, sampler_command
from agent.sampler.host import HostSampler, choose

if TYPE_CHECKING:
    from agent.server import Call

_SHORTEST, _LONGEST = 0.1, 3600.0
#: The first question opens the driver.
_FIRST_PATIENCE = 5.0
_PATIENCE = 2.0
#: GPU values older than so many intervals (and seconds) are not what the GPU does now.
_STALE = 3.0


def telemetry(call: Call) -> Dict[str, Any]:
    """Send a sample each interval until cancelled; items are those of :class:`agent.deltas.Encoder`.

    Arguments: ``interval`` (seconds, 1), ``count`` (end after so many), ``gpus`` (numbers, or how many),
    ``master_address`` (whose adapter counts). Returns how many were sent.
    """
    interval = min(max(float(call.args.get("interval") or 1.0), _SHORTEST), _LONGEST)
    count = call.args.get("count")
    gpus = GpuWatch(GpuSampler(sampler_command(call.archive)), interval, call.args.get("gpus"))
    host = HostSampler(str(call.args.get("master_address") or ""))
    encoder = Encoder()
    sent = 0
    try:
        while True:
            sample: Dict[str, Any] = {"time": time.time()}
            sample.update(host.sample())
            sample.update(gpus.sample())
            body, payload = encoder.encode(sample)
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
        wanted: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sampler = sampler
        self._interval = interval
        self._wanted = wanted
        self._clock = clock
        self._answer: Optional[Dict[str, Any]] = None
        self._answered = 0.0
        self._patience = _FIRST_PATIENCE

    def sample(self) -> Dict[str, Any]:
        """Return ``gpus`` with ``source``, ``driver``, ``cuda``, ``gpu_age``, ``stale`` and ``error``."""
        fresh = self._sampler.ask(self._patience)
        self._patience = min(_PATIENCE, self._interval * 0.8)
        now = self._clock()
        if fresh is not None:
            self._answer, self._answered = fresh, now
        answer = self._answer or {"source": None, "error": None, "driver": None, "cuda": None, "gpus": []}
        age = now - self._answered if self._answer is not None else None
        return {
            "source": answer["source"],
            "driver": answer["driver"],
            "cuda": answer["cuda"],
            "gpu_age": age,
            "stale": age is None or age > max(_STALE, _STALE * self._interval),
            "error": self._sampler.trouble or answer["error"],
            "gpus": choose(answer["gpus"], self._wanted),
        }

    def stop(self) -> None:
        """End the sampler's process."""
        self._sampler.stop()
