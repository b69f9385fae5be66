"""A closed console window of Windows and Ctrl-Break end a command like Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tui.cli.interruption import ClosedWindow

ROOT = Path(__file__).parent.parent.parent
#: Waits for the end of a program that gets the signal named in its argument from itself.
PROGRAM = """
import signal, sys, threading
sys.path.insert(0, sys.argv[2])
from tui.cli.interruption import end_as_interrupted
signal.signal(getattr(signal, sys.argv[1]), signal.SIG_DFL)  # nohup has programs ignore SIGHUP
end_as_interrupted()
try:
    signal.raise_signal(getattr(signal, sys.argv[1]))
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("cleaned up")
"""


@pytest.mark.parametrize("event", [2, 5, 6])
def test_the_system_waits_until_the_command_has_cleaned_up(event: int) -> None:
    interrupted = threading.Event()
    window = ClosedWindow(interrupted.set, seconds=60)
    handled: list[bool] = []
    system = threading.Thread(target=lambda: handled.append(window.handle(event)))
    system.start()
    assert interrupted.wait(60)
    assert handled == [], "Windows would end the process now"
    window.end()
    system.join(60)
    assert handled == [True]


def test_a_command_that_does_not_end_is_not_waited_for() -> None:
    assert ClosedWindow(lambda: None, seconds=0.01).handle(2)


@pytest.mark.parametrize("event", [0, 1])
def test_ctrl_c_and_ctrl_break_are_left_to_python(event: int) -> None:
    def unexpected() -> None:
        raise AssertionError

    assert not ClosedWindow(unexpected).handle(event)


@pytest.mark.needs("posix")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_is_an_interruption(name: str) -> None:
    words = [sys.executable, "-c", PROGRAM, name, str(ROOT)]
    assert (
        subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout
        == "cleaned up\n"
    )
