"""The command line tells a person in Korean what fleet says; programs read the same as ever."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.events import CheckFinished, Event, RankPhase, RunFinished
from tui.cli.printing import JsonPrinter, PlainPrinter
from tui.i18n import Texts

CHECK = CheckFinished(
    node="gpu1", check="disk", status="warn",
    seen="200 MB free at /data: checkpoints and logs need some, too", remedy="free some space",
)  # fmt: skip
ENDED = RunFinished(
    run="r-1", outcome="failed",
    cause="rank 1 (gpu1) ended with exit code 1: the GPU's memory is full ('CUDA out of memory; see above')",
    remedy="see the end of rank 1's log",
)  # fmt: skip


def narrated(lang: str, *events: Event) -> str:
    narration = io.StringIO()
    with PlainPrinter(narration=narration, texts=Texts(lang)) as printer:
        for event in events:
            printer.emit(event)
    return narration.getvalue()


def test_events_are_told_in_korean():
    phase = RankPhase(node="gpu1", run="r-1", rank=1, phase="training")
    assert narrated("ko", phase) == "· gpu1: rank 1: 훈련 중\n"
    assert narrated("ko", CHECK, ENDED) == (
        "! gpu1: disk: /data에 200 MB 남음: 체크포인트와 로그에도 공간이 필요합니다\n"
        "    -> 공간을 비우세요\n"
        "✗ 실행 r-1 실패: rank 1 (gpu1)이 종료 코드 1로 끝났습니다: GPU 메모리가 가득 찼습니다 "
        "('CUDA out of memory; see above')\n"
        "    -> rank 1의 로그 끝을 보세요\n"
    )


def test_english_is_told_unless_asked_otherwise():
    assert narrated("en", CHECK).startswith(
        "! gpu1: disk: 200 MB free at /data: checkpoints and logs need some, too"
    )


def test_json_is_english(capsys: pytest.CaptureFixture[str]):
    JsonPrinter().emit(ENDED)
    assert json.loads(capsys.readouterr().out)["cause"] == ENDED.cause


def dtui(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["preflight", "--list", "--lang", "ko"],
        ["--lang", "ko", "preflight", "--list"],
    ],
)
def test_the_language_may_stand_before_the_command_or_behind_it(words: list[str], tmp_path: Path):
    done = dtui(tmp_path, *words)
    assert done.returncode == 0
    assert "GPU마다 rank가 하나입니다" in done.stdout


def test_an_error_is_told_in_korean(tmp_path: Path):
    done = dtui(tmp_path, "status", "--lang", "ko", "--workers", "127.0.0.1")
    assert done.returncode == 2
    assert done.stderr == f"dtui: {tmp_path}에서 시작한 훈련이 아직 없습니다 (dtui up)\n"
