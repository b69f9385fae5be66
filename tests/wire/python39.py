"""Runs on Python 3.9 with the standard library: imports all of agent.wire and decodes by every kind of type.

``python3.9 -I tests/wire/python39.py ROOT`` prints ``works`` after the last check.
"""

# ruff: noqa: PT018, UP006, UP007, UP035, UP045 -- it runs on Python 3.9, without pytest
from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from typing import Dict, List, Literal, NamedTuple, Optional, Tuple, TypedDict, Union

sys.path.insert(0, sys.argv[1])

import agent.wire
from agent.wire.decode import WireError, decode
from agent.wire.frames import FrameDecoder, Item, encode
from agent.wire.operations import OPERATIONS


class _Inner(TypedDict):
    at: float


class Inner(_Inner, total=False):
    """``note`` may be left out."""

    note: Optional[str]


class Pair(NamedTuple):
    """Two values, one with a default."""

    left: int
    right: str = "x"


class Everything(TypedDict):
    """One field of every supported kind."""

    text: str
    flag: bool
    nothing: None
    anything: object
    word: Literal["a", 1, None]
    number: Union[int, str, None]
    list: List[Inner]
    table: Dict[str, Tuple[int, str]]
    many: Tuple[float, ...]
    pair: Pair


VALUE = {
    "text": "t",
    "flag": True,
    "nothing": None,
    "anything": [{"a": 1}],
    "word": 1,
    "number": "7",
    "list": [{"at": 1}, {"at": 1.5, "note": None}],
    "table": {"k": [1, "v"]},
    "many": [1, 2.5],
    "pair": {"left": 3},
}


def main() -> None:
    assert sys.version_info[:2] == (3, 9), sys.version
    for module in pkgutil.walk_packages(agent.wire.__path__, "agent.wire."):
        importlib.import_module(module.name)
    found = decode(Everything, json.loads(json.dumps(VALUE)))
    assert found["pair"] == Pair(3) and found["table"] == {"k": (1, "v")} and found["many"] == (1, 2.5)
    for key in VALUE:
        damaged = {name: value for name, value in VALUE.items() if name != key}
        try:
            decode(Everything, damaged)
        except WireError as error:
            assert str(error) == key + " is missing", error
        else:
            raise AssertionError(key)
    for operation in OPERATIONS.values():
        for kind in (operation.args, operation.result, operation.upload, operation.item):
            try:
                decode(kind, {"no": "such key"})
            except WireError:
                pass
            else:
                assert kind is object, kind
    (frame,) = FrameDecoder().feed(encode(Item(1, {"a": [1.5, None]}), b"payload"))
    assert frame.header == Item(1, {"a": [1.5, None]}) and frame.payload == b"payload"
    print("works")


main()
