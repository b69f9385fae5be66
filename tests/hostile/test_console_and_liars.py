"""The live console in a terminal beside a compromised node: whole, small, and still watching the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.hostile.lying_agent import Lies
from tests.hostile.test_lying_agents import place
from tests.support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 200 << 20

LIES = [
    Lies("escape"),
    Lies("fail", "probe"),
    Lies("flood", "telemetry"),
    Lies("replace", "telemetry", ["sample", "gpus"], "nested"),
    Lies("replace", "probe", ["os", "name"], "object"),
    Lies("exit", "telemetry"),
]


def in_use(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


@pytest.mark.parametrize(
    "lies",
    [pytest.param(lies, marks=() if lies.mode in ("escape", "flood") else pytest.mark.full) for lies in LIES],
    ids=lambda lies: f"{lies.mode}-{lies.op or 'all'}-{lies.value}",
)
def test_the_console_stays_whole(lies: Lies, tmp_path: Path) -> None:
    home = place(tmp_path / "home", lies)
    environment = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with Terminal([sys.executable, "-m", "tui"], home, environment) as terminal:
        terminal.until("honest")
        terminal.until("no GPU")  # the honest node's facts are there, whatever the other one does
        before = in_use(terminal.process.pid)
        terminal.show_every_screen()
        # What the console has read in this time is what a flood could have filled.
        terminal.read_for(float(os.environ.get("DTUI_HOSTILE_SECONDS", "5")))
        terminal.until("honest")
        assert terminal.process.poll() is None, terminal.written[-2000:]
        assert in_use(terminal.process.pid) < before + MEMORY
        terminal.assert_untouched()
        assert b"Traceback" not in terminal.written
        terminal.press("\x03")
