"""What a console can ask of a node: each operation is a function in a file of its own."""

from __future__ import annotations

import importlib
from typing import Any, Callable

_PLACES = {
    "ping": "agent.operations.ping:ping",
    "probe": "agent.operations.probe:probe",
    "route": "agent.operations.route:route",
    "telemetry": "agent.operations.telemetry:telemetry",
    "manifest": "agent.operations.manifest:manifest",
    "receive": "agent.operations.receive:receive",
    "put": "agent.operations.put:put",
    "environment": "agent.operations.environment:environment",
    "start": "agent.operations.start:start",
    "status": "agent.operations.status:status",
    "stop": "agent.operations.stop:stop",
    "follow": "agent.operations.follow:follow",
    "sweep": "agent.operations.sweep:sweep",
    "netprobe": "agent.operations.netprobe:netprobe",
    "portcheck": "agent.operations.portcheck:portcheck",
    "mesh": "agent.operations.mesh:mesh",
    "conditions": "agent.operations.conditions:conditions",
    "digest": "agent.operations.digest:digest",
    "trial": "agent.operations.trial:trial",
    "fix": "agent.operations.fix:fix",
    "program": "agent.operations.program:program",
    "configcheck": "agent.operations.configcheck:configcheck",
}


class UnknownOperation(LookupError):
    """The console asked for something that this agent can't do."""


def find(name: str) -> Callable[[Any], Any]:
    """Return the operation's function, importing its module on first use; raises UnknownOperation."""
    if name not in _PLACES:
        raise UnknownOperation(f"this agent has no operation {name!r}")
    module, function = _PLACES[name].split(":")
    found: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
    return found
