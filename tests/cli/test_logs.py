"""``dtui logs`` of a recorded run: lines with gaps in their place, events, and bytes as they are."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.events import Event, LogChunk, RunFinished
from fleet.inventory import save_inventory
from fleet.runs.record.limits import RecordLimits
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
from tests.runs.fleets import inventory, plan_of
from tests.support.terminal import Terminal
from tui.cli.loglines import RankLines

#: Not UTF-8, with control sequences, a NUL, both kinds of line ends, and no line feed at its end.
RAW = b"\x1b]0;title\x07\xff\xfe\x00one\r\ntwo\n\x1b[31mthree"


def chunk(rank: int, offset: int, data: bytes) -> LogChunk:
    return LogChunk(node=f"gpu{rank}", run="run-1", rank=rank, offset=offset, data=data)


def recorded(tmp_path: Path, *events: Event, limits: RecordLimits | None = None) -> Path:
    """Return a project with the record of a run that has ended."""
    made = inventory(tmp_path, "", master=1, gpu1=1)
    store = RunStore(made.project / ".dtui", "run-1")
    store.create(plan_of(made))
    with Recorder(store, limits) as recorder:
        for event in (*events, RunFinished(run="run-1", outcome="succeeded")):
            recorder.write(event)
    (made.project / "configs").mkdir()
    save_inventory(made, made.project / "configs" / "nodes.yaml")
    return made.project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return recorded(
        tmp_path,
        chunk(0, 0, b"first\nunfini"),
        chunk(1, 0, RAW[:20]),
        chunk(0, 1_000_012, b"later\n"),
        chunk(1, 20, RAW[20:]),
    )


def logs(project: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tui", "logs", *words],
        cwd=project, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def test_a_gap_is_a_line_in_its_place_of_the_output(project: Path) -> None:
    done = logs(project, "--rank", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == [
        "gpu0 rank 0 | first",
        "gpu0 rank 0 | unfini",
        "gpu0 rank 0 | [dtui: 1000000 bytes not recorded]",
        "gpu0 rank 0 | later",
    ]
    assert b"rank 0: 1000000 bytes not recorded" in done.stderr


def test_as_json_a_notice_stands_where_the_gap_is(project: Path) -> None:
    done = logs(project, "--rank", "0", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    at = next(number for number, event in enumerate(told) if "not recorded" in str(event.get("text", "")))
    gap = "rank 0: 1000000 bytes not recorded (bytes 12 to 1000012 of its output)"
    assert told[at]["text"]["text"] == gap
    assert base64.b64decode(told[at - 1]["data"]) == b"first\nunfini"
    assert (told[at + 1]["offset"], base64.b64decode(told[at + 1]["data"])) == (1_000_012, b"later\n")


def test_a_log_whose_beginning_is_gone_begins_with_the_gap() -> None:
    lines = RankLines()
    assert [line.text for line in lines.feed(chunk(3, 500, b""))] == [
        "gpu3 rank 3 | [dtui: 500 bytes not recorded]"
    ]
    assert [line.text for line in lines.feed(chunk(3, 500, b"a\n"))] == ["gpu3 rank 3 | a"]


def test_output_that_is_read_from_its_middle_has_no_gap() -> None:
    lines = RankLines()
    assert [line.text for line in lines.feed(chunk(0, 500, b"a\n"))] == ["gpu0 rank 0 | a"]
    # A log that was cut short on the node is read again from its beginning.
    assert [line.text for line in lines.feed(chunk(0, 0, b"b\n"))] == ["gpu0 rank 0 | b"]


def test_raw_copies_exactly_the_bytes_to_a_pipe(project: Path) -> None:
    done = logs(project, "--raw", "--rank", "1")
    assert (done.returncode, done.stdout) == (0, RAW)


def test_raw_refuses_a_terminal_and_writes_no_byte_of_the_log(project: Path) -> None:
    with Terminal([sys.executable, "-m", "tui", "logs", "--raw", "--rank", "1"], project) as terminal:
        assert terminal.to_the_end() == 2
        assert b"--raw also copies control sequences" in terminal.written
        assert b"title" not in terminal.written
        assert b"three" not in terminal.written


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--raw"], "--raw copies the log of one rank"),
        (["--raw", "--rank", "0", "--rank", "1"], "--raw copies the log of one rank"),
        (["--raw", "--rank", "0", "--json"], "--raw and --json exclude each other"),
    ],
)
def test_raw_is_of_one_rank_and_no_json(project: Path, words: list[str], told: str) -> None:
    done = logs(project, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr.decode()
