"""Events as lines of JSON: every event comes back equal, and lines of the older format stay readable."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.wire.decode import MAX_INT
from agent.wire.message import Message, to_data
from fleet import event_json, events
from fleet.event_json import EventFormatError, from_json, to_json
from fleet.events import (
    CheckFinished,
    DeployPreview,
    Event,
    LogChunk,
    MetricsSeen,
    NodeProbed,
    Notice,
    RunPreview,
    StacksRead,
    TelemetrySampled,
)
from fleet.metrics_record import MetricsRecord
from tests.support import wire

VERSION_1 = Path(__file__).parent / "version1" / "run.jsonl"
EVENTS = sorted(
    (kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)),
    key=lambda kind: kind.__name__,
)
EVENTS.remove(Event)
WHOLE = st.integers(-MAX_INT, MAX_INT - 1)
#: Any character that UTF-8 has; what a lone surrogate becomes has its own test.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def values(kind: Any, *, finite: bool = False) -> st.SearchStrategy[Any]:
    """Return a strategy for a declared type. ``finite``: as the wire has it, where NaN can't come from."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg, finite=finite) for arg in args])
    if origin is list:
        return st.lists(values(args[0], finite=finite), max_size=2)
    if origin is tuple:
        return st.lists(values(args[0], finite=finite), max_size=2).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(TEXT, values(args[1], finite=finite), max_size=3)
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        return st.fixed_dictionaries({name: values(hint, finite=True) for name, hint in hints.items()})
    if kind is Message:
        arg = st.one_of(TEXT, WHOLE, st.floats(allow_nan=False, allow_infinity=False))
        inner = st.builds(Message, TEXT, id=TEXT, args=st.dictionaries(TEXT, arg, max_size=2))
        args = st.dictionaries(TEXT, st.one_of(arg, inner, st.lists(inner, max_size=2)), max_size=3)
        return st.builds(Message, TEXT, id=TEXT, args=args)
    if issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: values(hint, finite=finite) for name, hint in hints.items()})
    floats = st.floats(allow_nan=not finite, allow_infinity=not finite)
    scalars = {str: TEXT, int: WHOLE, float: floats, bool: st.booleans(), bytes: st.binary(max_size=40)}
    return scalars.get(kind, st.none())


def alike(one: object, other: object) -> bool:
    """Return whether two values are equal, where NaN equals NaN."""
    if isinstance(one, Message):
        return isinstance(other, Message) and alike(to_data(one), to_data(other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, msgspec.Struct) and isinstance(other, msgspec.Struct):
        return type(one) is type(other) and alike(msgspec.structs.asdict(one), msgspec.structs.asdict(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


def test_every_event_class_can_be_read() -> None:
    assert set(get_args(event_json._AnyEvent)) == set(EVENTS)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(data=st.data())
def test_every_event_comes_back_equal(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(values(kind))
    line = to_json(event)
    assert "\n" not in line
    json.loads(line, parse_constant=pytest.fail)
    assert alike(from_json(line), event)
    assert alike(from_json(line.encode("utf-8")), event)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(data=st.data())
def test_keys_of_a_later_version_are_ignored(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(values(kind))
    fields = json.loads(to_json(event)) | {"a later key": {"any": ["thing", None, 1.5]}}
    assert alike(from_json(json.dumps(fields)), event)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, -0.0])
def test_every_number_of_a_diverging_training_survives(number: float) -> None:
    record = MetricsRecord(kind="step", loss=number, numbers={"grad_norm": number})
    event = MetricsSeen(run="r", rank=0, record=record, at=number)
    assert alike(from_json(to_json(event)), event)


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    event = CheckFinished(check="ssh", status="fail", seen="a \udcff name", node="gpu1")
    back = from_json(to_json(event))
    assert isinstance(back, CheckFinished)
    assert back.seen == "a \ufffd name"
    escaped = '{"event":"CheckFinished","check":"ssh","status":"fail","seen":"a \\udcff name","node":"gpu1"}'
    assert from_json(escaped) == back


def test_a_message_of_version_2_is_its_english_text() -> None:
    event = from_json('{"event":"Notice","level":"error","text":"no room","remedy":"free some \\udcff"}')
    assert isinstance(event, Notice)
    assert isinstance(event.text, Message)
    assert (event.text, event.text.id, event.remedy) == ("no room", "", "free some \ufffd")


def test_errors_of_gpus_in_facts_and_samples_of_version_2_are_foreign_text() -> None:
    gpu = {**wire.gpu(index=1), "error": "has failed"}
    sample = {**wire.sample(), "gpus": [gpu], "error": "no driver"}
    facts = {**wire.facts(), "gpus": [], "gpu_error": "no driver", "gpus_of_others": []}
    sampled = from_json(json.dumps({"event": "TelemetrySampled", "node": "gpu1", "sample": sample}))
    probed = from_json(json.dumps({"event": "NodeProbed", "node": "gpu1", "facts": facts}))
    assert isinstance(sampled, TelemetrySampled)
    assert isinstance(probed, NodeProbed)
    assert sampled.sample["error"] == to_data("no driver")
    assert sampled.sample["gpus"][0]["error"] == to_data("has failed")
    assert probed.facts["gpu_error"] == to_data("no driver")
    assert alike(from_json(to_json(sampled)), sampled)


def version_1() -> list[Event]:
    return [from_json(line) for line in VERSION_1.read_text(encoding="utf-8").splitlines()]


def test_lines_of_version_1_are_readable() -> None:
    told = version_1()
    assert {type(event) for event in told} == set(EVENTS) - {DeployPreview, RunPreview, StacksRead}, (
        "these are newer"
    )
    assert all(alike(from_json(to_json(event)), event) for event in told)


def test_a_run_of_version_1_keeps_its_bytes_metrics_facts_and_samples() -> None:
    told = version_1()
    (chunk,) = (event for event in told if isinstance(event, LogChunk))
    assert chunk.data == "경고 \x1b[31mred\x1b[0m\n".encode("cp949") + b"\xff\x00"
    step, checkpoint, evaluation = (event.record for event in told if isinstance(event, MetricsSeen))
    assert (step.kind, step.step, step.samples_per_second, step.eta) == ("step", 10, 152.0, 835.8)
    assert step.loss is not None
    assert math.isnan(step.loss)
    assert step.numbers == {"rank": 0, "mem_gb": 19.6, "grad_norm": math.inf}
    assert (checkpoint.kind, checkpoint.path) == ("ckpt", "checkpoints/step-10")
    assert (evaluation.kind, evaluation.loss, evaluation.numbers) == (
        "eval",
        0.5,
        {"numbers": 3, "iou": 0.71},
    )
    (probed,) = (event for event in told if isinstance(event, NodeProbed))
    assert probed.facts["gpus"][0]["name"] == "NVIDIA H100 80GB HBM3"
    assert probed.facts["gpus_of_others"] == [1]
    assert probed.facts["adapters"][1]["addresses"] == ["192.168.1.101"]
    assert probed.facts["paging"]["commit_limit"] is None, "Linux nodes did not send it"
    (sampled,) = (event for event in told if isinstance(event, TelemetrySampled))
    assert sampled.sample["gpus"][0]["power"] == 612.5


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_garbage_is_one_error(line: str | bytes) -> None:
    with pytest.raises(EventFormatError):
        from_json(line)


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(data=st.data())
def test_a_damaged_event_is_read_or_refused_with_one_error(kind: type[Event], data: st.DataObject) -> None:
    fields = json.loads(to_json(data.draw(values(kind))))
    name = data.draw(st.sampled_from(sorted(fields)))
    if data.draw(st.booleans()):
        del fields[name]
    else:
        fields[name] = data.draw(NESTED)
    try:
        event = from_json(json.dumps(fields))
    except EventFormatError as error:
        str(error).encode("utf-8")
        return
    assert alike(from_json(to_json(event)), event), "what is read is valid"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"event":"Nothing"}',
        '{"event":["Notice"]}',
        '{"event":"MetricsSeen","run":"r","rank":0,"record":null}',
        '{"event":"RankStarted","run":"r","rank":' + "9" * 5000 + ',"pid":1}',
        '{"event":"Notice","level":"loud","text":""}',
        '{"event":"LogChunk","run":"r","rank":0,"offset":0,"data":{"base64":"*"}}',
        '{"event":"NodeProbed","facts":' + "[" * 100_000,
        '{"event":"NodeProbed","facts":{"host":3}}',
        b"\xff\xfe",
    ],
    ids=range(13),
)
def test_what_is_no_event_is_refused(line: str | bytes) -> None:
    with pytest.raises(EventFormatError):
        from_json(line)


def test_a_probe_of_now_has_no_missing_key() -> None:
    """Only an older version may leave keys out; then they are unknown."""
    facts = wire.facts(host="gpu7")
    assert from_json(to_json(NodeProbed(node="gpu7", facts=facts))) == NodeProbed(node="gpu7", facts=facts)
