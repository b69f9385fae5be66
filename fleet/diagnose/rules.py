"""Rules about known failures: of ``configs/diagnosis/``, and of a project's ``configs/diagnosis.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from msgspec import Struct

from agent.wire.message import Message, filled, message
from fleet import bounded_yaml
from fleet.diagnose.context import Context, Kind, Program, System
from fleet.diagnose.findings import Confidence, Diagnosis
from fleet.inventory import Fault, FaultsError
from fleet.private_files import read_project_file
from fleet.shipped import shipped

_FILE = "diagnosis.yaml"
#: The files of ``configs/diagnosis/``: the first rule in this order counts.
AREAS = (
    "memory", "loaders", "gpu", "libraries", "nccl", "rendezvous", "ddp", "checkpoints", "training", "hub",
    "packages", "files", "program", "crash", "environment", "ssh", "winrm",
)  # fmt: skip
Place = Literal["any", "exception", "line", "end"]
#: Keys that limit a rule to some outputs, and their values.
_CONDITIONS: Mapping[str, tuple[object, ...]] = {
    "system": get_args(System),
    "program": get_args(Program),
    "kind": get_args(Kind),
    "at": get_args(Place),
    "confidence": get_args(Confidence),
    "port": ("rendezvous",),
}
_TEXTS = ("cause", "remedy")
_PATTERNS = ("pattern", "type", "frame", "after")
_LISTS = ("examples", "counter_examples")
_KEYS = {
    "id", "exit", "source", "consequence", "lost_peer", *_TEXTS, *_PATTERNS, *_LISTS, *_CONDITIONS,
}  # fmt: skip
#: A group of the pattern in a cause, as in re.Match.expand.
_GROUP = re.compile(r"\\(\d+)")
_SOURCE = re.compile(r"[\w.-]+/[\w.-]+#\d+")


class Rule(Struct, frozen=True):
    """One known failure. ``pattern`` is searched in single lines, where ``at`` says:

    ``exception``: in the message of the exception that ended the program, or of one in its chain; ``line``:
    in all its output; ``any``: in the exception, or in the output of a program that no exception ended;
    ``end``: how the process ended (``exit``) is enough. ``cause`` is a message template whose arguments
    ``g1``, ``g2``, ... are the pattern's groups. The texts of a project's own file (``own``) are foreign:
    they are not translated.
    """

    id: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    area: str = ""
    at: Place = "any"
    #: Of the exception's class, without its module.
    type: re.Pattern[str] | None = None
    #: Of a frame, ``file in function``.
    frame: re.Pattern[str] | None = None
    #: The exception beside which a line of output counts.
    after: re.Pattern[str] | None = None
    exit: tuple[int, ...] = ()
    kind: Kind = "run"
    confidence: Confidence = "certain"
    #: Something else failed first.
    consequence: bool = False
    own: bool = False
    #: Of the rank's node; None is any.
    system: System | None = None
    program: Program | None = None
    #: One of the pattern's groups is the rendezvous port.
    of_rendezvous: bool = False
    #: Outputs of programs that show this failure, and similar ones that do not; the tests check them.
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    source: str = ""
    #: The connection to another rank broke, or nothing came: when another rank ended too, that is the cause.
    lost_peer: bool = False

    def applies(self, context: Context) -> bool:
        """Whether it is about this kind of output, on this system."""
        return (
            self.kind == context.kind
            and self.system in (None, context.system)
            and self.program in (None, context.program)
        )

    def search(self, line: str, context: Context) -> Diagnosis | None:
        """Return the diagnosis when the line shows this failure."""
        found = self.pattern.search(line)
        if found is None or (self.of_rendezvous and not self._of_rendezvous(found, context)):
            return None
        groups = {f"g{number}": group or "" for number, group in enumerate(found.groups(), 1)}
        return self.diagnosis(line.strip(), groups)

    def diagnosis(self, line: str, groups: Mapping[str, str]) -> Diagnosis:
        """Return what the rule says about a line."""
        return Diagnosis(
            self.id,
            self._message("cause", self.cause, groups),
            self._message("remedy", self.remedy, {}),
            line,
            self.confidence,
            consequence=self.consequence,
            lost_peer=self.lost_peer,
        )

    def texts(self) -> tuple[Message, Message]:
        """Return the cause, with ``\\1`` for the pattern's groups, and the remedy."""
        groups = {f"g{number}": f"\\{number}" for number in range(1, self.pattern.groups + 1)}
        return self._message("cause", self.cause, groups), self._message("remedy", self.remedy, {})

    def _of_rendezvous(self, found: re.Match[str], context: Context) -> bool:
        return context.port is not None and str(context.port) in found.groups()

    def _message(self, part: str, text: str, groups: Mapping[str, str]) -> Message:
        id_ = "" if self.own else f"diagnosis.{self.id}.{part}"
        return Message(filled(_template(text), groups), id=id_, args=groups)


def load_rules(project: Path | None = None) -> tuple[Rule, ...]:
    """Return the project's own rules, then the shipped ones with other ids; raises FaultsError."""
    own = project / "configs" / _FILE if project is not None else None
    if own is None or not own.exists():
        return shipped_rules()
    text = read_project_file(own, bounded_yaml.CONFIGURATION.size).decode("utf-8")
    rules = parse_rules(text, str(own), own=True)
    replaced = {rule.id for rule in rules}
    return (*rules, *(rule for rule in shipped_rules() if rule.id not in replaced))


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that dtui comes with."""
    found: list[Rule] = []
    for area in AREAS:
        name = f"diagnosis/{area}.yaml"
        found += parse_rules(shipped(name).read_text("utf-8"), name, area=area)
    return tuple(found)


def shipped_templates() -> Iterator[tuple[str, str]]:
    """Yield id and template of every message of the shipped files, for the translation catalogue."""
    for rule in shipped_rules():
        yield f"diagnosis.{rule.id}.cause", _template(rule.cause)
        yield f"diagnosis.{rule.id}.remedy", _template(rule.remedy)


def _template(text: str) -> str:
    return _GROUP.sub(r"{g\1}", text.replace("{", "{{").replace("}", "}}"))


def parse_rules(text: str, name: str, *, own: bool = False, area: str = "") -> tuple[Rule, ...]:
    """Return the rules of a text that is called ``name`` in faults; raises FaultsError with all."""
    try:
        entries = bounded_yaml.load(text)
    except (yaml.YAMLError, ValueError) as error:
        what = message("diagnosis.not-yaml", "not valid YAML: {error}", error=str(error))
        raise FaultsError([Fault(what, file=name)]) from None
    if not isinstance(entries, list):
        what = message("diagnosis.not-a-list", "must be a list of signatures")
        raise FaultsError([Fault(what, file=name)])
    faults: list[Fault] = []
    seen: set[str] = set()
    found = [
        _Entry(entry, number, name, faults, seen).rule(own, area) for number, entry in enumerate(entries, 1)
    ]
    if faults:
        raise FaultsError(faults)
    return tuple(rule for rule in found if rule is not None)


class _Entry:
    """Checks an entry of a file."""

    def __init__(self, entry: Any, number: int, name: str, faults: list[Fault], seen: set[str]) -> None:
        self._entry = entry
        self._number = number
        self._name = name
        self._faults = faults
        self._seen = seen

    def _fault(self, what: Message) -> None:
        label = self._entry.get("id", "") if isinstance(self._entry, dict) else ""
        key = f"entry {self._number}{f' ({label})' if label else ''}"
        self._faults.append(Fault(what, file=self._name, key=key))

    def rule(self, own: bool, area: str) -> Rule | None:
        """Return the rule, None after a fault."""
        entry = self._entry
        if not isinstance(entry, dict):
            what = message("diagnosis.not-a-mapping", "must be a mapping with id, pattern, cause and remedy")
            self._fault(what)
            return None
        before = len(self._faults)
        for key in sorted(set(entry) - _KEYS, key=str):
            self._fault(message("diagnosis.unknown-key", "unknown key {key!r}", key=str(key)))
        needed = ("id", *_TEXTS) if entry.get("at") == "end" else ("id", "pattern", *_TEXTS)
        for key in needed:
            if not isinstance(entry.get(key), str) or not entry[key]:
                self._fault(message("diagnosis.missing-key", "{key!r} is missing", key=key))
        for key in _LISTS:
            texts = entry.get(key, [])
            if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
                self._fault(message("diagnosis.texts", "{key!r} must be a list of texts", key=key))
        exits = entry.get("exit", [])
        if not isinstance(exits, list) or not all(type(code) is int for code in exits):
            self._fault(message("diagnosis.exit", "'exit' must be a list of exit codes"))
        if "source" in entry and not _SOURCE.fullmatch(str(entry["source"])):
            self._fault(message("diagnosis.source", "'source' must be an issue such as owner/project#12"))
        if isinstance(entry.get("id"), str):
            if entry["id"] in self._seen:
                self._fault(message("diagnosis.twice", "another entry has the same id"))
            self._seen.add(entry["id"])
        patterns = {key: self._pattern(key) for key in _PATTERNS}
        self._groups(patterns["pattern"])
        for key, words in _CONDITIONS.items():
            if key in entry and entry[key] not in words:
                self._fault(
                    message(
                        "diagnosis.condition",
                        "{key} is {value!r}, and must be one of {words}",
                        key=key,
                        value=str(entry[key])[:80],
                        words=[str(word) for word in words],
                    )
                )
        if len(self._faults) > before:
            return None
        return Rule(
            id=entry["id"],
            pattern=patterns["pattern"] or re.compile(""),
            cause=entry["cause"],
            remedy=entry["remedy"],
            area=area,
            at=entry.get("at", "any"),
            type=patterns["type"],
            frame=patterns["frame"],
            after=patterns["after"],
            exit=tuple(exits),
            kind=entry.get("kind", "run"),
            confidence=entry.get("confidence", "certain"),
            consequence=bool(entry.get("consequence", False)),
            own=own,
            system=entry.get("system"),
            program=entry.get("program"),
            of_rendezvous="port" in entry,
            examples=tuple(entry.get("examples", ())),
            counter_examples=tuple(entry.get("counter_examples", ())),
            source=str(entry.get("source", "")),
            lost_peer=bool(entry.get("lost_peer", False)),
        )

    def _pattern(self, key: str) -> re.Pattern[str] | None:
        if not isinstance(self._entry.get(key), str):
            return None
        try:
            return re.compile(self._entry[key])
        except re.error as error:
            self._fault(message("diagnosis.pattern", "the pattern is not valid: {error}", error=str(error)))
            return None

    def _groups(self, pattern: re.Pattern[str] | None) -> None:
        if pattern is None:
            return
        highest = _highest_group(str(self._entry.get("cause", "")))
        if highest > pattern.groups:
            self._fault(
                message(
                    "diagnosis.group",
                    "the cause refers to group {group}, but the pattern has {groups:n group}",
                    group=highest,
                    groups=pattern.groups,
                )
            )
        if "port" in self._entry and not pattern.groups:
            self._fault(
                message("diagnosis.port-group", "`port` requires a group in the pattern, for the port")
            )


def _highest_group(cause: str) -> int:
    return max((int(digits) for digits in _GROUP.findall(cause)), default=0)
