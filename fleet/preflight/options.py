"""What to check, and how thoroughly."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.frozen import frozen
from fleet.inventory import Node
from fleet.preflight.catalog import BEFORE


@frozen(kw_only=True)
class PreflightOptions:
    """The defaults are what `dtui up` looks at before it deploys: a few seconds."""

    #: Names of checks and groups.
    checks: Sequence[str] = BEFORE
    #: All nodes of the run, when only some of them are checked again; None is those that are checked.
    among: Sequence[Node] | None = None
    #: Train on the CPU even where there are GPUs.
    cpu: bool = False
    #: Whether LinkChanged and NodeProbed are told, too.
    announce: bool = True
    #: Bytes of the data folder whose contents are compared; names and sizes always are.
    data_budget: int = 64 << 20
    #: Bounds of each measured way.
    measure_bytes: int = 32 << 20
    measure_seconds: float = 0.5
