"""Which checks to run, and their limits."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fleet.inventory import Node
from fleet.preflight.catalog import BEFORE


class PreflightOptions(Struct, frozen=True, kw_only=True):
    """The defaults are the checks of `dtui up` before a deploy: a few seconds."""

    #: Names of checks and groups.
    checks: Sequence[str] = BEFORE
    #: Names of checks to leave out: a group may have the name of one of its checks.
    without: Sequence[str] = ()
    #: All nodes of the run, when only some of them are checked; None: those that are checked.
    among: Sequence[Node] | None = None
    #: Train on the CPU even where there are GPUs.
    cpu: bool = False
    #: Whether LinkChanged and NodeProbed are yielded too.
    announce: bool = True
    #: Bytes of the data folder whose contents are compared; all names and sizes are.
    data_budget: int = 64 << 20
    #: Limits of each measurement between two nodes.
    measure_bytes: int = 32 << 20
    measure_seconds: float = 0.5
