"""Causes of failures and their remedies, found in the output of failed ranks by known signatures."""

from __future__ import annotations

from fleet.diagnose.context import Context, contexts_of
from fleet.diagnose.signatures import Diagnosis, Signature, load_signatures
from fleet.diagnose.tails import LogTails

__all__ = ["Context", "Diagnosis", "LogTails", "Signature", "contexts_of", "load_signatures"]
