"""The Windows under Wine behaves as login services and programs on Windows do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.wine.machine import COMSPEC, RELEASES, WindowsMachine
from lab.wine.process import Mode, WineProcess
from lab.wine.pythons import WindowsPython

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]

#: Starts a child that writes on for a minute, then waits for the end of its own input.
PARENT = r"""
import os, subprocess, sys, time
flags = int(sys.argv[1], 0)
child = "import sys, time\nfor _ in range(600):\n sys.stdout.write('.'); sys.stdout.flush(); time.sleep(0.1)"
out = open(sys.argv[2], 'wb')
subprocess.Popen([sys.executable, '-c', child], creationflags=flags, stdin=-3, stdout=out, stderr=-3)
while not os.path.getsize(sys.argv[2]):
    time.sleep(0.01)
print('started', flush=True)
sys.stdin.read()
"""
DETACHED, NEW_GROUP, BREAKAWAY = 0x8, 0x200, 0x01000000


def run(machine: WindowsMachine, line: str, mode: Mode = "winrm", **variables: str) -> WineProcess:
    return machine.run(mode, line, variables=variables, folder="C:\\")


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_python_runs_with_pipes_and_full_exit_codes(machine: WindowsMachine, release: WindowsPython) -> None:
    say = "sys.stdout.write(sys.version.split()[0] + sys.stdin.read()); sys.stderr.write('e')"
    process = run(machine, f'{machine.python(release)} -I -c "import sys; {say}; sys.exit(70000)"')
    process.stdin.write(b" in")
    process.stdin.close()
    assert process.stdout.read() == f"{release.version} in".encode()
    assert process.stderr.read() == b"e"
    assert process.wait() == 70000


def test_a_login_has_its_own_variables(machine: WindowsMachine) -> None:
    process = run(machine, f"{COMSPEC} /c echo %USERPROFILE% %TEMP%", USERPROFILE="C:\\lab\\x", TEMP="C:\\t")
    assert process.stdout.read() == b"C:\\lab\\x C:\\t\r\n"


def test_a_missing_program_fails(machine: WindowsMachine) -> None:
    process = run(machine, f'{COMSPEC} /c "no-such-program"')
    assert b"no-such-program" in process.stdout.read() + process.stderr.read()
    assert process.wait() != 0


@pytest.mark.parametrize("mode", ["ssh", "winrm"])
@pytest.mark.parametrize(("flags", "survives"), [(DETACHED | NEW_GROUP, False), (DETACHED | BREAKAWAY, True)])
def test_only_a_child_that_breaks_away_outlives_the_session(
    machine: WindowsMachine, mode: Mode, flags: int, survives: bool
) -> None:
    script = machine.drive / "parent.py"
    script.write_text(PARENT)
    beat = machine.drive / f"beat-{mode}-{flags}"
    line = f"{machine.python()} C:\\parent.py {flags} C:\\{beat.name}"
    process = run(machine, f'{COMSPEC} /c "{line}"', mode)
    assert process.stdout.readline() == b"started\r\n"
    if mode == "winrm":
        process.kill_tree()
    else:
        process.stdin.close()
    process.wait()
    assert _grows(beat) == survives


def test_a_lost_ssh_client_ends_nothing(machine: WindowsMachine) -> None:
    """Killing the launcher, as losing the connection, leaves the job to the command itself."""
    script = machine.drive / "parent.py"
    script.write_text(PARENT)
    beat = machine.drive / "beat-lost"
    process = run(
        machine, f'{COMSPEC} /c "{machine.python()} C:\\parent.py {DETACHED} C:\\{beat.name}"', "ssh"
    )
    assert process.stdout.readline() == b"started\r\n"
    process.kill_tree()
    assert _grows(beat)


def test_an_open_file_is_locked(machine: WindowsMachine) -> None:
    code = "import os; f = open('C:/held', 'w'); os.remove('C:/held')"
    process = run(machine, f'{machine.python()} -I -c "{code}"')
    assert b"WinError 32" in process.stderr.read()


def test_a_korean_machine_writes_its_own_code_page(korean: WindowsMachine) -> None:
    process = run(korean, f'{korean.python()} -I -c "print(chr(0xd55c) + chr(0xae00))"')
    assert process.stdout.read() == "한글\r\n".encode("cp949")


def test_paths_are_found_whatever_their_case(machine: WindowsMachine) -> None:
    assert machine.path(r"c:\WINDOWS\System32\CMD.EXE").is_file()


def _grows(file: Path) -> bool:
    """Whether something still writes, which it would ten times within this second."""
    size = file.stat().st_size
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if file.stat().st_size > size:
            return True
        time.sleep(0.02)
    return False
