"""A quoted text ends its own escape sequences: it hides no word of dtui that follows it."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.message import Message, from_data, message, to_data
from agent.wire.text import closed
from fleet.errors import FleetError
from fleet.events import NodeDeployed, Notice, RankPhase, RunFinished
from fleet.terminal import block, one_line
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tui.cli.output import out
from tui.cli.printing import PlainPrinter
from tui.i18n import Texts

#: Sequences that are open at the end of their text; the second of two could end the first.
OPEN = (
    "\x1b]0;x", "\x1b]8;;http://x", "\x1bPq", "\x1b_G", "\x1b^", "\x1bX", "\x9d0;", "\x90", "\x9f", "\x98",
    "\x1b", "\x1b(", "\x1b[", "\x1b[12", "\x1b[ ", "\x9b3;", "\x1b]0;x\x1b", "\x9c\x9d", "\x1b]a\x9d",
)  # fmt: skip
ENDS = ("", "\x07", "\x1b\\", "\x9c", "m", "2J", "K")
PIECES = st.lists(st.sampled_from((*OPEN, *ENDS, "a", "5", " ", ";", "\n", "한")), max_size=8).map("".join)


@pytest.mark.parametrize("hostile", OPEN)
def test_the_words_behind_a_quoted_text_are_shown(hostile: str) -> None:
    texts = Texts("ko")
    for quoted in (hostile, Message(hostile), from_data(to_data(hostile)), [hostile, "other"]):
        for end in ENDS:
            text = message("x.y", "{a} 5 of 7 ranks ended {b}", a=quoted, b=end)
            assert "5 of 7 ranks ended" in one_line(text)
            assert "5 of 7 ranks ended" in block(texts.translate(text))
    error = FleetError(Message(hostile), node="gpu1", remedy=Message("2m restart it\x07"))
    assert one_line(str(error)).endswith(". 2m restart it")


@given(PIECES, PIECES)
def test_two_texts_hide_nothing_between_them(one: str, other: str) -> None:
    text = message("x.y", "{a}5 of 7 ranks ended{b}", a=one, b=other)
    assert "5 of 7 ranks ended" in block(text)
    assert closed(closed(one)) == closed(one)
    assert one_line(closed(one)) == one_line(one)


@given(PIECES)
def test_a_terminal_shows_the_words_as_well(one: str) -> None:
    screen = pyte.Screen(200, 3)
    pyte.Stream(screen).feed(block(message("x.y", "{a} 5 of 7 ranks ended", a=one)).replace("\n", "\r\n"))
    assert "5 of 7 ranks ended" in " ".join(line.rstrip() for line in screen.display)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_is_cut_anywhere_hides_no_remedy(name: str) -> None:
    attack = ATTACKS[name][:60]
    for at in range(1, len(attack) + 1):
        shown = one_line(message("x.y", "rank 0: {error}; run it again", error=attack[:at]))
        assert shown.endswith("; run it again")
        assert unsafe_in(shown) == []


def test_a_notice_shows_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = Message("lost\x1b]0;")
    with PlainPrinter() as printer:
        printer.emit(Notice(node="gpu1", level="error", text=hostile, remedy=Message("run dtui nodes")))
        printer.emit(NodeDeployed(node="gpu2", ok=False, detail=hostile, files_sent=0, bytes_sent=0))
        printer.emit(RankPhase(node="gpu1", run="r", rank=0, phase="train\x1b]0;", at=1.0))
        printer.emit(RunFinished(run="r", outcome="failed", cause=hostile))
    out("end")
    shown = capsys.readouterr()
    assert "run dtui nodes" in shown.err.lower()
    assert shown.out == "end\n"


@pytest.mark.parametrize("piece", ["\x1b]", "\x90", "\x9b0", "\x1b[ ", "\x90" * 9 + "\x07", "\x1b  "])
def test_closing_takes_linear_time(piece: str) -> None:
    """Time in the square of the length would be hours."""
    text = piece * 2_000_000
    assert closed(text) in (text, text + "\x18")
