"""An unexpected error ends with one sentence that names a log file; no traceback reaches the user."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fleet.internal_errors import report_with
from fleet.preflight.observations import absent
from fleet.streams import contained
from tests.console.driving import until
from tests.console.fakes import console
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tests.support.terminal import Terminal
from tui.cli.exits import INTERNAL
from tui.i18n import Texts
from tui.internal_errors import LIMIT, NAME, InternalErrors

SECRET = "hunter2-of-a-local-variable"
#: A command that fails in a way that nobody foresaw.
BROKEN = f"""
import sys
import fleet.inventory
import tui.cli.options
def broken(args):
    password = "{SECRET}"
    raise {{error}}
tui.cli.options.inventory_of = broken
from tui.cli.main import main
raise SystemExit(main())
"""


def run(folder: Path, error: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN.replace("{error}", error), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=90,
    )


ERRORS = [
    "TypeError('wrong')",
    "RecursionError()",
    "MemoryError()",
    "KeyError('x')",
    "OSError(28, 'No space')",
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_command_ends_with_one_sentence(error: str, tmp_path: Path) -> None:
    (tmp_path / ".dtui").mkdir()
    done = run(tmp_path, error, "nodes", "--workers", SECRET)
    log = tmp_path / ".dtui" / NAME
    assert done.returncode == INTERNAL
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("dtui: internal error in dtui nodes: ")
    assert str(log) in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    text = log.read_text("utf-8")
    assert "Traceback (most recent call last)" in text
    assert SECRET not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_without_a_project_the_log_is_in_the_users_state_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "TypeError()", "nodes", "--lang", "ko")
    assert str(tmp_path / "state" / "dtui" / NAME) in done.stderr
    assert "내부 오류" in done.stderr


def test_a_log_that_can_not_be_written_is_said_in_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    done = run(tmp_path, "TypeError()", "nodes")
    assert done.returncode == INTERNAL
    assert "The log file cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ATTACKS)
def test_the_text_of_the_error_is_hostile(name: str, tmp_path: Path) -> None:
    (tmp_path / ".dtui").mkdir()
    sentence = InternalErrors(tmp_path).report(ValueError(ATTACKS[name]), "test")
    assert unsafe_in(sentence) == []
    assert "\n" not in sentence
    assert len(sentence) < 1000
    assert unsafe_in((tmp_path / ".dtui" / NAME).read_text("utf-8")) == []


def test_an_error_whose_text_fails_itself(tmp_path: Path) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    (tmp_path / ".dtui").mkdir()
    assert "Broken" in InternalErrors(tmp_path).report(Broken(), "test")


def test_the_log_is_bounded_and_rotated(tmp_path: Path) -> None:
    home = tmp_path / ".dtui"
    home.mkdir()
    errors = InternalErrors(tmp_path)
    for _ in range(60):
        errors.report(ValueError("x" * 100_000), "test")
    files = sorted(path.name for path in home.iterdir())
    assert files == [NAME, f"{NAME}.1"]
    assert all(path.stat().st_size <= LIMIT for path in home.iterdir())


@pytest.mark.needs("posix")  # where a flag of open() refuses links
def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    home, other = tmp_path / ".dtui", tmp_path / "other"
    home.mkdir()
    other.write_text("untouched")
    (home / NAME).symlink_to(other)
    assert "cannot be written" in InternalErrors(tmp_path).report(ValueError("x"), "test")
    assert other.read_text() == "untouched"


HOOKS = """
import asyncio, logging, sys, threading
from pathlib import Path
from tui.cli.output import err
from tui.cli.streams import prepare_streams
from tui.internal_errors import InternalErrors, install
prepare_streams()
install(InternalErrors(Path()), err)
thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start()
thread.join()
async def forgotten():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
async def fail():
    raise ValueError("never retrieved")
asyncio.run(forgotten())
logging.getLogger("library").error("told by a library")
raise RuntimeError("at the top")
"""


def test_threads_tasks_and_libraries_print_no_traceback(tmp_path: Path) -> None:
    (tmp_path / ".dtui").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", HOOKS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert "Traceback" not in done.stderr
    assert [line.split(":")[1].strip() for line in done.stderr.splitlines()] == [
        "internal error in thread worker",
        "internal error in start-up",
    ]
    text = (tmp_path / ".dtui" / NAME).read_text("utf-8")
    for word in ("ZeroDivisionError", "never retrieved", "told by a library", "at the top"):
        assert word in text


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """The log that fleet's internal errors are reported to."""
    (tmp_path / ".dtui").mkdir()
    errors = InternalErrors(tmp_path)
    report_with(errors.report)
    yield errors.path
    report_with(None)


async def test_a_fault_in_one_node_s_stream_names_the_log_in_both_languages(installed: Path) -> None:
    async def broken() -> AsyncIterator[str]:
        raise ZeroDivisionError("anything")
        yield

    (told,) = [text async for text in contained(broken(), "telemetry of gpu1", lambda what: [what])]
    assert told == (
        "internal error in telemetry of gpu1: ZeroDivisionError: anything. "
        f"Report it with the traceback in {installed}"
    )
    assert str(installed) in Texts("ko").translate(told)
    assert "Report it" not in Texts("ko").translate(told)
    assert "in broken" in installed.read_text("utf-8")


def test_a_fault_of_a_check_names_the_log(installed: Path) -> None:
    found = absent(KeyError("cores"), "the check `odd`")
    assert found.reason.endswith(f"Report it with the traceback in {installed}")


async def test_the_console_ends_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".dtui").mkdir()
    app = console("nodes_busy", errors=InternalErrors(tmp_path))

    def broken() -> None:
        password = SECRET
        raise TypeError("wrong" + password[:0])

    async def fail() -> None:
        async with app.run_test() as pilot:
            app.call_later(broken)
            await until(pilot, lambda: not app.is_running)

    with pytest.raises(TypeError, match="wrong"):
        await fail()
    assert app.return_code == INTERNAL
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert SECRET not in shown.out + shown.err + (tmp_path / ".dtui" / NAME).read_text("utf-8")


CHILD = """
import sys
from pathlib import Path
from tests.console.fakes import console
from tui.internal_errors import InternalErrors
app = console("nodes_busy", errors=InternalErrors(Path(sys.argv[1])))
def broken():
    password = "{secret}"
    raise TypeError("wrong")
app.call_later(app.set_timer, 0.5, broken)
app.run()
raise SystemExit(app.return_code)
"""


def test_the_console_in_a_terminal_leaves_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".dtui").mkdir()
    command = [sys.executable, "-c", CHILD.replace("{secret}", SECRET), str(tmp_path)]
    with Terminal(command, Path.cwd()) as terminal:
        assert terminal.to_the_end() == INTERNAL, terminal.written[-3000:]
        last = terminal.written.split(b"\x1b[?1049l")[-1].decode("utf-8")
    assert "internal error in the console: TypeError: wrong" in last
    assert "Traceback" not in last
    assert "╭" not in last
    assert SECRET not in last


def test_an_operation_that_fails_unexpectedly_names_the_log(tmp_path: Path) -> None:
    from tui.state.engine import Engine

    (tmp_path / ".dtui").mkdir()
    app = console("nodes_busy")
    engine = Engine(app.operations, clock=lambda: 1.0, errors=InternalErrors(tmp_path))
    engine._failed("deploy", TypeError("wrong"))
    text = engine.state.notices[-1].text
    assert text.startswith("internal error in deploy: TypeError: wrong")
    assert str(tmp_path / ".dtui" / NAME) in text
