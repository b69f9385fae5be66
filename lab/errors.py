"""What can go wrong with a lab."""

from __future__ import annotations


class LabError(Exception):
    """The lab can't do what it was asked for; the text says why and what to do."""
