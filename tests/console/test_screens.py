"""Every screen, empty, busy and in trouble, in three sizes: recorded events, compared as pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from agent.wire.message import Message, filled
from fleet.event_json import to_json
from scripts.translations import messages
from tests.console import record
from tests.console.driving import settled, text_of
from tests.console.fakes import Recorded, cards, console, history
from tests.support.snapshots import ROOT, SNAPSHOTS

SIZES = ((80, 24), (120, 40), (200, 50))
STATES = [
    ("nodes", ""), ("nodes", "nodes_busy"), ("nodes", "nodes_error"),
    ("preflight", ""), ("preflight", "preflight_busy"), ("preflight", "preflight_error"),
    ("deploy", ""), ("deploy", "deploy_busy"), ("deploy", "deploy_error"), ("deploy", "deploy_plan"),
    ("monitor", ""), ("monitor", "monitor_busy"), ("monitor", "monitor_error"),
]  # fmt: skip


async def compare(app, screen: SnapshotAssertion, press=(), sizes=SIZES) -> None:
    async with app.run_test(size=sizes[0]) as pilot:
        await settled(pilot)
        await pilot.press(*press)
        for width, height in sizes:
            await pilot.resize_terminal(width, height)
            assert await settled(pilot) == screen(name=f"{width}x{height}")


@pytest.mark.parametrize(("mode", "recording"), STATES)
async def test_mode(mode: str, recording: str, screen: SnapshotAssertion):
    keys = {"preflight_error": "jjjjjlll", "deploy_error": "jjj", "nodes_error": "jjj"}
    operations = Recorded(cards() if recording else (), runs=history() if mode == "nodes" else ())
    await compare(console(recording, mode, operations=operations), screen, keys.get(recording, ""))


@pytest.mark.parametrize("recording", ["nodes_busy", "preflight_busy", "preflight_error"])
async def test_routes(recording: str, screen: SnapshotAssertion):
    await compare(console(recording, "preflight"), screen, "wjlll")


@pytest.mark.parametrize("state", ["empty", "busy", "compared"])
async def test_runs(state: str, screen: SnapshotAssertion):
    runs = () if state == "empty" else history()
    app = console("monitor_error", "runs", operations=Recorded(cards(), runs=runs))
    await compare(app, screen, ("space", "space", "c") if state == "compared" else ())


@pytest.mark.parametrize("state", ["empty", "nodes", "training", "faulty"])
async def test_config(state: str, screen: SnapshotAssertion, tmp_path: Path):
    folder = tmp_path / "configs"
    folder.mkdir()
    for name, text in CONFIGS.items() if state != "empty" else ():
        (folder / name).write_text(text.replace("8", "eight") if state == "faulty" else text, "utf-8")
    operations = Recorded(cards(), folder=folder)
    app = console("nodes_busy", "config", operations=operations)
    await compare(app, screen, ("f3",) if state in ("training", "faulty") else ())


CONFIGS = {
    "nodes.yaml": "project: ..\nmaster:\n  address: 192.168.1.100\n\nnodes:\n"
    "  - name: gpu[1-2]\n    address: 192.168.1.[101-102]\n"
    "  - name: 연구실-3\n    address: 192.168.1.103\n    transport: winrm\n",
    "train_config.yaml": "training:\n  batch_size: 8\n  gradient_accumulation_steps: 2\n"
    "  mixed_precision: fp16\n\nwandb:\n  enabled: true\n  project: floorplan-distributed\n",
}


@pytest.mark.parametrize("theme", ["dtui-day", "dtui-safe", "dtui-mono"])
async def test_theme(theme: str, screen: SnapshotAssertion):
    await compare(console("monitor_error", "monitor", theme=theme), screen, sizes=[(120, 40)])


@pytest.mark.parametrize("mode", ["nodes", "monitor"])
async def test_korean(mode: str, screen: SnapshotAssertion):
    await compare(console(f"{mode}_busy", mode, lang="ko"), screen, sizes=[(80, 24), (120, 40)])


TROUBLE = [
    ("nodes_error", "nodes", "jjj"),
    ("preflight_error", "preflight", "jjjjjlll"),
    ("preflight_error", "preflight", "wjlll"),
    ("deploy_error", "deploy", "jjj"),
    ("monitor_error", "monitor", ""),
    ("monitor_error", "runs", ""),
]


def sentences_of(recording: str) -> set[str]:
    """Return what fleet says in a recording, as far as it is more than a word."""
    return {
        text
        for event in record.RECORDINGS[recording]()
        for name in ("detail", "remedy", "seen", "why", "cause")
        if " " in (text := getattr(event, name, ""))
    }


@pytest.mark.parametrize(
    ("recording", "mode", "press"), [*TROUBLE, ("nodes_error", "nodes", ["exclamation_mark"])]
)
async def test_a_korean_screen_shows_no_english_sentence(recording: str, mode: str, press: str | list[str]):
    app = console(recording, mode, lang="ko", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        await pilot.press(*press)
        await settled(pilot)
        shown = text_of(app)
    assert "노드" in shown
    # A long one may be cut; its beginning tells.
    assert [text for text in sentences_of(recording) if text[:24] in shown] == []


@pytest.mark.parametrize(("recording", "mode", "press"), TROUBLE)
async def test_trouble_in_korean(recording: str, mode: str, press: str, screen: SnapshotAssertion):
    operations = Recorded(cards(), runs=history())
    app = console(recording, mode, lang="ko", operations=operations)
    await compare(app, screen, press, sizes=[(80, 24), (120, 40)])


@pytest.mark.parametrize(
    ("name", "mode", "press"),
    [
        ("help", "monitor", ["question_mark"]),
        ("confirm-stop", "monitor", ["X"]),
        ("merged", "monitor", ["m", "o"]),
        ("search", "monitor", ["slash", *"loss 0.4", "enter"]),
        ("paused", "monitor", ["pageup"]),
        ("zoomed", "monitor", ["z"]),
        ("nine", "monitor", ["t", "t", "T", "w"]),
        ("add-node", "nodes", ["a"]),
        ("marked", "nodes", ["space", "space", "slash", *"gpu"]),
        ("columns", "nodes", ["c", "j", "J", "j", "j", "space"]),
    ],
)
async def test_dialogue(name: str, mode: str, press: list[str], screen: SnapshotAssertion):
    await compare(console(f"{mode}_busy", mode), screen, press, sizes=[(120, 40)])


@pytest.mark.parametrize(("mode", "press"), [("nodes", "u"), ("monitor", "")])
async def test_production(mode: str, press: str, screen: SnapshotAssertion):
    operations = Recorded(cards(), runs=history(), production=True)
    await compare(console(f"{mode}_busy", mode, operations=operations), screen, press)


@pytest.mark.parametrize("typed", ["preflight f", "nodes fliter gpu"])
async def test_command_line(typed: str, screen: SnapshotAssertion):
    press = ["colon", *typed, *(["enter"] if "fliter" in typed else [])]
    await compare(console("nodes_busy", "nodes"), screen, press, sizes=[(80, 24), (120, 40)])


def test_no_snapshot_is_left_over():
    stems = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert {folder.name for folder in SNAPSHOTS.iterdir()} <= stems


def test_the_recordings_say_what_fleet_says():
    """What a screen shows in a test would be shown in both languages outside of it."""
    known = {one.id: one.template for one in messages()}
    said = set().union(*map(sentences_of, record.RECORDINGS))
    assert len(said) > 10
    for text in said:
        assert isinstance(text, Message)
        assert filled(known[text.id], text.args) == text


def test_the_recordings_are_what_the_script_writes():
    for name, events in record.RECORDINGS.items():
        written = (record.FOLDER / f"{name}.jsonl").read_text("utf-8")
        assert written == "".join(to_json(event) + "\n" for event in events()), name
    assert {path.stem for path in record.FOLDER.glob("*.jsonl")} == set(record.RECORDINGS)
