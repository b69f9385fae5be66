"""Messages in Korean: looked up by id, with foreign text unchanged."""

from __future__ import annotations

import pytest

from agent.wire.message import Message
from tui.i18n import Texts


@pytest.fixture
def korean() -> Texts:
    return Texts("ko")


def unknown_run(**changes: object) -> Message:
    args = {"run": "r-1", "folder": "/x", **changes}
    return Message("run r-1 is not known in /x", id="run.unknown", args=args)  # type: ignore[arg-type]


def test_a_message_is_looked_up_by_its_id(korean: Texts) -> None:
    said = korean.translate(unknown_run())
    assert "r-1" in said
    assert "/x" in said
    assert said != unknown_run()


def test_english_is_the_source() -> None:
    assert Texts("en").translate(unknown_run()) == "run r-1 is not known in /x"


@pytest.mark.parametrize(
    "text", ["all checks passed but one", "port is 5", "no connection", "gpu3을(를) {x}"]
)
def test_foreign_text_within_a_message_is_unchanged(text: str, korean: Texts) -> None:
    assert text in korean.translate(unknown_run(folder=text))


def test_a_message_within_a_message_is_translated(korean: Texts) -> None:
    inner = unknown_run()
    assert korean.translate(inner) in korean.translate(unknown_run(folder=inner))
    assert korean.translate(inner) in korean.translate(unknown_run(folder=[inner, "b"]))


def test_a_message_within_one_without_words_is_translated(korean: Texts) -> None:
    inner = unknown_run()
    outer = Message(f"/x: {inner}", id="deploy.file-system", args={"path": "/x", "error": inner})
    assert korean.translate(outer) == f"/x: {korean.translate(inner)}"


@pytest.mark.parametrize(
    "odd",
    [
        Message("english", id="no.such-id"),
        Message("english", id="run.unknown"),
        Message("english", id="run.unknown", args={"run": "x"}),
    ],
)
def test_a_message_of_another_version_or_a_hostile_node_is_shown_in_english(
    odd: Message, korean: Texts
) -> None:
    assert korean.translate(odd) == "english"


def test_particles_fit_what_they_follow(korean: Texts) -> None:
    def asked(run: str) -> str:
        return korean("confirm.stop", run=run, count=2, ranks=4)

    assert asked("r-1").startswith("실행 r-1을 ")
    assert asked("r-2").startswith("실행 r-2를 ")


def test_a_word_of_an_open_set_is_shown_as_it_is(korean: Texts) -> None:
    assert korean.word("phase", "of a later version") == "of a later version"
    assert korean.word("link", "up") != "up"
