"""A person at a terminal: keys go into a tmux pane, and what its screen shows is read back."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

#: A shell that waits for a command, root's or not, with nothing below.
PROMPT = r"[#$]\s*\Z"
#: Seconds in which a screen must show what is waited for; a shared machine may be slow.
DEADLINE = 180.0


class Tmux:
    """A shell in a pane of a tmux server of its own, which ends with the ``with`` block."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, columns: int, rows: int) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment, "LC_ALL": "C.UTF-8"}
        # A session started from inside a tmux must not ask that one.
        self._environment.pop("TMUX", None)
        self._size = (columns, rows)

    def __enter__(self) -> Tmux:
        columns, rows = self._size
        with ExitStack() as cleanup:
            # Not in the test's folder: the path of a socket has to be short.
            self._environment["TMUX_TMPDIR"] = cleanup.enter_context(TemporaryDirectory(prefix="tmux-"))
            self._tmux(
                "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(self._folder), "sh"
            )
            cleanup.callback(self._tmux, "kill-server")
            self.until(PROMPT)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def press(self, *keys: str) -> None:
        """Press keys, each named as tmux names it: ``Enter``, ``Tab``, ``C-s``, ``/``."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text, letter by letter."""
        self._tmux("send-keys", "-l", text)

    def enter(self, text: str) -> None:
        """Type a text and press Enter."""
        self.type(text)
        self.press("Enter")

    def screen(self) -> str:
        """Return what is on the screen, line by line."""
        return self._tmux("capture-pane", "-p")

    def until(self, pattern: str, *, gone: bool = False) -> str:
        """Wait until the screen shows a match of ``pattern`` (or, ``gone``, none); returns the screen."""
        deadline = time.monotonic() + DEADLINE
        while bool(re.search(pattern, screen := self.screen())) is gone:
            assert time.monotonic() < deadline, f"{'still' if gone else 'no'} {pattern!r} on\n{screen}"
            time.sleep(0.05)
        return screen

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-f", "/dev/null", *words]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
