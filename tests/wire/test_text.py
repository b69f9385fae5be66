"""Names, paths and errors within sentences: readable, on one line, and never escaped twice."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.message import message
from agent.wire.reasons import reason_of
from agent.wire.text import quote
from fleet.deploy.scan import scan
from fleet.errors import InvalidAnswer


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("plain", "'plain'"),
        ("C:\\train\\new", "'C:\\train\\new'"),
        ("it's", '"it\'s"'),
        ("both ' and \"", "'both ' and \"'"),
        ("a\nb\x1b[31m\u202e\udcff", "'a\\nb\\x1b[31m\\u202e\\udcff'"),
        ("평면도", "'평면도'"),
    ],
)
def test_a_text_between_quotation_marks(text: str, shown: str) -> None:
    assert quote(text) == shown
    assert message("test", "{path!r} is empty", path=text) == f"{shown} is empty"


@given(st.text())
def test_what_was_escaped_once_stays_as_it_is(text: str) -> None:
    once = quote(text)
    assert once.isprintable()
    assert quote(once)[1:-1] == once


def test_a_message_formats_numbers_and_braces_as_ever() -> None:
    made = message("test", "{{x}} {seconds:.0f} s, {size!r} of {path}", seconds=1.6, size=7, path="{a!r}")
    assert made == "{x} 2 s, 7 of {a!r}"


def test_a_system_error_is_its_file_and_its_reason() -> None:
    assert reason_of(FileNotFoundError(errno.ENOENT, "No such file", "C:\\a\nb")) == "C:\\a\nb: No such file"
    assert reason_of(OSError(errno.ENOSPC, "No space left")) == "No space left"
    assert reason_of(OSError("odd")) == "odd"
    assert reason_of(InvalidAnswer("status", "why", node="gpu1")).startswith("gpu1: the agent's answer")


def test_the_reason_of_a_system_error_keeps_its_id() -> None:
    other = message("private.other-owner", "it belongs to another user")
    assert reason_of(PermissionError(other)).id == other.id
    reason = reason_of(PermissionError(errno.EPERM, other, "/srv/.dtui"))
    assert reason == "/srv/.dtui: it belongs to another user"
    assert reason.args["reason"] is other


@pytest.mark.needs("posix")
def test_a_name_of_bytes_is_shown_as_its_escapes(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    Path(str(tmp_path) + "/odd\udcff'name").touch()
    (fault,) = scan(tmp_path).faults
    assert fault.what == '"odd\\udcff\'name" has a name that is not valid UTF-8'
