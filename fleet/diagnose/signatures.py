"""Signatures of known failures, read from ``configs/diagnosis.yaml``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from fleet.frozen import frozen
from fleet.inventory import Fault, FaultsError
from fleet.shipped import shipped

_FILE = "diagnosis.yaml"
_KEYS = {"id", "pattern", "cause", "remedy", "consequence"}


@frozen
class Diagnosis:
    """What a rank's output means; ``line`` is the line that told."""

    signature: str
    cause: str
    remedy: str
    line: str


@frozen
class Signature:
    """One known failure; ``consequence`` says that something else failed first."""

    id: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    consequence: bool = False

    def search(self, text: str) -> Diagnosis | None:
        """Return the diagnosis when the text shows this failure; the last place that does counts."""
        found = None
        for found in self.pattern.finditer(text):  # noqa: B007 -- the last is wanted
            pass
        if found is None:
            return None
        start = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", found.end())
        line = text[start : end if end >= 0 else None].strip()
        return Diagnosis(self.id, found.expand(self.cause), self.remedy, line)


def load_signatures(project: Path | None = None) -> tuple[Signature, ...]:
    """Return the project's signatures if it has its own file, else the shipped ones; raises FaultsError."""
    own = project / "configs" / _FILE if project is not None else None
    if own is not None and own.exists():
        return parse_signatures(own.read_text("utf-8"), str(own))
    return parse_signatures(shipped(_FILE).read_text("utf-8"), _FILE)


def parse_signatures(text: str, name: str) -> tuple[Signature, ...]:
    """Return the signatures of a text that is called ``name`` in faults; raises FaultsError with all."""
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FaultsError([Fault(f"not YAML: {error}", file=name)]) from None
    if not isinstance(entries, list):
        raise FaultsError([Fault("has to be a list of signatures", file=name)])
    faults: list[Fault] = []
    found = [_signature(entry, number, name, faults) for number, entry in enumerate(entries, 1)]
    if faults:
        raise FaultsError(faults)
    return tuple(signature for signature in found if signature is not None)


def _signature(entry: Any, number: int, name: str, faults: list[Fault]) -> Signature | None:
    def fault(what: str) -> None:
        label = entry.get("id", "") if isinstance(entry, dict) else ""
        faults.append(Fault(what, file=name, key=f"entry {number}{f' ({label})' if label else ''}"))

    if not isinstance(entry, dict):
        fault("has to be a mapping with id, pattern, cause and remedy")
        return None
    before = len(faults)
    for key in sorted(set(entry) - _KEYS, key=str):
        fault(f"unknown key {key!r}")
    for key in ("id", "pattern", "cause", "remedy"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            fault(f"{key!r} is missing")
    pattern = None
    if isinstance(entry.get("pattern"), str):
        try:
            pattern = re.compile(entry["pattern"])
            _check_groups(pattern, str(entry.get("cause", "")))
        except (re.error, IndexError) as error:
            fault(f"the pattern does not work: {error}")
    if len(faults) > before or pattern is None:
        return None
    return Signature(
        entry["id"], pattern, entry["cause"], entry["remedy"], bool(entry.get("consequence", False))
    )


def _check_groups(pattern: re.Pattern[str], cause: str) -> None:
    highest = max((int(digits) for digits in re.findall(r"\\(\d+)", cause)), default=0)
    if highest > pattern.groups:
        raise IndexError(f"the cause names group {highest}, and the pattern has {pattern.groups}")


def first_match(signatures: Sequence[Signature], text: str, *, consequences: bool) -> Diagnosis | None:
    """Return the first signature's diagnosis that matches, among consequences or among root causes."""
    for signature in signatures:
        if signature.consequence == consequences and (diagnosis := signature.search(text)) is not None:
            return diagnosis
    return None
