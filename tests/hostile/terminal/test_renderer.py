"""The renderer of external text, against an emulated terminal and against arbitrary input."""

from __future__ import annotations

import time

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.terminal import LONGEST_LINE, LineStream, block, decode, one_line, render_bytes, render_line
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in

FRAGMENTS = st.one_of(
    st.sampled_from(
        ["\r", "\b", "\t", "\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K", "\x1b[31m", "\x1b[0m", "\x1b[1;38;5;9m"]
    ),
    st.text(alphabet="abcXYZ 01é█", max_size=6),
)


def emulated(text: str) -> str:
    screen = pyte.Screen(200, 2)
    pyte.Stream(screen).feed(text)
    return screen.display[0].rstrip()


@given(st.lists(FRAGMENTS, max_size=14).map("".join))
@example("abc\x1b[1Kd")
@example("10%\r100%\rdone\x1b[K")
def test_a_line_is_what_a_terminal_shows(text: str) -> None:
    assert render_line(text).text.rstrip() == emulated(text.rstrip("\r"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("한글\rX", "X 글"),  # half of a wide character is overwritten: the other half becomes blank
        ("한글\b\bX", "한X"),
        ("한글\b\b\bX", " X글"),
        ("a\u0301b\rX", "Xb"),
        ("한\r\x1b[Kab", "ab"),
    ],
)
def test_wide_characters_are_overwritten_by_cell(raw: str, shown: str) -> None:
    assert render_line(raw).text.rstrip() == shown


@given(
    st.text(alphabet=st.characters(codec=None) | st.sampled_from("\x1b\x9b\x9d\r\b[]m;0K\u0301"), max_size=60)
)
def test_no_text_brings_a_control_character(raw: str) -> None:
    assert unsafe_in(one_line(raw)) == []
    assert "\n" not in one_line(raw)
    assert unsafe_in(block(raw)) == []
    assert one_line(one_line(raw)) == one_line(raw)


@pytest.mark.parametrize("move", ["\r", "\r\x1b[K", "\b" * 40, "\x1b[2K", "\x1b[1K\r", "\x9b2K", "\r" * 9])
def test_a_quoted_text_does_not_replace_the_words_around_it(move: str) -> None:
    text = f"gpu1: rank 0 is {move}✓ run r succeeded"
    assert one_line(text).startswith("gpu1: rank 0 is")
    assert block(text).splitlines()[0].startswith("gpu1: rank 0 is")


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_shown_as_harmless_text(name: str) -> None:
    shown = one_line(ATTACKS[name])
    assert unsafe_in(shown) == []
    assert "HARM" in shown or name == "surrogate"
    assert len(shown) <= 4096
    # What an OSC, DCS, APC, PM or SOS carries is not text.
    assert "SEFDS0VE" not in shown
    assert "HACKED" not in shown
    assert "secret" not in shown


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_is_cut_anywhere_leaves_nothing_behind(name: str) -> None:
    attack = ATTACKS[name][:200]
    for at in range(1, len(attack)):
        assert unsafe_in(one_line(attack[:at])) == []
        assert unsafe_in(one_line(attack[at:])) == []


@given(st.binary(max_size=80))
def test_bytes_are_safe_whatever_their_encoding(raw: bytes) -> None:
    assert unsafe_in(render_bytes(raw).text) == []


def test_text_in_the_code_page_of_a_korean_windows_is_readable() -> None:
    assert decode("오류: 파일 없음".encode("cp949")) == "오류: 파일 없음"
    assert render_bytes("정상".encode()).text == "정상"


def test_letters_of_the_world_stay() -> None:
    for text in ("한국어", "Việt", "Việt", "שָׁלוֹם", "ไทย", "日本語", "✓ → █▁▂", "🚀", "café"):
        assert one_line(text) == text


def test_square_brackets_are_text() -> None:
    assert one_line("[bold]x[/bold] [0]") == "[bold]x[/bold] [0]"


def test_colours_are_kept_beside_the_text() -> None:
    line = render_line("a\x1b[1;31mred\x1b[0m b\x1b[38;2;1;2;3mrgb\x1b[39m\x1b[5m!")
    assert line.text == "ared brgb!"
    assert line.colors == ((1, 4, "1;31"), (6, 9, "38;2;1;2;3"))


@pytest.mark.parametrize("code", ["38;5;999", "38;2;1", "8", "5", "99999999999999999999", "31;;38", "?25"])
def test_a_malformed_or_hiding_colour_is_no_colour(code: str) -> None:
    line = render_line(f"\x1b[{code}mtext")
    assert line.text == "text"
    assert all(part in ("", "31") for _, _, part in line.colors)


def test_colours_survive_an_overwritten_line() -> None:
    assert render_line("\x1b[32mgreen\rX\x1b[31mY") == ("XYeen", ((0, 1, "32"), (1, 2, "31"), (2, 5, "32")))


def test_a_windows_line_end_is_no_overwrite() -> None:
    assert render_bytes(b"plain\r").text == "plain"


@given(st.lists(st.binary(max_size=20), max_size=12))
def test_lines_do_not_depend_on_how_a_stream_is_cut(chunks: list[bytes]) -> None:
    whole, pieces = LineStream(), LineStream()
    expected = [*whole.feed(b"".join(chunks)), whole.rest()]
    found = [line for chunk in chunks for line in pieces.feed(chunk)]
    assert [*found, pieces.rest()] == expected


@pytest.mark.parametrize("introducer", [b"\x1b]52;c;", b"\x1bP", b"\x1b_", b"\x1bX", b"\x1b^", b"\xc2\x9d0;"])
def test_a_string_that_never_ends_is_dropped_in_bounded_memory(introducer: bytes) -> None:
    stream = LineStream()
    lines = stream.feed(b"before" + introducer)
    for _ in range(50):
        lines += stream.feed(b"SEFDS0VE" * 10_000)
        assert len(stream._held) <= LONGEST_LINE
    lines += stream.feed(b"\nafter\n")
    shown = "".join(render_bytes(line).text for line in lines)
    assert (shown[:6], shown[-5:], len(shown)) == ("before", "after", 11)


def test_a_line_that_never_ends_comes_in_pieces() -> None:
    stream = LineStream()
    lines = [line for _ in range(20) for line in stream.feed(b"x" * 10_000)]
    assert max(map(len, lines)) == LONGEST_LINE
    assert len(stream._held) <= LONGEST_LINE
    assert sum(map(len, lines)) + len(stream.rest()) == 200_000


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
        b"\xc2\x9d",
        b"\xc2\x9b",
        b"\x1b[1;",
        b"\r",
        b"\b",
        b"a\b",
        b"\x1b[K",
        b"\xcc\x81",
        b"\x1b[31m",
        b"\xed\x95\x9c\r",
        b"\t",
        b"\x07\xc2\x9d",
        b"\x1bP\x1b",
        b"\x1b[1111111111",
    ],
)
def test_no_input_takes_more_than_linear_time(raw: bytes) -> None:
    def seconds(size: int) -> float:
        line = (raw * size)[:size] + b"\x07"
        stream = LineStream()
        began = time.process_time()
        for piece in [*stream.feed(line * 4), stream.rest()]:
            render_bytes(piece)
        one_line(line.decode("utf-8", "replace"), len(line))
        return time.process_time() - began

    # 5 times as much input may take 10 times as long; quadratic work would take 25 times as long.
    seconds(LONGEST_LINE // 5)
    small, large = (min(seconds(size) for _ in range(3)) for size in (LONGEST_LINE // 5, LONGEST_LINE))
    assert large < max(0.25, 10 * small)
