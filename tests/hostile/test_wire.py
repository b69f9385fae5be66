"""Every field of every answer with a wrong value is an error with its place, and of no other kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from agent.wire.decode import WireError, checker, decode
from agent.wire.operations import OPERATIONS

WRONG: list[Any] = [
    None, True, -(2**70), 1.5, float("inf"), "text", "\ud800", [], [[1]], {}, {"a": {"b": [1]}},
    "x" * 100_000,
]  # fmt: skip


def places(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """Yield each key below a TypedDict, through those that are nested: its type, and if it is required."""
    for key, hint in get_type_hints(kind).items():
        yield (*path, key), hint, key in kind.__required_keys__
        for arg in () if get_origin(hint) is dict else (hint, *get_args(hint)):
            if is_typeddict(arg):
                yield from places(arg, (*path, key))
            elif get_origin(arg) is list and is_typeddict(get_args(arg)[0]):
                yield from places(get_args(arg)[0], (*path, key))


def blank(kind: Any, **changes: Any) -> Any:
    """Return a value of a TypedDict with ``changes`` put in, each of which must be one of its keys."""
    hints = get_type_hints(kind)
    assert set(changes) <= set(hints), set(changes) - set(hints)
    return {key: changes[key] if key in changes else _empty(hint) for key, hint in hints.items()}


def _empty(hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union:
        return None if type(None) in args else _empty(args[0])
    if origin is Literal:
        return args[0]
    if origin in (list, dict):
        return origin()
    return hint() if hint in (str, int, float, bool) else blank(hint)


def filled(kind: Any) -> Any:
    """Return a value in which every list has an entry and every optional object is there."""
    value = blank(kind)
    for key, hint in get_type_hints(kind).items():
        if get_origin(hint) is dict:
            continue
        for arg in (hint, *get_args(hint)):
            if is_typeddict(arg):
                value[key] = value[key] if isinstance(value[key], list) else filled(arg)
            elif get_origin(arg) is list and is_typeddict(get_args(arg)[0]):
                value[key] = [filled(get_args(arg)[0])]
    return value


def put(value: Any, path: tuple[str, ...], new: Any, *, drop: bool = False) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [put(item, path, new, drop=drop) for item in value]
    rest = {key: item for key, item in value.items() if not (drop and len(path) == 1 and key == path[0])}
    if not (drop and len(path) == 1):
        rest[path[0]] = (
            put(value.get(path[0]), path[1:], new, drop=drop) if value.get(path[0]) is not None else new
        )
    return rest


ANSWERS = [
    (f"{operation.name} {part}", kind)
    for operation in OPERATIONS.values()
    for part, kind in (("args", operation.args), ("item", operation.item), ("result", operation.result))
    if is_typeddict(kind)
]


@pytest.mark.parametrize(("name", "kind"), ANSWERS, ids=[name for name, _ in ANSWERS])
def test_a_wrong_missing_or_unknown_key_is_named(name: str, kind: Any) -> None:
    whole = filled(kind)
    assert decode(kind, whole) == whole
    with pytest.raises(WireError, match="unknown key 'more'"):
        decode(kind, {**whole, "more": 1})
    for path, hint, required in places(kind):
        for wrong in WRONG:
            broken = put(whole, path, wrong)
            try:
                right = checker(hint)(wrong, "")
            except WireError:
                with pytest.raises(WireError, match=path[-1]) as caught:
                    decode(kind, broken)
                assert len(str(caught.value)) < 400, "a huge value must not be repeated"
            else:
                assert decode(kind, broken) == put(whole, path, right)
        if required:
            with pytest.raises(WireError, match=f"{path[-1]} is missing"):
                decode(kind, put(whole, path, None, drop=True))
