"""Complete, valid values of the wire's types for tests, which name only the fields that they are about.

Each factory takes the fields to change; what it is not given is unknown (None or empty) where the type allows
that. An object given for a nested object changes only its own keys there; GPUs and adapters in lists are
completed too. The result is decoded strictly: a misspelt field or a value of a wrong type raises
WireError in the test that wrote it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast, get_type_hints

import msgspec

from agent.wire.decode import decode
from agent.wire.deploy import EnvironmentFacts
from agent.wire.facts import AdapterFacts
from agent.wire.gpu import Gpu, GpuProcess, ProbedGpu
from agent.wire.preflight import Conditions
from agent.wire.telemetry import Sample
from fleet.facts import NodeFacts
from fleet.metrics_record import MetricsRecord

T = TypeVar("T")

_GPU: dict[str, object] = dict.fromkeys(get_type_hints(Gpu)) | {"index": 0}
_PROCESS: dict[str, object] = dict.fromkeys(get_type_hints(GpuProcess))
_ADAPTER: dict[str, object] = {
    "name": "eth0",
    "index": 2,
    "description": None,
    "up": True,
    "loopback": False,
    "speed_mbps": None,
    "wireless": False,
    "addresses": [],
    "routes_to_master": None,
    "default_route": False,
}
_FACTS: dict[str, object] = {
    "host": "gpu1",
    "user": None,
    "time": 0.0,
    "os": {
        "name": None,
        "version": None,
        "build": None,
        "codepage": None,
        "oem_codepage": None,
        "locale": None,
        "system": "Linux",
        "release": None,
        "machine": "x86_64",
        "encoding": "UTF-8",
    },
    "cpu": dict.fromkeys(("model", "cores", "threads", "usable")),
    "ram": dict.fromkeys(("total", "free", "limit")),
    "paging": dict.fromkeys(("total", "free", "commit_limit", "commit_free")),
    "disk": {"path": "/", "total": None, "free": None},
    "python": {
        "version": "3.11.9",
        "executable": "/usr/bin/python3",
        "bits": 64,
        "implementation": "cpython",
    },
    "adapters": [],
    "route": dict.fromkeys(("master", "master_ip", "source")),
    "power": dict.fromkeys(("plan", "sleep_minutes_ac", "hibernate_minutes_ac", "on_ac", "battery")),
    "long_paths": None,
    "execution_policy": None,
    "login_shell": None,
    "elevated": False,
    "gpus": [],
    "gpu_source": "none",
    "gpu_error": None,
    "login": {},
    "login_problem": None,
}
_SAMPLE: dict[str, object] = {
    "time": 0.0,
    "cpu": {"util": None},
    "ram": {"total": None, "used": None},
    "paging": {"total": None, "used": None},
    "disk": {"read": None, "write": None},
    "network": dict.fromkeys(("adapter", "speed_mbps", "rx", "tx")),
    "source": None,
    "driver": None,
    "cuda": None,
    "gpu_age": None,
    "stale": False,
    "error": None,
    "gpus": [],
}
_CONDITIONS: dict[str, object] = {
    "project": "/project",
    "writable": True,
    "deployed": 0,
    "environment": None,
    "orphans": [],
    "under_way": [],
    "defender": None,
    "firewall": None,
    "data": None,
}
_ENVIRONMENT: dict[str, object] = {
    "version": 1,
    "kind": "existing",
    "interpreter": "/usr/bin/python3",
    "python": "3.11.9",
    "packages": {},
    "torch": None,
    "warnings": [],
    "stamp": {
        "request": {"kind": "existing", "interpreter": None, "recipe": None, "wheelhouse": None},
        "sources": {},
        "places": [],
    },
}


def process(pid: int, **changes: object) -> GpuProcess:
    """A process on a GPU."""
    return _made(GpuProcess, _PROCESS, {"pid": pid, **changes})


def gpu(**changes: object) -> Gpu:
    """A GPU as telemetry reports it; ``processes`` may be incomplete."""
    return _made(Gpu, _GPU, _with_processes(changes))


def probed_gpu(**changes: object) -> ProbedGpu:
    """A GPU as the probe reports it: with ``driver`` and ``cuda``."""
    return _made(ProbedGpu, _GPU | {"driver": None, "cuda": None}, _with_processes(changes))


def adapter(**changes: object) -> AdapterFacts:
    """A network adapter that is up."""
    return _made(AdapterFacts, _ADAPTER, changes)


def facts(**changes: object) -> NodeFacts:
    """The facts of a node, with the GPUs that are its own; ``gpus_of_others`` is empty."""
    return _made(NodeFacts, _FACTS | {"gpus_of_others": []}, _with_parts(changes))


def sample(**changes: object) -> Sample:
    """A telemetry sample."""
    changes = dict(changes)
    if "gpus" in changes:
        changes["gpus"] = [gpu(**one) for one in _objects(changes["gpus"])]
    return _made(Sample, _SAMPLE, changes)


def record(**changes: object) -> MetricsRecord:
    """A record of a metrics file, by the names of MetricsRecord's fields."""
    keys = {field.name: field.encode_name for field in msgspec.structs.fields(MetricsRecord)}
    values = {keys[name]: value for name, value in changes.items()}
    return msgspec.convert({"numbers": {}, **values}, MetricsRecord)


def conditions(**changes: object) -> Conditions:
    """The conditions that preflight reads besides the facts, of a node without problems."""
    changes = dict(changes)
    if changes.get("environment") is not None:
        (one,) = _objects([changes["environment"]])
        changes["environment"] = environment(**one)
    return _made(Conditions, _CONDITIONS, changes)


def environment(**changes: object) -> EnvironmentFacts:
    """An existing interpreter as the training environment."""
    return _made(EnvironmentFacts, _ENVIRONMENT, changes)


def _with_processes(changes: Mapping[str, object]) -> dict[str, object]:
    whole = dict(changes)
    if whole.get("processes") is not None:
        whole["processes"] = [process(**cast("Any", one)) for one in _objects(whole["processes"])]
    return whole


def _with_parts(changes: Mapping[str, object]) -> dict[str, object]:
    whole = dict(changes)
    if "gpus" in whole:
        whole["gpus"] = [probed_gpu(**one) for one in _objects(whole["gpus"])]
        whole.setdefault("gpu_source", "nvml" if whole["gpus"] else "none")
    if "adapters" in whole:
        whole["adapters"] = [adapter(**one) for one in _objects(whole["adapters"])]
    return whole


def _objects(value: object) -> Iterable[Mapping[str, object]]:
    return cast("Iterable[Mapping[str, object]]", value)


def _made(kind: type[T], defaults: Mapping[str, object], changes: Mapping[str, object]) -> T:
    return decode(kind, _merged(defaults, changes))


def _merged(defaults: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    whole = copy.deepcopy(dict(defaults))
    for key, value in changes.items():
        known = whole.get(key)
        nested = isinstance(known, dict) and known and isinstance(value, Mapping)
        whole[key] = _merged(cast("Any", known), cast("Any", value)) if nested else value
    return whole
