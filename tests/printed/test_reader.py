"""The figures of one rank over time, as its output arrives in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.metrics_record import MetricsRecord
from fleet.printed import PrintedProgress
from fleet.printed.pattern import PatternError, compile_pattern


def last(printed: PrintedProgress, *lines: str) -> MetricsRecord:
    """Feed the lines two seconds apart and return the newest record."""
    newest: MetricsRecord | None = None
    for number, line in enumerate(lines):
        newest = printed.feed(line.encode("utf-8") + b"\n", 2.0 * number) or newest
    assert newest is not None
    return newest


def test_a_bar_is_read_while_its_line_is_unfinished_and_cut_anywhere() -> None:
    bar = "\r 12%|█▏  | 12/100 [00:12<01:28,  1.00it/s]\r 13%|█▎  | 13/100 [00:13<01:27,  1.00it/s]".encode()
    for cut in range(len(bar)):
        printed = PrintedProgress()
        found = [printed.feed(bar[:cut], 1.0), printed.feed(bar[cut:], 3.0)]
        newest = [record for record in found if record is not None][-1]
        assert (newest.step, newest.steps) == (13, 100)


def test_there_is_one_record_per_second_and_the_rest_at_the_end() -> None:
    printed = PrintedProgress()
    assert printed.feed(b"step 1 loss 3\n", 10.0) is not None
    assert printed.feed(b"step 2 loss 2\n", 10.5) is None
    rest = printed.rest(10.6)
    assert rest is not None
    assert (rest.step, rest.loss) == (2, 2.0)
    assert printed.rest(10.7) is None
    assert printed.feed(b"step 2 loss 2\n", 20.0) is None, "nothing has changed"


def test_hugging_face_prints_the_loss_beside_its_bar() -> None:
    newest = last(
        PrintedProgress(),
        " 10%|█         | 100/1000 [00:10<01:30,  9.95it/s]",
        "{'loss': 2.3, 'learning_rate': 4e-05, 'epoch': 0.5}",
        "  0%|          | 0/50 [00:00<?, ?it/s]",
        " 50%|█████     | 25/50 [00:01<00:01, 25.0it/s]",
        "{'eval_loss': 2.1, 'epoch': 0.5}",
        " 11%|█         | 110/1000 [00:11<01:30,  9.95it/s]",
    )
    assert (newest.step, newest.steps, newest.loss, newest.lr) == (110, 1000, 2.3, 4e-5)


def test_a_bar_for_each_epoch_and_one_for_all_epochs() -> None:
    printed = PrintedProgress()
    newest = last(
        printed,
        "Epochs:   0%|          | 0/3 [00:00<?, ?it/s]",
        "100%|██████████| 100/100 [00:10<00:00, 10.0it/s, loss=2.0]",
        "Epochs:  33%|███▎      | 1/3 [00:10<00:20, 10.0s/it]",
        " 20%|██        | 20/100 [00:02<00:08, 10.0it/s, loss=1.0]",
    )
    assert (newest.step, newest.steps, newest.loss) == (120, 300, 1.0)
    assert (newest.numbers["epoch_step"], newest.numbers["epoch_steps"]) == (20, 100)


def test_steps_count_on_over_lightnings_epochs() -> None:
    lines = [
        f"Epoch {epoch}: {step}%|█ | {step}/100 [00:01<00:10, 8.3it/s]"
        for epoch in (0, 1)
        for step in (50, 100)
    ]
    steps = [last(PrintedProgress(), *lines[: count + 1]).step for count in range(4)]
    assert steps == [50, 100, 150, 200]


def test_the_time_left_follows_from_the_pace_where_none_is_printed() -> None:
    newest = last(PrintedProgress(), "step 10/100 loss 3", "step 20/100 loss 2", "step 30/100 loss 1")
    assert newest.step_time == pytest.approx(0.2)
    assert newest.eta == pytest.approx(14.0)


def test_the_users_pattern_replaces_the_known_formats() -> None:
    printed = PrintedProgress(compile_pattern(r"it=(?P<step>\d+)\|(?P<steps>\d+) cost (?P<loss>\S+)"))
    newest = last(printed, "step 7/9 loss 9", "it=12|50 cost 0.25")
    assert (newest.step, newest.steps, newest.loss) == (12, 50, 0.25)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(", r"step \d+", r"(?P<stp>\d+)", r"(?P<lr>\d+)", r"(?P<step>\d+)(a+)+",
        r"((?:a|b)*c)* (?P<loss>.)",
        r"(?P<step>(\d){2,})", r"\\(?P<step>\d+)*", "(?P<step>" + "a" * 600 + ")",
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_used_is_rejected(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)
    assert compile_pattern(r"\(x\)+ (?P<step>\d+)(?:/(?P<steps>\d+))?")


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_read(data: bytes, cut: int) -> None:
    printed = PrintedProgress()
    for piece in (data[:cut], data[cut:], b"loss " + data + b" step " + data, b"12%|" + data + b"|"):
        printed.feed(piece, 1.0)
    printed.rest(2.0)


@pytest.mark.parametrize(
    "line",
    [
        b"step 1," * 140, b"loss: " * 160, "━".encode() * 330, b"12%|" * 240, b"epoch [" * 140,
        b"eta 1d 1h " * 99,
        b"{" * 900 + b"'loss': 1}", b"loss step epoch " * 60, b"loss " + b"1" * 980, b"step " + b"1," * 480,
        b"1/" * 450 + "━━━━━━".encode(), b"loss" + b" " * 980, b"a b c d " * 120 + b"loss",
    ],
)  # fmt: skip
def test_a_hostile_line_is_read_in_bounded_time(line: bytes) -> None:
    """A pattern with exponential cost would not come back before the test's time limit."""
    PrintedProgress().feed((line + b"\n") * 24, 1.0)


def test_only_the_end_of_a_flood_is_read() -> None:
    lines = b"".join(b"step %d/100000 loss 1.5\n" % number for number in range(5000))
    record = PrintedProgress().feed(lines, 1.0)
    assert record is not None
    assert record.step == 4999
