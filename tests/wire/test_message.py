"""Messages: filled in, sent, and received from peers that are not trusted."""

from __future__ import annotations

import copy
import pickle

import pytest

from agent.wire.decode import decode
from agent.wire.message import Message, MessageData, from_data, message, to_data


def nested(levels: int) -> Message:
    made = message("test.leaf", "leaf")
    for _ in range(levels):
        made = message("test.nested", "({inner})", inner=made)
    return made


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (message("t.a", "{n:n file} to send ({size:bytes})", n=1, size=3 << 20), "1 file to send (3.0 MiB)"),
        (message("t.a", "{n:n entry/entries}", n=2), "2 entries"),
        (message("t.a", "{n:n entry/entries}", n=0), "0 entries"),
        (message("t.a", "after {seconds:duration}", seconds=185), "after 3 min 05 s"),
        (message("t.a", "at {rate:byte-rate}", rate=1 << 20), "at 1.0 MiB/s"),
        (message("t.a", "no node {names}", names=["a", "b"]), "no node a, b"),
        (message("t.a", "no route works: {causes:; }", causes=["x", "y"]), "no route works: x; y"),
        (message("t.a", "{path!r} is {{odd}}", path="a\n"), "'a\\n' is {odd}"),
        (message("t.a", "it ended: {why}", why=message("t.b", "no {what}", what="{0}")), "it ended: no {0}"),
    ],
)
def test_the_english_is_the_message(made: Message, text: str) -> None:
    assert made == text
    assert type(str(made)) is str


def test_a_message_survives_the_wire() -> None:
    made = message("test.outer", "{causes:; } ({n})", causes=[nested(1), "foreign"], n=1.5)
    data = decode(MessageData, to_data(made))
    back = from_data(data)
    assert (back, back.id) == (made, "test.outer")
    assert to_data(back) == to_data(made)
    causes = back.args["causes"]
    assert isinstance(causes, list)
    assert isinstance(causes[0], Message)
    assert causes[0].id == "test.nested"


def test_foreign_text_has_no_id() -> None:
    assert to_data("text") == {"id": "", "args": {}, "text": "text"}
    assert from_data(to_data("text")).id == ""


def test_what_is_nested_deeper_is_sent_as_its_text() -> None:
    back = from_data(to_data(nested(50)))
    assert back == nested(50)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"id": 1, "args": {}, "text": "x"},
        {"id": "a.b", "args": [], "text": "x"},
        {"id": "a.b", "args": {"x": {"id": {}, "args": None, "text": []}}, "text": None},
        {"id": "a.b", "args": {"x": [[[[[[[[1]]]]]]]], "y": None, "z": True}, "text": "x"},
    ],
)
def test_data_of_any_shape_makes_a_message(data: dict[str, object]) -> None:
    made = from_data(data)
    assert isinstance(made, Message)
    assert isinstance(made.id, str)
    to_data(made)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_keeps_id_and_arguments(copied) -> None:  # type: ignore[no-untyped-def]
    made = nested(2)
    back = copied(made)
    assert (type(back), back, back.id) == (Message, made, made.id)
    assert to_data(back) == to_data(made)
