"""What is wrong in a configuration, each fault with its place, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.errors import FleetError
from fleet.frozen import frozen


@frozen
class Fault:
    """One thing to put right. ``line`` and ``column`` count from 1; ``key`` is the path of keys to it."""

    what: str
    remedy: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    key: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, as far as known."""
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        return ":".join([*([self.file] if self.file else []), *numbers])

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.place, self.key, self.what) if part)
        return f"{text}; {self.remedy}" if self.remedy else text


class FaultsError(FleetError):
    """Something given by the user can't be used; ``faults`` has every reason, in the order of the text."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class InventoryError(FaultsError):
    """The inventory is faulty, and nothing of it was used."""
