"""What can go wrong while Windows nodes are made."""

from __future__ import annotations

from lab.errors import LabError


class WineError(LabError):
    """A part of the Windows lab is missing or does not work; the message names it and what to do."""
