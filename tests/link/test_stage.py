"""The first stage ends Python whatever happens, so that nothing after it on its input is executed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet.link.bootstrap import STAGE_ONE, STAGE_ONE_UNQUOTED
from fleet.link.bundle import _guarded, pack_agent

WAYS = pytest.mark.parametrize("stage", [STAGE_ONE, STAGE_ONE_UNQUOTED], ids=["-c", "-i"])
NEXT = b"print(6 * 7)\n"


def run(words: tuple[str, ...], text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *words], input=text, capture_output=True, timeout=60)


@WAYS
@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "1 / 0",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "import sys; sys.stdout.close()",
        "(",
        "raise GeneratorExit",
    ],
)
def test_what_follows_a_stage_is_not_executed(program: str, stage: tuple[str, ...]) -> None:
    assert b"42" not in run(stage, _guarded(program).encode() + NEXT).stdout


def test_the_prompt_would_execute_it() -> None:
    assert b"42" in run(STAGE_ONE_UNQUOTED, b"exec('1 / 0')\n" + NEXT).stdout


@WAYS
def test_half_an_archive_is_not_executed(
    stage: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bundle = pack_agent()
    ended = run(stage, bundle.stage + NEXT * 10)
    assert b"DTUI1 need" in ended.stdout
    assert b"DTUI1 damaged" in ended.stdout
    assert b"42" not in ended.stdout


def test_an_error_of_the_stage_is_shown() -> None:
    assert b"ZeroDivisionError" in run(STAGE_ONE, _guarded("1 / 0").encode()).stderr
    assert run(STAGE_ONE, _guarded("raise SystemExit('no folder')").encode()).stderr == b"no folder\n"
