"""A GPU's values on their way from a source to the wire."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Protocol, cast, get_type_hints

from agent.wire.decode import checker
from agent.wire.gpu import Gpu, GpuSource
from agent.wire.message import Message, message

#: What a source has read: the keys of :class:`agent.wire.gpu.Gpu`, values of the types that the driver gave.
Raw = Dict[str, Any]

_KINDS = get_type_hints(Gpu)

# NVML and nvidia-smi both report these.
NO_DRIVER = message("gpu.no-driver", "no NVIDIA driver is installed (its library NVML was not found)")
DRIVER_UPDATED = message(
    "gpu.driver-updated",
    "the NVIDIA driver was updated, but the older one is still loaded; restart the node",
)


def blank(index: int) -> Raw:
    """Return a GPU with only its number known."""
    raw: Raw = dict.fromkeys(_KINDS)
    raw["index"] = index
    return raw


def typed(raw: Raw) -> Gpu:
    """Return the GPU with each value of its declared type, None for one that is something else.

    A driver's odd answer must not cost the whole sample.
    """
    values: Dict[str, object] = {}
    for name, kind in _KINDS.items():
        value = raw.get(name)
        try:
            if isinstance(value, float) and kind == Optional[int]:
                value = int(value)  # raises ValueError for nan, OverflowError for inf
            values[name] = checker(kind)(value, name)
        except (ValueError, OverflowError):
            values[name] = None
    values["index"] = int(raw["index"])
    return cast(Gpu, values)


class SourceError(Exception):
    """A source can't be used, for the reason ``message``."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class Source(Protocol):
    """A source of GPU values: NVML, or a vendor's program."""

    name: GpuSource
    driver: Optional[str]
    #: Newest CUDA (or ROCm) version that the driver runs, as text.
    cuda: Optional[str]

    def read(self) -> List[Raw]:
        """Return all GPUs; raises SourceError when the source has failed."""
        ...
