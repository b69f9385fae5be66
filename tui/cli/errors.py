"""Errors as lines of text and as JSON."""

from __future__ import annotations

from typing import TypedDict

from agent.wire.message import MessageData, to_data
from fleet.errors import FleetError
from fleet.inventory.faults import Fault, FaultsError
from fleet.terminal import one_line
from tui.cli.exits import UsageError
from tui.cli.output import indented
from tui.i18n import Texts


class ErrorData(TypedDict):
    """An error in JSON."""

    what: MessageData
    remedy: MessageData


def error_text(error: FleetError | UsageError, texts: Texts) -> str:
    """Return what failed, with its node, and the remedy on a separate line."""
    if isinstance(error, FaultsError):
        return indented("\n".join(_fault_line(fault, texts) for fault in error.faults))
    node = error.node if isinstance(error, FleetError) else ""
    return failure_text(node, error.what, error.remedy, texts)


def failure_text(node: str, what: str, remedy: str, texts: Texts) -> str:
    """Return what failed, with its node where it has one, and the remedy on a separate line."""
    lead = f"{one_line(node)}: " if node else ""
    after = f"\n-> {texts.translate(remedy)}" if remedy else ""
    return indented(f"{lead}{texts.translate(what)}") + indented(after)


def error_data(error: FleetError) -> ErrorData:
    """Return the error as JSON data."""
    return ErrorData(what=to_data(error.what), remedy=to_data(error.remedy))


def _fault_line(fault: Fault, texts: Texts) -> str:
    where = ": ".join(part for part in (fault.place, fault.key) if part)
    lead = f"{where}: " if where else ""
    after = f"; {texts.translate(fault.remedy)}" if fault.remedy else ""
    return f"{lead}{texts.translate(fault.what)}{after}"
