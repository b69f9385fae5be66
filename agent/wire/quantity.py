"""A quantity of telemetry: one number of a sample, declared once with all its uses."""

from __future__ import annotations

from typing import Literal, NamedTuple, Optional, Tuple

from agent.wire.message import EMPTY, Message

#: Empty: a count.
Unit = Literal["percent", "bytes", "bytes/s", "W", "J", "°C", "MHz", "Mbit/s", ""]


class Nvml(NamedTuple):
    """The NVML function that returns a quantity of a GPU.

    It is called with the GPU's handle and the values of ``constants``, at most every ``period`` seconds, and
    its result is divided by ``divisor``. An ``essential`` one is read each time, whatever it costs.
    """

    function: str
    constants: Tuple[str, ...] = ()
    divisor: int = 1
    period: float = 0.0
    essential: bool = False


class Quantity(NamedTuple):
    """A number that is sampled, sent, kept, exported (CSV, JSON, Prometheus), charted and shown in tables.

    ``key`` is its key in a GPU's part of a sample (``fan``), or the path of a value of the machine
    (``network.rx``).
    """

    key: str
    unit: Unit
    #: Its name in charts; EMPTY: it is not charted.
    title: Message = EMPTY
    #: Its name in the tables of GPUs; EMPTY: it has no column of its own.
    column: Message = EMPTY
    #: The smallest difference that is sent and kept.
    step: float = 1
    #: None: NVML does not have it, or :mod:`agent.sampler.nvml_readings` reads it with others.
    nvml: Optional[Nvml] = None
    #: Field of ``nvidia-smi --query-gpu``. It reports memory in MiB.
    nvidia_smi: str = ""
    #: Where ``amd-smi metric`` has it: section and key; the first that exists counts.
    amd_smi: Tuple[Tuple[str, str], ...] = ()
    #: How keys of ``rocm-smi`` begin that have it, in small letters.
    rocm_smi: Tuple[str, ...] = ()
