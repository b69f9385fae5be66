"""What can go wrong with a lab."""

from __future__ import annotations


class LabError(Exception):
    """The lab can't fulfil a request; the text has the reason and what to do."""
