"""Signatures of known failures, read from ``configs/diagnosis.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from msgspec import Struct

from agent.wire.message import Message, filled, message
from fleet import bounded_yaml
from fleet.diagnose.context import Context, Program, System
from fleet.inventory import Fault, FaultsError
from fleet.private_files import read_project_file
from fleet.shipped import shipped

_FILE = "diagnosis.yaml"
#: Keys that limit a signature to some outputs, and their values.
_CONDITIONS = {
    "system": get_args(System),
    "program": get_args(Program),
    "port": ("rendezvous",),
}
_KEYS = {"id", "pattern", "cause", "remedy", "consequence", "lost_peer", "examples", *_CONDITIONS}
#: A group of the pattern in a cause, as in re.Match.expand.
_GROUP = re.compile(r"\\(\d+)")


class Diagnosis(Struct, frozen=True):
    """The cause of a failure and its remedy; ``line`` is the line of output that shows it."""

    signature: str
    cause: Message
    remedy: Message
    line: str


class Signature(Struct, frozen=True):
    """One known failure; ``consequence`` means that something else failed first.

    ``cause`` is a message template whose arguments ``g1``, ``g2``, ... are the pattern's groups. The texts of
    a project's own file (``own``) are foreign: they are not translated.
    """

    id: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    consequence: bool = False
    own: bool = False
    #: Of the rank's node; None is any.
    system: System | None = None
    program: Program | None = None
    #: One of the pattern's groups is the rendezvous port.
    of_rendezvous: bool = False
    #: Outputs of programs that show this failure; tests check that no earlier signature matches them.
    examples: tuple[str, ...] = ()
    #: The connection to another rank broke, or nothing came: when another rank ended too, that is the cause.
    lost_peer: bool = False

    def search(self, text: str, context: Context) -> Diagnosis | None:
        """Return the diagnosis when the text shows this failure; the last place that does counts."""
        if self.system not in (None, context.system) or self.program not in (None, context.program):
            return None
        found = None
        for match in self.pattern.finditer(text):
            if not self.of_rendezvous or str(context.port) in match.groups():
                found = match
        if found is None:
            return None
        start = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", found.end())
        line = text[start : end if end >= 0 else None].strip()
        groups = {f"g{number}": group or "" for number, group in enumerate(found.groups(), 1)}
        return Diagnosis(
            self.id,
            self._message("cause", self.cause, groups),
            self._message("remedy", self.remedy, {}),
            line,
        )

    def _message(self, part: str, text: str, groups: Mapping[str, str]) -> Message:
        id_ = "" if self.own else f"diagnosis.{self.id}.{part}"
        return Message(filled(_template(text), groups), id=id_, args=groups)


def load_signatures(project: Path | None = None) -> tuple[Signature, ...]:
    """Return the project's signatures if it has its own file, else the shipped ones; raises FaultsError."""
    own = project / "configs" / _FILE if project is not None else None
    if own is not None and own.exists():
        text = read_project_file(own, bounded_yaml.CONFIGURATION.size).decode("utf-8")
        return parse_signatures(text, str(own), own=True)
    return parse_signatures(shipped(_FILE).read_text("utf-8"), _FILE)


def shipped_templates() -> Iterator[tuple[str, str]]:
    """Yield id and template of every message of the shipped file, for the translation catalogue."""
    for signature in load_signatures():
        yield f"diagnosis.{signature.id}.cause", _template(signature.cause)
        yield f"diagnosis.{signature.id}.remedy", _template(signature.remedy)


def _template(text: str) -> str:
    return _GROUP.sub(r"{g\1}", text.replace("{", "{{").replace("}", "}}"))


def parse_signatures(text: str, name: str, *, own: bool = False) -> tuple[Signature, ...]:
    """Return the signatures of a text that is called ``name`` in faults; raises FaultsError with all."""
    try:
        entries = bounded_yaml.load(text)
    except (yaml.YAMLError, ValueError) as error:
        what = message("diagnosis.not-yaml", "not valid YAML: {error}", error=str(error))
        raise FaultsError([Fault(what, file=name)]) from None
    if not isinstance(entries, list):
        what = message("diagnosis.not-a-list", "must be a list of signatures")
        raise FaultsError([Fault(what, file=name)])
    faults: list[Fault] = []
    found = [_signature(entry, number, name, faults, own) for number, entry in enumerate(entries, 1)]
    if faults:
        raise FaultsError(faults)
    return tuple(signature for signature in found if signature is not None)


def _signature(entry: Any, number: int, name: str, faults: list[Fault], own: bool) -> Signature | None:
    def fault(what: Message) -> None:
        label = entry.get("id", "") if isinstance(entry, dict) else ""
        faults.append(Fault(what, file=name, key=f"entry {number}{f' ({label})' if label else ''}"))

    if not isinstance(entry, dict):
        fault(message("diagnosis.not-a-mapping", "must be a mapping with id, pattern, cause and remedy"))
        return None
    before = len(faults)
    for key in sorted(set(entry) - _KEYS, key=str):
        fault(message("diagnosis.unknown-key", "unknown key {key!r}", key=str(key)))
    for key in ("id", "pattern", "cause", "remedy"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            fault(message("diagnosis.missing-key", "{key!r} is missing", key=key))
    examples = entry.get("examples", [])
    if not isinstance(examples, list) or not all(isinstance(item, str) for item in examples):
        fault(message("diagnosis.examples", "'examples' must be a list of texts"))
    pattern = None
    if isinstance(entry.get("pattern"), str):
        try:
            pattern = re.compile(entry["pattern"])
        except re.error as error:
            fault(message("diagnosis.pattern", "the pattern is not valid: {error}", error=str(error)))
        else:
            highest = _highest_group(str(entry.get("cause", "")))
            if highest > pattern.groups:
                fault(
                    message(
                        "diagnosis.group",
                        "the cause refers to group {group}, but the pattern has {groups:n group}",
                        group=highest,
                        groups=pattern.groups,
                    )
                )
            if "port" in entry and not pattern.groups:
                fault(message("diagnosis.port-group", "`port` requires a group in the pattern, for the port"))
    for key, words in _CONDITIONS.items():
        if key in entry and entry[key] not in words:
            fault(
                message(
                    "diagnosis.condition",
                    "{key} is {value!r}, and must be one of {words}",
                    key=key,
                    value=str(entry[key])[:80],
                    words=words,
                )
            )
    if len(faults) > before or pattern is None:
        return None
    return Signature(
        entry["id"],
        pattern,
        entry["cause"],
        entry["remedy"],
        bool(entry.get("consequence", False)),
        own,
        entry.get("system"),
        entry.get("program"),
        "port" in entry,
        tuple(examples),
        bool(entry.get("lost_peer", False)),
    )


def _highest_group(cause: str) -> int:
    return max((int(digits) for digits in _GROUP.findall(cause)), default=0)


def first_match(
    signatures: Sequence[Signature], text: str, context: Context, *, consequences: bool
) -> Diagnosis | None:
    """Return the first signature's diagnosis that matches, among consequences or among root causes."""
    for signature in signatures:
        if (
            signature.consequence == consequences
            and (diagnosis := signature.search(text, context)) is not None
        ):
            return diagnosis
    return None
