"""``probe``: the node's facts. It starts the GPU sampler and the user's login shell."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from agent.facts import machine
from agent.facts.login import settings as login_settings
from agent.facts.routes import routed
from agent.sampler.child import DRIVER_SILENT, GpuSampler, sampler_command
from agent.sampler.sources import answer
from agent.wire.facts import Facts, ProbeArgs

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ProbeArgs, None, None]

#: The first answer opens the driver, which takes seconds on a node that keeps none loaded.
_GPU_SECONDS = 12.0


def probe(call: Request) -> Facts:
    """Return the node's facts; every field may be None, sizes are bytes.

    Arguments: ``project`` (folder whose disk counts), ``master_address`` (whose route counts).
    """
    sampler = GpuSampler(sampler_command(call.archive))
    try:
        # It starts while the other facts are read.
        first = sampler.ask(0.0)
        project, master = call.args["project"], call.args["master_address"]
        ram, paging = machine.memory()
        adapters, route = routed(machine.adapters(), master)
        settings = machine.settings()
        login = login_settings()
        facts = Facts(
            host=socket.gethostname(),
            user=machine.user(),
            time=time.time(),
            os=machine.system(),
            cpu=machine.cpu(),
            ram=ram,
            paging=paging,
            disk=machine.disk(project),
            python=machine.python(),
            adapters=adapters,
            route=route,
            power=machine.power(),
            long_paths=settings.long_paths,
            execution_policy=settings.execution_policy,
            login_shell=settings.login_shell,
            elevated=settings.elevated,
            gpus=[],
            gpu_source="none",
            gpu_error=None,
            login=login.variables,
            login_problem=login.problem,
        )
        deadline = time.monotonic() + _GPU_SECONDS
        while first is None and time.monotonic() < deadline and not call.cancelled.is_set():
            first = sampler.ask(0.25)
        if first is None:
            first = answer("none", sampler.trouble or DRIVER_SILENT)
        driver, cuda = first["driver"], first["cuda"]
        facts["gpus"] = [{**gpu, "driver": driver, "cuda": cuda} for gpu in first["gpus"]]
        facts["gpu_source"], facts["gpu_error"] = first["source"], first["error"]
    finally:
        sampler.stop()
    return facts
