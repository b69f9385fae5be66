"""Faults in a configuration: each with its place, all of them in one error."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from agent.wire.message import EMPTY, Message, message
from fleet.errors import FleetError


class Fault(Struct, frozen=True):
    """One fault. ``line`` and ``column`` count from 1; ``key`` is the path of keys to it."""

    what: Message
    remedy: Message = EMPTY
    file: str = ""
    line: int | None = None
    column: int | None = None
    key: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, as far as known."""
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        return ":".join([*([self.file] if self.file else []), *numbers])

    @property
    def message(self) -> Message:
        """The whole fault: its place, what is wrong, and the remedy."""
        where = [part for part in (self.place, self.key) if part]
        if where and self.remedy:
            return message(
                "fault.at-with-remedy",
                "{where:: }: {what}; {remedy}",
                where=where,
                what=self.what,
                remedy=self.remedy,
            )
        if where:
            return message("fault.at", "{where:: }: {what}", where=where, what=self.what)
        if self.remedy:
            return message("fault.with-remedy", "{what}; {remedy}", what=self.what, remedy=self.remedy)
        return self.what

    def __str__(self) -> str:
        return str(self.message)


class FaultsError(FleetError):
    """Something given by the user can't be used; ``faults`` has every reason, in the order of the text."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        each = [fault.message for fault in self.faults]
        super().__init__(each[0] if len(each) == 1 else message("fault.list", "{faults:\n}", faults=each))


class InventoryError(FaultsError):
    """The inventory is faulty, and nothing of it was used."""
