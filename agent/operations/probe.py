"""``probe``: what the node is. Nothing is started but the GPU sampler, in a process of its own."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Dict, Optional

from agent.facts import machine
from agent.facts.routes import mark_routes
from agent.sampler.child import GpuSampler, sampler_command

if TYPE_CHECKING:
    from agent.server import Call

#: The first answer opens the driver, which takes seconds on a node that keeps none loaded.
_GPU_SECONDS = 12.0


def probe(call: Call) -> Dict[str, Any]:
    """Return the node's facts; every field may be None, sizes are bytes.

    Arguments: ``project`` (folder whose disk counts), ``master_address`` (whose route counts).
    """
    sampler = GpuSampler(sampler_command(call.archive))
    try:
        # It starts while the other facts are read.
        first = sampler.ask(0.0)
        facts = _facts(str(call.args.get("project") or ""), str(call.args.get("master_address") or ""))
        deadline = time.monotonic() + _GPU_SECONDS
        while first is None and time.monotonic() < deadline and not call.cancelled.is_set():
            first = sampler.ask(0.25)
        facts.update(_gpu_facts(first, sampler.trouble))
    finally:
        sampler.stop()
    return facts


def _facts(project: str, master: str) -> Dict[str, Any]:
    ram, paging = machine.memory()
    adapters = machine.adapters()
    route = mark_routes(adapters, master)
    facts: Dict[str, Any] = {
        "host": socket.gethostname(),
        "user": machine.user(),
        "time": time.time(),
        "os": machine.system(),
        "cpu": machine.cpu(),
        "ram": ram,
        "paging": paging,
        "disk": machine.disk(project),
        "python": machine.python(),
        "adapters": adapters,
        "route": route,
        "power": machine.power(),
    }
    facts.update(machine.settings())
    return facts


def _gpu_facts(answer: Optional[Dict[str, Any]], trouble: str) -> Dict[str, Any]:
    if answer is None:
        answer = {"source": "none", "error": trouble or "the GPU driver did not answer", "gpus": []}
    driver, cuda = answer.get("driver"), answer.get("cuda")
    return {
        "gpus": [dict(gpu, driver=driver, cuda=cuda) for gpu in answer["gpus"]],
        "gpu_source": answer["source"],
        "gpu_error": answer["error"],
    }
