"""What broke, and what to do: the output of failed ranks read with known signatures."""

from __future__ import annotations

from fleet.diagnose.signatures import Diagnosis, Signature, load_signatures
from fleet.diagnose.tails import LogTails

__all__ = ["Diagnosis", "LogTails", "Signature", "load_signatures"]
