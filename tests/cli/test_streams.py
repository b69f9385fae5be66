"""Programs that read what dtui writes get UTF-8, whatever code page the machine has."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

#: A Korean Windows' code page, one of Western Europe, and none at all.
CODE_PAGES = ("cp949", "cp1252", "ascii")
SIGNS = "from tui.cli.streams import prepare_streams; prepare_streams(); print(chr(0x2713), 'ok')"


def start(folder: Path, encoding: str, *words: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": f"{encoding}:strict"},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_a_pipe_gets_utf8(encoding: str, tmp_path: Path) -> None:
    done = start(tmp_path, encoding, "-m", "tui", "doctor", stdout=subprocess.PIPE)
    assert "✓ ok" in done.stdout.decode("utf-8")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_a_terminal_that_lacks_a_sign_gets_its_number(encoding: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = start(tmp_path, encoding, "-c", SIGNS, stdout=theirs)
        shown = os.read(ours, 4096)
    finally:
        os.close(theirs)
        os.close(ours)
    assert (done.returncode, shown) == (0, b"\\u2713 ok\r\n")
