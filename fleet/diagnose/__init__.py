"""Causes of failures and their remedies: from exceptions, from how processes ended, and by known rules."""

from __future__ import annotations

from fleet.diagnose.context import Context, Kind, contexts_of
from fleet.diagnose.findings import Diagnosis, Report
from fleet.diagnose.reasoning import Output, diagnose
from fleet.diagnose.rules import Rule, load_rules
from fleet.diagnose.tails import LogTails

__all__ = [
    "Context", "Diagnosis", "Kind", "LogTails", "Output", "Report", "Rule", "contexts_of", "diagnose",
    "load_rules",
]  # fmt: skip
