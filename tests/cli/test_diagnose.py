"""``dtui diagnose`` on logs that dtui did not write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.cli import main

OWN = (
    "Traceback (most recent call last):\n  File \"train.py\", line 210, in main\n    x\nKeyError: 'caption'\n"
)
LOST = "RuntimeError: [gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:41823\n"
NOISE = "[W socket.cpp:697] [c10d] The client socket has failed to connect to [n]:2 (errno: 111 - refused).\n"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["diagnose", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert isinstance(said, dict)
    return said


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "rank0.log"


def test_the_programs_own_error_is_shown_and_no_cause_is_claimed(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_text(NOISE + OWN, "utf-8")
    said = told(capsys, str(log))
    assert (said["cause"], said["exception"]) == (None, "KeyError: 'caption'")
    assert (said["place"], said["function"]) == ("train.py:210", "main")


def test_how_the_program_ended_is_a_likely_cause(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text("step 12 loss 0.5\n", "utf-8")
    assert told(capsys, str(log))["rule"] is None
    said = told(capsys, str(log), "--exit-code=-9", "--platform", "linux")
    assert (said["rule"], said["confidence"]) == ("killed", "likely")
    assert told(capsys, str(log), "--exit-code=0")["rule"] is None


def test_of_several_ranks_the_one_that_did_not_only_lose_another_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text(LOST, "utf-8")
    (tmp_path / "b").write_text(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n", "utf-8"
    )
    said = told(capsys, str(tmp_path / "a"), str(tmp_path / "b"))
    assert (said["rank"], said["rule"]) == (1, "out-of-gpu-memory-program")


def test_the_system_is_found_in_the_text(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes('OSError: [WinError 1455] 页面文件太小 Error loading "C:\\x.dll"\r\n'.encode("utf-16"))
    assert told(capsys, str(log))["rule"] == "paging-file"


def test_the_output_of_uv_has_rules_of_its_own(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text("  × Failed to build `mysql-connector==2.2.9`\n", "utf-8")
    assert told(capsys, str(log), "--kind", "uv")["rule"] == "env-build"


def test_people_read_cause_place_and_next_step(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text(
        OWN.replace("KeyError: 'caption'", "ModuleNotFoundError: No module named 'einops'"), "utf-8"
    )
    assert main(["diagnose", str(log)]) == 0
    printed = capsys.readouterr().out
    for words in ("at train.py:210 in main", "cause: the package einops is not installed", "next: add it"):
        assert words in printed


def test_a_file_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", str(tmp_path / "none.log")]) == 2
    assert "cannot be read" in capsys.readouterr().err
