"""Checks of all nodes and of the connections between them, before a run starts."""

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
