"""Which of several progress bars is the one of the training."""

from __future__ import annotations

from enum import Enum, auto

from fleet.printed.bars import Bar


class BarRole(Enum):
    """What a bar is to the training."""

    MAIN = auto()
    #: It is the bar of the training from now on; another was before.
    NEW_MAIN = auto()
    OTHER = auto()


class MainBar:
    """Chooses among the bars that a program shows, one by one."""

    def __init__(self) -> None:
        self._main: Bar | None = None

    def role_of(self, bar: Bar) -> BarRole:
        """Return the role of a bar that is shown now."""
        if bar.counts_epochs:
            return BarRole.MAIN
        known, role = self._main, BarRole.MAIN
        if known is not None and not _same(known, bar):
            if known.certain and not bar.certain:
                return BarRole.OTHER
            if known.certain == bar.certain and not _larger(bar, known):
                # An evaluation's bar often has no description either, but fewer steps.
                return BarRole.OTHER
            role = BarRole.NEW_MAIN
        self._main = bar
        return role


def _same(one: Bar, other: Bar) -> bool:
    return one.title == other.title and one.figures.steps == other.figures.steps


def _larger(bar: Bar, known: Bar) -> bool:
    return (bar.figures.steps or 0) >= (known.figures.steps or 0)
