"""The cause of a failed run in Korean: translated part by part, also after it was stored and read again."""

from __future__ import annotations

import pytest

from agent.wire.message import Message, message
from fleet.diagnose import Context, Output, diagnose, load_rules
from fleet.event_json import from_json, to_json
from fleet.events import RankExited, RunFinished
from fleet.runs.progress import Progress
from fleet.runs.verdict import node_failure, rank_failure, verdict
from fleet.runs.watch_state import NodeEnded, WatchState
from tui.i18n import Texts

OUTPUT = "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB"
FOREIGN = [
    "RuntimeError: Connection refused",
    "OSError: [Errno 28] No space left on device",
    "ValueError: {0} {rank} {",
    "KeyError: 'no way from a to b'",
]


def korean(event: RunFinished) -> str:
    stored = from_json(to_json(event))
    assert isinstance(stored, RunFinished)
    assert stored.cause == event.cause
    return Texts("ko").translate(stored.cause)


def failed(code: int = 1) -> WatchState:
    watch_state = WatchState()
    watch_state.fail(rank_failure(RankExited(node="gpu1", run="r1", rank=1, code=code)))
    return watch_state


def test_a_known_failure_with_the_line_that_shows_it() -> None:
    found = diagnose([Output(OUTPUT, Context("linux", "trainer", 29500))], load_rules()).found
    assert korean(verdict("r1", Progress(), failed(), 0.0, found)) == (
        f"rank 1 (gpu1)이 종료 코드 1로 종료되었습니다: GPU 메모리가 가득 찼습니다 ({OUTPUT!r})"
    )


@pytest.mark.parametrize("exception", FOREIGN)
def test_an_exception_is_unchanged(exception: str) -> None:
    said = korean(verdict("r1", Progress(), failed(), 0.0, None, exception))
    assert said == f"rank 1 (gpu1)이 종료 코드 1로 종료되었습니다: {exception}"


@pytest.mark.parametrize(
    ("code", "exit_text"),
    [
        (-9, "signal 9 (SIGKILL)로"),
        (-99, "signal 99로"),
        (0xC0000017, "상태 0xC0000017 (메모리 부족)로"),
        (0xC0001234, "상태 0xC0001234로"),
    ],
)
def test_an_exit_code_in_words(code: int, exit_text: str) -> None:
    said = korean(verdict("r1", Progress(), failed(code), 0.0))
    assert said == f"rank 1 (gpu1)이 {exit_text} 종료되었습니다"


def test_the_error_of_a_node_is_translated_with_the_node_before_it() -> None:
    error = message("run.no-answer", "no answer within {seconds:duration}", seconds=5.0)
    watch_state = WatchState()
    ended = NodeEnded(node="gpu1", state="unreachable", error=error)
    failure = node_failure(ended, Progress(), now=0.0)
    assert failure is not None
    watch_state.fail(failure)
    assert korean(verdict("r1", Progress(), watch_state, 0.0)) == "gpu1: 5초 안에 응답이 없습니다"


def test_a_cause_of_an_earlier_version_is_shown_as_it_was_stored() -> None:
    line = '{"event": "RunFinished", "run": "r1", "outcome": "failed", "cause": "no space left on device"}'
    stored = from_json(line)
    assert isinstance(stored, RunFinished)
    assert (stored.cause, type(stored.cause)) == ("no space left on device", Message)
    assert Texts("ko").translate(stored.cause) == "no space left on device"
