from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.events import LogChunk
from fleet.logbook import (
    ERRORS,
    FoldedSource,
    Logbook,
    MatchIndex,
    MatchSource,
    MergedSource,
    PatternError,
    RankLog,
    matcher,
)
from fleet.logbook.ring import LONGEST_LINE
from fleet.terminal import LineStream, decode, render_bytes


def texts(source, start=0, stop=1 << 30):
    return [line.text for line in source.read(start, stop)]


def test_an_unfinished_line_is_shown_and_finished_in_place():
    log = RankLog(0)
    log.feed(0, b"one\ntw", 1.0)
    assert texts(log) == ["one", "tw"]
    assert (log.complete, log.end) == (1, 2)
    log.feed(6, b"o\n", 2.0)
    assert texts(log) == ["one", "two"]
    assert (log.complete, log.end) == (2, 2)
    assert log.arrived(1) == 1.0


@given(
    st.lists(st.sampled_from([b"a", b"bb\n", b"\n", b"c\r\n", "한글\n".encode(), b"\x1b[31mred\x1b[0m\n"])),
    st.data(),
)
def test_where_the_stream_is_cut_makes_no_difference(pieces, data):
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    whole, cut = RankLog(0), RankLog(0)
    whole.feed(0, stream, 1.0)
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        cut.feed(begin, stream[begin:end], 1.0)
    assert texts(cut) == texts(whole)
    assert cut.raw(0, 99) == stream.split(b"\n")[:-1]
    cut.feed(len(stream), b"\nlast\n", 2.0)
    assert (cut.raw(0, 99)[-1], cut.missing) == (b"last", 0)


def test_a_reconnect_that_sends_again_doubles_nothing():
    log = RankLog(0)
    log.feed(0, b"one\ntwo\nthr", 1.0)
    log.feed(4, b"two\nthree\nfour\n", 2.0)
    log.feed(0, b"one\n", 3.0)
    assert texts(log) == ["one", "two", "three", "four"]
    assert log.missing == 0


def test_a_gap_is_said_and_counted():
    log = RankLog(0)
    log.feed(0, b"one\n", 1.0)
    log.feed(104, b"two\n", 2.0)
    assert texts(log) == ["one", "[dtui: 100 bytes not recorded]", "two"]
    assert log.missing == 100


def test_the_first_chunk_may_begin_anywhere():
    log = RankLog(0)
    log.feed(5000, b"tail\n", 1.0)
    assert texts(log) == ["tail"]
    assert log.missing == 0


def test_the_oldest_lines_go_and_numbers_stay():
    log = RankLog(0, lines=100)
    offset = 0
    for number in range(1000):
        data = b"line %d\n" % number
        log.feed(offset, data, float(number))
        offset += len(data)
    assert 100 <= log.complete - log.first <= 113
    assert texts(log, 990, 992) == ["line 990", "line 991"]
    assert texts(log, 0, log.first + 1) == [f"line {log.first}"]
    assert log.arrived(990) == 990.0


def test_bytes_are_bounded_too():
    log = RankLog(0, lines=10_000, size=100_000)
    for number in range(300):
        log.feed(number * 1001, b"x" * 1000 + b"\n", 0.0)
    assert sum(map(len, log.raw(0, 10_000))) <= 112_500 + 1000


def test_a_line_without_end_is_cut_and_loses_nothing():
    log = RankLog(0)
    total = 0
    for _ in range(10):
        log.feed(total, b"y" * 30_000, 0.0)
        total += 30_000
    log.feed(total, b"\nnext\n", 0.0)
    lines = log.raw(0, 99)
    assert b"".join(lines[:-1]) == b"y" * total
    assert max(map(len, lines)) <= LONGEST_LINE
    assert lines[-1] == b"next"


def test_a_long_line_is_cut_between_characters():
    text = "가나다라" * 40_000
    log = RankLog(0)
    log.feed(0, text.encode() + b"\n", 0.0)
    assert "".join(line.text for line in log.read(0, 99)) == text
    stream = LineStream()
    assert "".join(render_bytes(line).text for line in stream.feed(text.encode() + b"\n")) == text


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_piece_of_utf_8_is_not_taken_for_korean_windows(cut: int):
    data = "손실 0.5, 학습률 0.01".encode()
    assert "손실 0.5, 학습률 0.01"[3:-3] in decode(data[cut : -(cut % 3) or None])


def test_korean_windows_is_still_read():
    assert decode("손실 0.5".encode("cp949")) == "손실 0.5"


def test_a_progress_bar_shows_its_last_state_and_stays_small():
    log = RankLog(0)
    offset = 0
    for percent in range(10_000):
        data = b"\r%d/10000 [####]" % percent
        log.feed(offset, data, 0.0)
        offset += len(data)
    assert texts(log) == ["9999/10000 [####]"]
    log.feed(offset, b"\ndone\n", 0.0)
    assert texts(log) == ["9999/10000 [####]", "done"]


def test_text_is_safe_for_a_terminal():
    assert render_bytes(b"\x1b[1;31mError\x1b[0m: \x1b]0;title\x07x\ty\x00").text == "Error: x        y"
    assert render_bytes("a\u202eb\x1b[2Jc\x07".encode()).text == "abc"
    assert render_bytes(b"10%\r20%\r").text == "20%"
    assert render_bytes(b"plain\r").text == "plain"


def test_a_korean_windows_console_is_readable():
    assert (
        render_bytes("오류: 파일을 찾을 수 없습니다".encode("cp949")).text == "오류: 파일을 찾을 수 없습니다"
    )
    assert render_bytes("정상".encode()).text == "정상"
    assert render_bytes(b"\xff\xfe\xfd").text != ""


def filled(lines, rank=0):
    log = RankLog(rank)
    log.feed(0, b"".join(line.encode() + b"\n" for line in lines), 0.0)
    return log


def test_matching_ignores_case_until_a_capital_is_typed():
    log = filled(["Loss 1", "loss 2", "other", "LOSS 3"])
    for typed, expected in [("loss", [0, 1, 3]), ("Loss", [0]), ("/l.ss \\d/", [0, 1, 3])]:
        index = MatchIndex(log, matcher(typed))
        index.advance()
        assert index.numbers == expected, typed


def test_matching_sees_what_the_reader_sees():
    log = filled(["\x1b[31mErr\x1b[0mor: x", "hidden\rshown", "windows\r", "정확도 90"])
    for typed, expected in [
        ("error: x", [0]),
        ("hidden", []),
        ("shown", [1]),
        ("windows", [2]),
        ("정확도", [3]),
    ]:
        index = MatchIndex(log, matcher(typed))
        index.advance()
        assert index.numbers == expected, typed


def test_a_broken_expression_is_explained():
    try:
        matcher("/a(b/")
    except PatternError as error:
        assert "position" in str(error)
    else:
        raise AssertionError("accepted")


def test_errors_are_found_and_calm_lines_are_not():
    log = filled(
        [
            "step 1 loss 0.5",
            "Traceback (most recent call last):",
            "RuntimeError: CUDA out of memory",
            "errors: 0",
            "loss = nan",
            "[ERROR] disk",
            "terror",
            "torch.distributed.DistBackendError: NCCL",
        ]
    )
    index = MatchIndex(log, ERRORS)
    index.advance()
    assert index.numbers == [1, 2, 4, 5, 7]
    assert (index.after(2), index.before(2), index.after(7), index.before(1)) == (4, 1, None, None)


def test_a_filter_follows_a_growing_and_dropping_log():
    log = RankLog(0, lines=100)
    source = MatchSource(log, matcher("7"))
    offset = 0
    for number in range(1000):
        data = b"%d\n" % number
        log.feed(offset, data, 0.0)
        offset += len(data)
        source.advance()
    expected = [str(n) for n in range(log.first, 1000) if "7" in str(n)]
    assert texts(source, source.first) == expected
    assert source.end == len([n for n in range(1000) if "7" in str(n)])
    assert source.end - source.first == len(expected)


@given(st.lists(st.lists(st.booleans(), max_size=8), max_size=12), st.integers(0, 4))
def test_context_is_every_line_near_a_match_once_whenever_it_comes(pieces, context):
    log, offset = RankLog(0), 0
    source = MatchSource(log, matcher("hit"), context)
    merged_book = Logbook()
    merged = MergedSource(merged_book, matcher=matcher("hit"), context=context)
    for piece in pieces:
        data = "".join("hit\n" if hit else "calm\n" for hit in piece).encode()
        log.feed(offset, data, 0.0)
        merged_book.add(LogChunk(run="r", rank=0, offset=offset, data=data, at=0.0))
        offset += len(data)
        source.advance()
        merged.advance()
    marks = [hit for piece in pieces for hit in piece]
    shown = [n for n in range(len(marks)) if any(marks[max(0, n - context) : n + context + 1])]
    expected = [
        ("hit" if marks[n] else "calm", not marks[n], i > 0 and shown[i - 1] != n - 1)
        for i, n in enumerate(shown)
    ]
    for one in (source, merged):
        lines = one.read(0, 999)
        assert [(line.text, line.aside, line.after_gap) for line in lines] == expected
        assert [line.number for line in lines] == list(range(len(shown)))


def test_context_goes_with_the_lines_that_are_dropped():
    log, offset = RankLog(0, lines=100), 0
    source = MatchSource(log, matcher("7"), 1)
    for number in range(1000):
        data = b"%d\n" % number
        log.feed(offset, data, 0.0)
        offset += len(data)
        source.advance()
    near = [n for n in range(log.first, 1000) if any("7" in str(m) for m in (n - 1, n, n + 1) if m < 1000)]
    assert texts(source, source.first) == [str(n) for n in near]


def test_merged_context_is_of_the_rank_that_matches():
    merged = MergedSource(
        book((0, "a1\n"), (1, "b1\n"), (0, "a2 hit\n"), (1, "b2\n"), (0, "a3\na4\n")),
        matcher=matcher("hit"),
        context=1,
    )
    merged.advance()
    assert texts(merged) == ["a1", "a2 hit", "a3"]


def book(*chunks):
    result, offsets = Logbook(), {}
    for at, (rank, text) in enumerate(chunks):
        data = text.encode()
        result.add(LogChunk(run="r", rank=rank, offset=offsets.get(rank, 0), data=data, at=float(at)))
        offsets[rank] = offsets.get(rank, 0) + len(data)
    return result


def test_merged_logs_keep_the_order_of_arrival():
    merged = MergedSource(book((0, "a\nb\n"), (1, "c\n"), (0, "d\npart"), (2, "e\n")))
    merged.advance()
    assert [(line.ranks[0], line.text) for line in merged.read(0, 99)] == [
        (0, "a"), (0, "b"), (1, "c"), (0, "d"), (2, "e"),
    ]  # fmt: skip
    assert [line.number for line in merged.read(1, 4)] == [1, 2, 3]
    assert texts(merged, 1, 3) == ["b", "c"]


def test_a_merged_view_of_some_ranks_with_a_filter():
    merged = MergedSource(
        book((0, "ax\nb\n"), (1, "cx\n"), (2, "dx\ne\nfx\n")), ranks={0, 2}, matcher=matcher("x")
    )
    merged.advance()
    assert texts(merged) == ["ax", "dx", "fx"]


def test_identical_lines_of_several_ranks_are_shown_once():
    folded = FoldedSource(MergedSource(book((0, "hello\nloss 1\n"), (1, "hello\nloss 2\n"), (0, "hello\n"))))
    folded.advance()
    assert [(line.ranks, line.text) for line in folded.read(0, 99)] == [
        ((0, 1), "hello"), ((0,), "loss 1"), ((1,), "loss 2"), ((0,), "hello"),
    ]  # fmt: skip
