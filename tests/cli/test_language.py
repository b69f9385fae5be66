"""The command line in Korean: narration, help, errors and tables; JSON stays the same."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from agent.wire.message import Message, message
from fleet.events import (
    CheckFinished,
    CopyProgressed,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    NodeDeployed,
    PlanDrawn,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunPlanned,
)
from tui.cli.columns import aligned
from tui.cli.main import COMMANDS, build_parser, requested_language
from tui.cli.narrate import narration_of
from tui.cli.parser import argparse_texts
from tui.cli.printing import JsonPrinter, PlainPrinter
from tui.i18n import Texts

BUSY = message("agent.busy", "{count} requests are running already", count=3)
LATER = message("agent.busy.remedy", "try again later")
CHECK = CheckFinished(node="gpu1", check="disk", status="warn", seen=BUSY, remedy=LATER)
ENDED = RunFinished(run="r-1", outcome="failed", cause=BUSY, remedy=LATER)
#: Those whose text is dtui's own, one of each variant.
EVENTS: tuple[Event, ...] = (
    LinkChanged(node="gpu1", state="up", transport="ssh"),
    LinkChanged(node="gpu1", state="up", transport="ssh", latency_ms=0.4),
    CopyProgressed(node="gpu1", files_done=0, files_total=1, bytes_done=0, bytes_total=1),
    CopyProgressed(node="gpu1", files_done=0, files_total=1, bytes_done=0, bytes_total=1, eta=1.0),
    FileChange(node="gpu1", path="a", action="add", size=1),
    FileChange(node="gpu1", path="a", action="replace", size=1),
    FileChange(node="gpu1", path="a", action="delete", size=1),
    NodeDeployed(node="gpu1", ok=True),
    NodeDeployed(node="gpu1", ok=True, files_sent=1, bytes_sent=1),
    NodeDeployed(node="gpu1", ok=False, detail=BUSY),
    RunPlanned(run="r", world_size=1, master_address="::1", master_port=1, ranks=()),
    RankStarted(node="gpu1", run="r", rank=0, pid=1),
    RankPhase(node="gpu1", run="r", rank=0, phase="joined"),
    RankExited(node="gpu1", run="r", rank=0, code=1),
    RankExited(node="gpu1", run="r", rank=0, code=1, stopped=True),
    *(
        RunFinished(run="r", outcome=outcome, cause=cause)
        for outcome in ("succeeded", "stopped", "failed")
        for cause in (Message(), BUSY)
    ),
    PlanDrawn(run="r", text="x", path="plan.png"),
)
FOREIGN = "error: Failed to fetch: no GPU, rank 1 is training"


def narrated(lang: str, *events: Event) -> str:
    narration = io.StringIO()
    with PlainPrinter(narration=narration, texts=Texts(lang)) as printer:
        for event in events:
            printer.emit(event)
    return narration.getvalue()


def test_events_are_in_korean():
    phase = RankPhase(node="gpu1", run="r-1", rank=1, phase="training")
    assert narrated("ko", phase) == f"· gpu1: rank 1: {Texts('ko').word('phase', 'training')}\n"
    assert narrated("ko", CHECK, ENDED) == (
        "! gpu1: disk: 이미 요청 3개를 처리하고 있습니다\n"
        "    -> 나중에 다시 시도하세요\n"
        "✗ 실행 r-1 실패: 이미 요청 3개를 처리하고 있습니다\n"
        "    -> 나중에 다시 시도하세요\n"
    )


def test_numbers_and_nested_messages_are_in_korean():
    copied = CopyProgressed(
        node="gpu1", files_done=1, files_total=2, bytes_done=3 << 20, bytes_total=5 << 20, rate=1e6, eta=65.0
    )
    assert narrated("ko", copied) == (
        "· gpu1: 파일 2개 중 1개, 5.0 MiB 중 3.0 MiB, 977 KiB/s, 1분 05초 남음\n"
    )
    assert narrated("en", copied) == ("· gpu1: 1/2 files, 3.0 MiB of 5.0 MiB, 977 KiB/s, 1 min 05 s left\n")
    failed = NodeDeployed(node="gpu1", ok=False, detail=BUSY)
    assert narrated("ko", failed) == "✗ gpu1: 배포하지 못했습니다: 이미 요청 3개를 처리하고 있습니다\n"


def test_foreign_text_is_not_changed():
    assert narrated("ko", EnvironmentOutput(node="gpu1", text=f"{FOREIGN}\n")) == f"· gpu1: {FOREIGN}\n"
    ended = RunFinished(run="r-1", outcome="failed", cause=Message(FOREIGN))
    assert narrated("ko", ended) == f"✗ 실행 r-1 실패: {FOREIGN}\n"


def test_every_event_has_a_message_with_its_korean():
    templates = Texts("ko")._templates
    narrations = [found for event in EVENTS if (found := narration_of(event)) is not None]
    assert len(narrations) == len(EVENTS)
    for found in narrations:
        assert isinstance(found.text, Message)
        assert found.text.id in templates, found.text


def test_english_is_printed_unless_asked_otherwise():
    assert narrated("en", CHECK).startswith("! gpu1: disk: 3 requests are running already")


def test_json_has_english_and_what_a_translation_needs(capsys: pytest.CaptureFixture[str]):
    JsonPrinter().emit(ENDED)
    assert json.loads(capsys.readouterr().out)["cause"] == {
        "id": "agent.busy", "args": {"count": 3}, "text": "3 requests are running already"
    }  # fmt: skip


def dtui(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["preflight", "--list", "--lang", "ko"],
        ["--lang", "ko", "preflight", "--list"],
    ],
)
def test_the_language_may_stand_before_the_command_or_behind_it(words: list[str], tmp_path: Path):
    done = dtui(tmp_path, *words)
    assert done.returncode == 0
    assert "GPU마다 rank를 하나씩 실행합니다" in done.stdout


def test_an_error_is_in_korean(tmp_path: Path):
    done = dtui(tmp_path, "status", "--lang", "ko", "--workers", "127.0.0.1")
    assert done.returncode == 2
    assert done.stderr == (
        f"dtui: {tmp_path}에서 시작한 실행이 아직 없습니다\n    -> `dtui up`으로 시작하세요\n"
    )


def helps(action: argparse.Action | argparse.ArgumentParser) -> Iterator[object]:
    """Yield each text that help prints of a parser: descriptions, titles of groups, help of options."""
    assert isinstance(action, argparse.ArgumentParser)
    yield from (text for text in (action.description, action.epilog) if text)
    own = {"positional arguments", "options"}
    yield from (group.title for group in action._action_groups if group.title not in own)
    for one in action._actions:
        if isinstance(one, argparse._SubParsersAction):
            yield from (choice.help for choice in one._choices_actions)
            for parser in one.choices.values():
                yield from helps(parser)
        elif not isinstance(one, argparse._HelpAction) and one.dest != "shell":
            yield one.help


def test_every_help_text_is_a_message_with_its_korean():
    templates = Texts("ko")._templates
    found = list(helps(build_parser()))
    assert len(found) > 150
    assert [text for text in found if not isinstance(text, Message) or text.id not in templates] == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_in_korean(command: str, capsys: pytest.CaptureFixture[str]):
    words = [*filter(None, [command]), "--help"]
    with pytest.raises(SystemExit), argparse_texts(Texts("ko")):
        build_parser(Texts("ko")).parse_args(words)
    shown = capsys.readouterr().out
    assert shown.startswith("사용법: dtui")
    assert "이 도움말을 출력하고 종료" in shown
    for word in ("usage:", "options:", "positional arguments:", "show this help"):
        assert word not in shown
    assert all(cell_len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["logs", "--rank", "x"], "인수 --rank: 잘못된 int 값: 'x'"),
        (["up", "--method", "x"], "인수 --method: 잘못된 값: 'x' (가능한 값: "),
        (["sample"], "다음 인수가 필요합니다: --text"),
        (["nodes", "--no-such"], "알 수 없는 인수: --no-such"),
        (["stop", "--grace"], "인수 --grace: 인수가 하나 필요합니다"),
        (["init", "--script", "a", "--module", "b"], "함께 쓸 수 없는 인수: --script"),
        (["up", "--port", "1"], "1024~65535 범위의 포트가 아닙니다"),
        (["deply"], "혹시 'deploy'입니까?"),
    ],
)
def test_errors_of_the_command_line_are_in_korean(words: list[str], shown: str, tmp_path: Path):
    done = dtui(tmp_path, *words[:1], "--lang=ko", *words[1:])
    assert done.returncode == 2
    assert shown in done.stderr


def test_argparse_has_its_own_texts_again_afterwards():
    before = vars(argparse)["_"]
    with pytest.raises(SystemExit), argparse_texts(Texts("ko")):
        build_parser(Texts("ko")).parse_args(["--version"])
    assert vars(argparse)["_"] is before


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ([], ""),
        (["up"], ""),
        (["--lang", "ko", "up"], "ko"),
        (["up", "--lang=ko"], "ko"),
        (["up", "--lang", "ko", "--lang", "en"], "en"),
        (["up", "--", "--lang", "ko"], ""),
        (["up", "--lang"], ""),
    ],
)
def test_the_language_is_found_before_the_command_line_is_parsed(words: list[str], language: str):
    assert requested_language(words) == language


def test_columns_are_aligned_by_cells():
    lines = aligned([("노드", "주소"), ("gpu1", "10.0.0.1"), ("한글 이름", "x")], right=(1,))
    assert lines == ["노드           주소", "gpu1       10.0.0.1", "한글 이름         x"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (message("test.plain", "nothing was deleted"), "Nothing was deleted."),
        (message("test.hyphen", "speed-up per node"), "Speed-up per node."),
        (message("test.path", "{path} exists", path="configs"), "configs exists."),
        (
            message("test.nested", "{what} for kim", what=message("test.password", "password")),
            "Password for kim.",
        ),
        (message("test.command", "dtui asks"), "dtui asks."),
        (message("test.question", "replace it?"), "Replace it?"),
        (Message("gpu1: down"), "gpu1: down."),
    ],
)
def test_a_sentence_on_its_own_has_a_capital_letter_and_a_full_stop(text: Message, sentence: str):
    assert Texts("en").sentence(text) == sentence
