"""Events as lines of JSON, and back, by declared type.

Every float survives, NaN and infinity too: JSON has no literal for them, so they travel as the strings
``NaN``, ``Infinity`` and ``-Infinity``. Lone surrogates in texts become U+FFFD.
"""

from __future__ import annotations

import functools
import json
import math

import msgspec

from agent.wire.decode import WireError, clean_text, decode
from agent.wire.message import Message, message, to_data
from agent.wire.telemetry import Sample
from fleet.events import (
    CheckFinished,
    CopyProgressed,
    DeployPreview,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    LogChunk,
    MetricsSeen,
    NodeDeployed,
    NodeProbed,
    Notice,
    PairProbed,
    PlanDrawn,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunPlanned,
    RunPreview,
    StacksRead,
    StageChanged,
    TelemetrySampled,
)  # fmt: skip
from fleet.facts import NodeFacts
from fleet.message_json import decoded, encoded
from fleet.metrics_record import parse_record

#: Of a file of events. Version 1 had no header; it kept the bytes of a LogChunk as ``{"base64": ...}``, and
#: metrics records as the program wrote them. Up to version 2 a message was its English text only.
VERSION = 3

_AnyEvent = (
    LinkChanged
    | NodeProbed
    | CheckFinished
    | PairProbed
    | StageChanged
    | CopyProgressed
    | FileChange
    | EnvironmentOutput
    | NodeDeployed
    | DeployPreview
    | RunPlanned
    | RunPreview
    | RankStarted
    | RankPhase
    | RankExited
    | LogChunk
    | MetricsSeen
    | TelemetrySampled
    | RunFinished
    | PlanDrawn
    | StacksRead
    | Notice
)
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


class EventFormatError(ValueError):
    """A stored line is not an event that this version can read: ``what``."""

    def __init__(self, what: Message) -> None:
        super().__init__(what)
        self.what = what


@functools.cache
def _decoder() -> msgspec.json.Decoder[Event]:
    # Made when the first event is read: resolving the types takes longer than the console may take to start.
    return msgspec.json.Decoder(_AnyEvent, dec_hook=decoded)


def to_json(event: Event) -> str:
    """Return the event as one line of JSON with its class name under ``event``."""
    try:
        text = msgspec.json.encode(event, enc_hook=encoded)
    except UnicodeEncodeError:
        return json.dumps(
            _exact(msgspec.to_builtins(event, enc_hook=encoded)), ensure_ascii=False, separators=(",", ":")
        )
    if b"null" in text:
        # It may be a float without a literal in JSON.
        value = msgspec.to_builtins(event, enc_hook=encoded)
        exact = _exact(value)
        if exact != value:
            return msgspec.json.encode(exact).decode("utf-8")
    return text.decode("utf-8")


def _exact(value: object) -> object:
    if isinstance(value, dict):
        return {_exact(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _WORDS.get(value, "NaN")
    return clean_text(value) if isinstance(value, str) else value


def from_json(line: str | bytes) -> Event:
    """Return the event that :func:`to_json` wrote, also by an older version; raises EventFormatError.

    Unknown keys are ignored.
    """
    data = line.encode("utf-8", "replace") if isinstance(line, str) else line
    try:
        return _decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = json.loads(data, parse_int=_whole)
        if not isinstance(value, dict):
            raise TypeError("not an object")
        event: Event = msgspec.convert(_upgraded(value), _AnyEvent, strict=False, dec_hook=decoded)
    except (ValueError, TypeError, RecursionError, OverflowError, msgspec.ValidationError) as error:
        raise EventFormatError(
            message(
                "record.no-event",
                "not an event: {line!r} ({error})",
                line=data[:80].decode("utf-8", "replace"),
                error=str(error),
            )
        ) from None
    return event


def _cleaned(value: object) -> object:
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def _whole(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _with_messages(value: object, key: str) -> object:
    """Return facts or a sample with the errors of the GPU driver and of each GPU as messages.

    In versions 1 and 2 they were plain texts.
    """
    if not isinstance(value, dict):
        return value
    gpus = value.get("gpus")
    if isinstance(gpus, list):
        value = {**value, "gpus": [_with_message(gpu, "error") for gpu in gpus]}
    return _with_message(value, key)


def _with_message(value: object, key: str) -> object:
    if not isinstance(value, dict) or not isinstance(text := value.get(key), str):
        return value
    return {**value, key: to_data(text) if text else None}


def _upgraded(value: dict[str, object]) -> dict[str, object]:
    """Return an event of version 1 or 2 as one of this version."""
    kind = value.get("event")
    value = {key: _cleaned(item) for key, item in value.items()}
    try:
        if kind == "NodeProbed":
            facts = _with_messages(value.get("facts"), "gpu_error")
            return {**value, "facts": decode(NodeFacts, facts, tolerant=True)}
        if kind == "TelemetrySampled":
            sample = _with_messages(value.get("sample"), "error")
            return {**value, "sample": decode(Sample, sample, tolerant=True)}
    except WireError as error:
        raise EventFormatError(Message(str(error))) from None
    record = value.get("record")
    if kind == "MetricsSeen" and isinstance(record, dict) and not isinstance(record.get("numbers"), dict):
        return {**value, "record": msgspec.to_builtins(parse_record(record))}
    data = value.get("data")
    if kind == "LogChunk" and isinstance(data, dict):
        return {**value, "data": data.get("base64")}
    return value
