"""Console and commands in a terminal on hostile data: clipboard, title and screen are untouched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire.message import Message
from fleet.event_json import to_json
from fleet.events import Event, LogChunk, NodeDeployed, Notice, RankPhase, RunFinished
from tests.hostile.terminal.hostile_events import ALL, hostile
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tests.support.terminal import Terminal
from tui.cli.printers import make_printer
from tui.i18n import Texts

RECORDINGS = ["nodes_error", "preflight_error", "deploy_error", "monitor_error"]


def check(terminal: Terminal) -> None:
    terminal.assert_untouched()
    text = terminal.written.decode("utf-8", "replace")
    assert not {"U+202E", "U+200B", "U+2066", "U+E0041", "U+009B"} & set(unsafe_in(text))


@pytest.mark.parametrize("recording", ["nodes_error", "monitor_error"])
def test_the_console_in_a_terminal(recording: str, tmp_path: Path) -> None:
    mode = recording.partition("_")[0]
    command = [sys.executable, "-m", "tests.hostile.terminal.console_child", recording, mode]
    with Terminal(command, Path.cwd(), {"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.until("HARM")
        terminal.show_every_screen()
        check(terminal)
        terminal.press("\x03")


def log_of(attack: str) -> Event:
    data = f"{attack}\nafter\n".encode("utf-8", "surrogatepass")
    return LogChunk(run="r", rank=0, node=attack, offset=0, data=data, at=1.0)


PRINT = """
import sys
from fleet.event_json import from_json
from fleet.events import LogChunk
from tests.hostile.terminal.hostile_events import ALL, hostile
from tests.hostile.terminal.test_pty import log_of
from tui.cli.printers import make_printer
from tui.cli.streams import prepare_streams
from tui.i18n import Texts
prepare_streams()
with make_printer(json="--json" in sys.argv, texts=Texts(sys.argv[1]), every_check=True) as printer:
    for name in sys.argv[2].split(","):
        for event in hostile(name):
            printer.emit(event)
    printer.emit(log_of(ALL))
print(ALL)
print(ALL, file=sys.stderr)
"""


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_event_in_a_terminal(recording: str, lang: str) -> None:
    with Terminal([sys.executable, "-c", PRINT, lang, recording], Path.cwd()) as terminal:
        assert terminal.to_the_end() == 0, terminal.written[-2000:]
        assert b"HARM" in terminal.written
        check(terminal)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_event_in_a_pipe(recording: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT, "en", recording], capture_output=True, check=True, timeout=90
    )
    for text in (done.stdout.decode(), done.stderr.decode()):
        assert unsafe_in(text) == []
        assert "HARM" in text


@pytest.mark.parametrize("move", ["\r", "\r\x1b[2K", "\b" * 80, "\n", "\r\n", "\x85", "\u2028", "\x1b[A\r"])
def test_an_event_cannot_imitate_a_message_of_dtui(move: str, capsys: pytest.CaptureFixture[str]) -> None:
    forged = f"{move}✓ run r succeeded"
    events = (
        RankPhase(node="gpu1", run="r", rank=0, phase=forged, at=1.0),
        Notice(node="gpu1", level="warning", text=Message(forged), remedy=Message(forged)),
        RunFinished(run="r", outcome="failed", cause=Message(forged)),
        NodeDeployed(node="gpu1", ok=False, detail=Message(forged), files_sent=0, bytes_sent=0),
    )
    with make_printer(json=False, texts=Texts(), every_check=True) as printer:
        for event in events:
            printer.emit(event)
    lines = capsys.readouterr().err.splitlines()
    assert sum("✓ run r succeeded" in line for line in lines) >= len(events)
    assert not [line for line in lines if line.startswith("✓")]


def test_json_is_ascii_and_decodes_to_the_exact_value() -> None:
    command = [
        sys.executable,
        "-c",
        PRINT.replace("print(ALL)", ""),
        "en",
        "nodes_error,monitor_error",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, check=True, timeout=90)
    lines = done.stdout.decode("ascii").splitlines()
    expected = [*hostile("nodes_error"), *hostile("monitor_error"), log_of(ALL)]
    assert [json.loads(line) for line in lines] == [json.loads(to_json(event)) for event in expected]


@pytest.mark.parametrize("name", ["surrogate", "bidi", "clipboard", "tags", "separators"])
def test_json_text_survives_exactly(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tui.cli.output import out_json, write_json

    write_json({"text": ATTACKS[name]})
    out_json(json.dumps({"text": ATTACKS[name]}, ensure_ascii=False))
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert [json.loads(line)["text"] for line in lines] == [ATTACKS[name]] * 2


@pytest.mark.parametrize(
    "name", [name for name in ATTACKS if name not in ("NUL and BEL", "surrogate", "long")]
)
def test_a_hostile_inventory_is_refused_in_safe_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    quoted = json.dumps(ATTACKS[name])
    text = f"nodes:\n  - name: gpu1\n    address: 127.0.0.1\n    {quoted}: 1\n"
    (tmp_path / "configs" / "nodes.yaml").write_text(text, "utf-8")
    with dtui(tmp_path, "nodes", "--offline") as terminal:
        assert terminal.to_the_end() == 2, terminal.written[-2000:]
        check(terminal)


@pytest.mark.parametrize(
    "words",
    [
        ["nodes", "--workers", "127.0.0.1", "--offline", "--on", ALL],
        ["nodes", "--inventory", ALL],
        ["nodes", "--nonsense", ALL],
        ["logs", "--workers", "127.0.0.1", ALL],
        [ALL],
    ],
)
def test_a_hostile_argument_is_quoted_in_safe_words(words: list[str], tmp_path: Path) -> None:
    words = [word.replace("\0", "") for word in words]
    with dtui(tmp_path, *words) as terminal:
        assert terminal.to_the_end() != 0
        check(terminal)


def dtui(folder: Path, *words: str) -> Terminal:
    environment = {"PYTHONPATH": str(Path.cwd()), "XDG_STATE_HOME": str(folder / "state")}
    return Terminal([sys.executable, "-m", "tui", *words], folder, environment)
