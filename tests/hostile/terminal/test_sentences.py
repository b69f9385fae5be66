"""A text of any size and shape is translated within bounded time."""

from __future__ import annotations

import time

import pytest

from agent.wire.message import Message, from_data, message, to_data
from tui.i18n import Texts

LONG = "y을(를) {0}: " * 70_000


def nested(levels: int) -> Message:
    made = message("run.unknown", "run {run} is not known in {folder}", run="r", folder="/")
    for _ in range(levels):
        made = message("run.unknown", "run {run} is not known in {folder}", run=made, folder="/")
    return made


HUGE = {
    "foreign text": Message(LONG),
    "a huge argument": message("run.unknown", "run {run} is not known in {folder}", run=LONG, folder=LONG),
    "many arguments": message("test.list", "{names}", names=["x"] * 100_000),
    "an id of a hostile node": Message("x", id=LONG, args={LONG: LONG}),
    "messages within messages, from a node": from_data(to_data(nested(200))),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_text_takes_no_time(name: str) -> None:
    texts = Texts("ko")
    texts.translate(nested(0))  # reads the catalogue
    began = time.process_time()
    texts.translate(HUGE[name])
    assert time.process_time() - began < 60.0  # it could be hours
