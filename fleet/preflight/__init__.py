"""Will a run start, and how fast will it go? Checks of every node and pair, answered before it is started."""

from fleet.preflight.catalog import AFTER, BEFORE, GROUPS, Column, NoSuchCheck, checks_for, columns
from fleet.preflight.options import PreflightOptions
from fleet.preflight.run import preflight

__all__ = [
    "AFTER",
    "BEFORE",
    "GROUPS",
    "Column",
    "NoSuchCheck",
    "PreflightOptions",
    "checks_for",
    "columns",
    "preflight",
]
