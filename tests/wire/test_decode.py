"""JSON checked against declared types: what is right comes back, and whatever else is one kind of error."""

# ruff: noqa: UP007, UP045 -- the forms that Python 3.9 has are those that are decoded
from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import (
    Any,
    Literal,
    NamedTuple,
    Optional,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.wire.decode import MAX_DEPTH, MAX_INT, WireError, clean_text, decode
from agent.wire.operations import OPERATIONS

ROOT = Path(__file__).parents[2]


class _Place(TypedDict):
    name: str
    ports: list[int]


class Place(_Place, total=False):
    note: Optional[str]


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Site(TypedDict):
    places: dict[str, Place]
    point: Point
    state: Literal["up", "down"]
    latency: Optional[float]


SITE = {
    "places": {"a": {"name": "A", "ports": [22, 80]}},
    "point": {"x": 1},
    "state": "up",
    "latency": None,
}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (str, "평면도 \U0001f600", "평면도 \U0001f600"),
        (int, -MAX_INT, -MAX_INT),
        (int, MAX_INT - 1, MAX_INT - 1),
        (float, 1.5, 1.5),
        (float, 3, 3),
        (bool, False, False),
        (type(None), None, None),
        (object, {"a": [1, None, "x", True, 2.5]}, {"a": [1, None, "x", True, 2.5]}),
        (Optional[int], None, None),
        (Optional[int], 4, 4),
        (Union[int, list[int], None], [1], [1]),
        (Literal["a", 1, True, None], True, True),
        (Literal["a", 1, True, None], 1, 1),
        (list[str], [], []),
        (list[list[int]], [[1], []], [[1], []]),
        (dict[str, bool], {"": True}, {"": True}),
        (tuple[int, str], [1, "x"], (1, "x")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (Place, {"name": "A", "ports": []}, {"name": "A", "ports": []}),
        (Place, {"name": "A", "ports": [], "note": None}, {"name": "A", "ports": [], "note": None}),
        (Point, {"x": 1}, Point(1)),
        (Site, SITE, SITE | {"point": Point(1)}),
    ],
)
def test_a_right_value_of_every_supported_type(kind: Any, value: Any, expected: Any) -> None:
    found = decode(kind, value)
    assert (found, type(found)) == (expected, type(expected))
    assert decode(kind, value, tolerant=True) == expected


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (str, 3, "the value: expected a string, got 3"),
        (str, None, "the value: expected a string, got null"),
        (int, True, "the value: expected a whole number, got true"),
        (int, 1.0, "the value: expected a whole number, got 1.0"),
        (int, MAX_INT, "the value: expected a whole number, got a whole number of 64 bits"),
        (int, -MAX_INT - 1, "the value: expected a whole number, got a whole number of 64 bits"),
        (float, False, "the value: expected a finite number, got false"),
        (float, math.nan, "the value: expected a finite number, got nan"),
        (float, math.inf, "the value: expected a finite number, got inf"),
        (float, 1 << 64, "the value: expected a finite number, got a whole number of 65 bits"),
        (bool, 1, "the value: expected true or false, got 1"),
        (type(None), 0, "the value: expected null, got 0"),
        (object, math.nan, "the value: expected a finite number, got nan"),
        (object, {"a": [10**30]}, "the value: expected a finite number, got a whole number of 100 bits"),
        (Optional[str], 1, "the value: expected a string, got 1"),
        (Union[int, list[int]], [True], "[0]: expected a whole number, got true"),
        (Literal["a", 1], True, "the value: expected one of 'a', 1, got true"),
        (Literal["a", 1], 1.0, "the value: expected one of 'a', 1, got 1.0"),
        (Literal["a"], ["a"], "the value: expected one of 'a', got a list of 1"),
        (list[int], (1,), "the value: expected a list, got '(1,)'"),
        (list[int], {"a": 1}, "the value: expected a list, got an object of 1"),
        (list[list[int]], [[1], [2, "x"]], "[1][1]: expected a whole number, got 'x'"),
        (dict[str, int], [], "the value: expected an object, got a list of 0"),
        (dict[str, int], {"a": 1, "\ub178": None}, "['\\ub178']: expected a whole number, got null"),
        (dict[str, int], {3: 1}, "the value: expected a string, got 3"),
        (tuple[int, str], [1], "the value: expected a list of 2, got a list of 1"),
        (tuple[int, str], [1, 2], "[1]: expected a string, got 2"),
        (Site, SITE | {"places": {"a": {"ports": []}}}, "places['a'].name is missing"),
        (
            Site,
            SITE | {"places": {"a": {"name": "", "ports": ["x"]}}},
            "places['a'].ports[0]: expected a whole number, got 'x'",
        ),
        (Site, SITE | {"point": {"x": 1, "z": 2}}, "point: unknown key 'z'"),
        (Site, SITE | {"point": {"y": 1}}, "point.x is missing"),
        (Site, {}, "places is missing"),
        (Place, {"name": "", "ports": [], 7: 1}, "the value: unknown key 7"),
        (str, b"x", "the value: expected a string, got b'x'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(kind, value)
    assert str(caught.value) == message.replace("'(1,)'", "(1,)")


def test_a_message_is_short_ascii_whatever_was_sent() -> None:
    with pytest.raises(WireError, match="got a whole number of 16610 bits"):
        decode(int, 10**5000)
    with pytest.raises(WireError) as caught:
        decode(int, "\x1b]52;c;\ud800" * 1000)
    assert len(str(caught.value)) < 120
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    with pytest.raises(WireError) as caught:
        decode(Place, {"name": "", "ports": [], "\x1b[2J" * 1000: 1})
    assert len(str(caught.value)) < 120
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udcff", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("plain", "plain"),
    ],
    ids=["high", "low", "in the wrong order", "a pair", "none"],
)
def test_lone_surrogates_in_texts_and_keys_are_replaced(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    assert decode(str, text) == clean
    assert decode(dict[str, object], {text: [text]}) == {clean: [clean]}


def test_tolerant_reads_what_another_version_wrote() -> None:
    later = SITE | {"new": 1, "places": {"a": {"name": "A", "ports": [1], "new": {}}}}
    assert decode(Site, later, tolerant=True)["places"] == {"a": {"name": "A", "ports": [1]}}
    assert decode(Place, {"name": "A"}, tolerant=True) == {"name": "A", "ports": []}
    earlier = {"point": {"x": 1}, "state": "up"}
    assert decode(Site, earlier, tolerant=True) == {
        "places": {}, "point": Point(1), "state": "up", "latency": None,
    }  # fmt: skip
    with pytest.raises(WireError, match=r"^state is missing$"):
        decode(Site, {"point": {"x": 1}}, tolerant=True)
    with pytest.raises(WireError, match=r"^point\.x: expected a whole number, got '1'$"):
        decode(Site, earlier | {"point": {"x": "1"}}, tolerant=True)


class Up(TypedDict):
    since: Optional[float]


class Ended(TypedDict):
    code: int


def test_of_several_objects_a_tolerant_reading_takes_the_one_that_fits() -> None:
    kind: Any = Union[Up, Ended]
    assert decode(kind, {"code": 3}, tolerant=True) == {"code": 3}
    assert decode(kind, {"since": 1.0}, tolerant=True) == {"since": 1.0}
    assert decode(kind, {"code": "x"}, tolerant=True) == {"since": None}


def test_nesting_is_bounded() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(object, value) == value
    with pytest.raises(WireError, match=f"nested more than {MAX_DEPTH} levels"):
        decode(object, [value])
    for _ in range(100_000):
        value = [value]
    with pytest.raises(WireError, match="nested more than"):
        decode(object, value)


def test_a_type_that_json_can_not_have_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="can't be decoded"):
        decode(bytes, "x")


WHOLE = st.integers(-MAX_INT, MAX_INT - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
#: What a broken or hostile peer may have put into its JSON.
ODD = st.one_of(
    JSON,
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([math.nan, math.inf, 1 << 64, "\ud800", [[[[]]]], {"": {}}, True, None]),
)
SCALARS = {str: TEXT, int: WHOLE, float: FINITE | WHOLE, bool: st.booleans(), object: JSON}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values of a declared type."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is Union:
        return st.one_of([values(arg) for arg in args])
    if origin is list or (origin is tuple and args[-1] is Ellipsis):
        return st.lists(values(args[0]), max_size=2)
    if origin is tuple:
        return st.tuples(*map(values, args)).map(list)
    if origin is dict:
        return st.dictionaries(TEXT, values(args[1]), max_size=2)
    if kind in SCALARS:
        return SCALARS[kind]
    if not isinstance(kind, type) or not issubclass(kind, dict):
        return st.none()
    hints = {name: values(hint) for name, hint in get_type_hints(kind).items()}
    required = {name: hint for name, hint in hints.items() if name in kind.__required_keys__}
    optional = {name: hint for name, hint in hints.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def plain(value: Any) -> Any:
    """Return the value with tuples as the lists that JSON has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all parts of a JSON value."""
    found = [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += places(item, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    """Return a copy with another part at the path."""
    if not path:
        return change
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], change)
    return copy


KINDS = {
    f"{name}.{part}": kind
    for name, operation in OPERATIONS.items()
    for part, kind in (
        ("args", operation.args),
        ("upload", operation.upload),
        ("item", operation.item),
        ("result", operation.result),
    )
    if kind not in (object, type(None))
}
SLOW = settings(max_examples=25, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@SLOW
@given(data=st.data())
def test_every_body_of_every_operation_decodes_to_itself(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert plain(decode(kind, value)) == value
    assert plain(decode(kind, json.loads(json.dumps(value)))) == value
    assert plain(decode(kind, value, tolerant=True)) == value


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@SLOW
@given(data=st.data())
def test_a_body_with_anything_in_any_place_is_valid_or_one_error(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    path = data.draw(st.sampled_from(places(value)))
    damaged = put(value, path, data.draw(ODD))
    for tolerant in (False, True):
        try:
            found = decode(kind, damaged, tolerant=tolerant)
        except WireError as error:
            assert str(error).isascii()
            continue
        assert decode(kind, plain(found)) == found, "what is returned is valid"
        json.dumps(plain(found), allow_nan=False).encode("utf-8")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@SLOW
@given(data=st.data())
def test_a_body_with_a_key_too_many_or_too_few_is_refused(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    if not isinstance(value, dict):
        return
    with pytest.raises(WireError):
        decode(kind, value | {"no such key": 1})
    required = getattr(kind, "__required_keys__", frozenset())
    for key in required:
        with pytest.raises(WireError, match="is missing"):
            decode(kind, {name: item for name, item in value.items() if name != key})


def python39() -> str:
    """Return a Python 3.9, found on the PATH or through pyenv."""
    if pyenv := shutil.which("pyenv"):
        found = subprocess.run([pyenv, "prefix", "3.9"], capture_output=True, text=True, check=False)
        folder = Path(found.stdout.strip() or "/nowhere")
        versions = [folder, *sorted(folder.parent.glob("3.9.*"))]
        for version in versions:
            if (python := version / "bin" / "python3.9").exists():
                return str(python)
    python = shutil.which("python3.9")
    assert python, "Python 3.9 is missing: install it (pyenv install 3.9, or python3.9 of the distribution)"
    return python


def test_all_of_it_works_on_the_oldest_python_of_a_node() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    script = str(Path(__file__).with_name("python39.py"))
    shown = subprocess.run(
        [python39(), "-I", script, str(ROOT)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (shown.stdout, shown.stderr, shown.returncode) == ("works\n", "", 0)
