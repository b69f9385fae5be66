"""Starting a process that outlives its session, by whichever method brings it up."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.detach import NotDetached, cim_script, detach, task_definition
from agent.processes import end, identify
from tests.runs.fleets import wait_until

PROGRAM = """
import os, pathlib, sys, time
place = pathlib.Path(sys.argv[1])
place.with_suffix(".new").write_text(f"{os.getpid()} {os.getsid(0)} {os.readlink('/proc/self/fd/1')}")
place.with_suffix(".new").rename(place)
time.sleep(100)
"""


def test_a_session_of_its_own_without_our_pipes(tmp_path: Path) -> None:
    started = tmp_path / "started"
    outcome = detach(
        [sys.executable, "-c", PROGRAM, str(started)], folder=str(tmp_path), name="x", started=str(started)
    )
    pid, session, stdout = started.read_text().split()
    who = identify(int(pid))
    assert who is not None
    end([who], timeout=0.0)
    assert outcome == ("session", [])
    assert session == pid
    assert stdout == os.devnull


def test_a_launcher_that_says_yes_and_starts_nothing_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Wine's powershell does: exit status 0 and no word."""
    stub = tmp_path / "powershell"
    stub.write_text('#!/bin/sh\nfor word; do last=$word; done\necho "$last" > "$0.asked"\n')
    stub.chmod(0o755)
    tasks = tmp_path / "schtasks"
    tasks.write_text("#!/bin/sh\necho denied\nexit 5\n")
    tasks.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    started = tmp_path / "started"
    outcome = detach(
        [sys.executable, "-c", PROGRAM, str(started)],
        folder=str(tmp_path),
        name="x",
        started=str(started),
        methods=("cim", "task", "session"),
    )
    who = identify(int(wait_until(started.read_text).split()[0]))
    assert who is not None
    end([who], timeout=0.0)
    assert outcome.method == "session"
    assert outcome.tried == [
        "cim: powershell did not confirm the start of a process",
        "task: schtasks ended with status 5: denied",
    ]
    asked = base64.b64decode((tmp_path / "powershell.asked").read_text()).decode("utf-16-le")
    assert "Win32_Process" in asked
    assert str(started) in asked
    assert not (tmp_path / "task.xml").exists()


def test_when_nothing_comes_up_every_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotDetached, match="session: no process started within 0 s"):
        detach(
            [sys.executable, "-c", ""],
            folder=str(tmp_path),
            name="x",
            started=str(tmp_path / "never"),
            timeout=0.1,
        )


def test_powershell_gets_words_with_blanks_and_quotes_whole() -> None:
    script = cim_script([r"C:\Program Files\Python\python.exe", "-I", r"C:\Kim's files\a.pyz"], r"C:\Kim's")
    assert r"""CommandLine = '"C:\Program Files\Python\python.exe" -I "C:\Kim''s files\a.pyz"'""" in script
    assert r"CurrentDirectory = 'C:\Kim''s'" in script


def test_a_scheduled_task_has_no_time_limit_and_runs_on_battery() -> None:
    text = task_definition([r"C:\py & co\python.exe", "-I", "한글 <폴더>"], r"C:\x")
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    task = ElementTree.fromstring(text.split("\n", 1)[1])
    values = {element.tag.removeprefix(space): element.text for element in task.iter()}
    assert values["Command"] == r"C:\py & co\python.exe"
    assert values["Arguments"] == '-I "한글 <폴더>"'
    assert values["ExecutionTimeLimit"] == "PT0S"
    assert values["DisallowStartIfOnBatteries"] == values["StopIfGoingOnBatteries"] == "false"
