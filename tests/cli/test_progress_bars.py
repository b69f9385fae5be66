"""A rank's progress bar is seen while it moves: live on a terminal, now and then in a pipe."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from fleet.events import LogChunk
from tests.support.terminal import Terminal
from tui.cli.printing import PlainPrinter

LIVE = """
import sys, termios
mode = termios.tcgetattr(0)
mode[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, mode)
from fleet.events import LogChunk
from tui.cli.live import LivePrinter
printer, offsets = LivePrinter(), {}
def write(rank, text):
    data = text.encode()
    offset = offsets.get(rank, 0)
    offsets[rank] = offset + len(data)
    printer.emit(LogChunk(node="gpu1", run="r", rank=rank, offset=offset, data=data))
print("ready", flush=True)
for line in sys.stdin:
    rank, _, text = line.rstrip("\\n").partition(" ")
    if rank == "end":
        break
    write(int(rank), text.encode().decode("unicode_escape"))
printer.close()
"""


def test_bars_are_live_below_the_finished_lines(tmp_path: Path) -> None:
    with Terminal([sys.executable, "-c", LIVE], tmp_path, {"PYTHONPATH": str(Path.cwd())}) as terminal:
        terminal.until("ready")
        terminal.press("0 \\r10%|#         | 1/10\n")
        terminal.until("gpu1 rank 0 | 10%|#         | 1/10")
        terminal.press("1 \\r70%|#######   | 7/10\n")
        terminal.until("gpu1 rank 1 | 70%")
        terminal.press("0 \\r20%|##        | 2/10\n")
        terminal.until("gpu1 rank 0 | 20%")
        shown = "\n".join(terminal.screen().display)
        assert "| 10%" not in shown
        terminal.press("0 \\rdone\\nnext\\n\n")
        terminal.until("gpu1 rank 0 | next")
        terminal.until("gpu1 rank 1 | 70%")
        terminal.press("end\n")
        assert terminal.to_the_end() == 0
        shown = "\n".join(terminal.screen().display)
    assert "gpu1 rank 0 | done" in shown
    assert "gpu1 rank 0 | 20%" not in shown
    assert terminal.foreign_controls() == []


def test_in_a_pipe_a_bar_appears_once_and_its_end_always() -> None:
    data = io.StringIO()
    with PlainPrinter(data=data, narration=io.StringIO()) as printer:
        offset = 0
        for step in range(100):
            text = f"\r{step}%".encode()
            printer.emit(LogChunk(node="gpu1", run="r", rank=0, offset=offset, data=text))
            offset += len(text)
        printer.emit(LogChunk(node="gpu1", run="r", rank=0, offset=offset, data=b"\r100%\n"))
    assert data.getvalue().splitlines() == ["gpu1 rank 0 | 0%", "gpu1 rank 0 | 100%"]
