"""A program in a pty, and every byte that it writes to its terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pyte

ROWS, COLUMNS = 40, 150
DEADLINE = 180.0
#: What dtui itself sends that is no text: CSI sequences, mode changes, the mouse pointer's shape (OSC 22).
_OWN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]|\x1b\]22;[a-z-]*\x07|\x1bP=[12]s\x1b\\|\x1b\(B")


class Terminal:
    """Starts the command at once; ends it with the ``with`` block."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str] = {}) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color", **environment}
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self.written = b""
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def until(self, text: str) -> None:
        """Read until the screen shows the text."""
        deadline = time.monotonic() + DEADLINE
        while text not in "\n".join(self.screen().display):
            assert time.monotonic() < deadline, "\n".join(self.screen().display)
            self._read(0.2)

    def show_every_screen(self) -> None:
        """Press the console's keys for its five screens, and wait for each."""
        screens = (("2", "Preflight"), ("3", "Deploy"), ("4", "Monitor"), ("5", "Runs"), ("1", "Nodes"))
        for key, shown in screens:
            self.press(key)
            self.until(shown)

    def read_for(self, seconds: float) -> None:
        """Read what the program writes in this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.2)

    def assert_untouched(self) -> None:
        """Check that clipboard and title are as they were, and that no foreign sequence was written."""
        assert self.foreign_controls() == []
        assert b"\x1b]52" not in self.written
        assert self.screen().title == ""

    def to_the_end(self) -> int:
        """Read until the program ends; returns its exit status."""
        deadline = time.monotonic() + DEADLINE
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < deadline, self.written[-2000:]
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.written += data
        return bool(data)

    def screen(self) -> pyte.Screen:
        """Return what an emulated terminal shows, and which title it has, after all that was written."""
        # pyte takes the parameters of private modes that it does not know for a cursor's.
        # Of OSC 22, which names the shape of the mouse pointer, it makes a title.
        unknown = rb"\x1b\[[<>=?][0-?]*[ -/]*[@-~]|\x1bP=[12]s\x1b\\|\x1b\]22;[a-z-]*\x07"
        new = self.written[self._fed :]
        # A sequence may have arrived in part: it waits for the rest.
        start = new.rfind(b"\x1b", max(0, len(new) - 64))
        if start >= 0 and _OWN.match(new, start) is None:
            new = new[:start]
        self._fed += len(new)
        self._stream.feed(re.sub(unknown, b"", new))
        return self._screen

    def foreign_controls(self) -> list[bytes]:
        """Return the control characters and sequences that are not dtui's own."""
        # The last sequence may have been read in part.
        whole = re.sub(rb"\x1b(?:\[[0-?]*[ -/]*)?$", b"", self.written)
        rest = _OWN.sub(b"", whole)
        return re.findall(rb"\x1b.{0,20}|\xc2[\x80-\x9f]|[\x00-\x07\x0b\x0c\x0e-\x1a\x7f]", rest)
