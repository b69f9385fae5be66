"""Answers of a compromised node to ``follow``, ``status`` and ``program`` are its own error."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError, InvalidAnswer
from fleet.events import LogChunk, Notice
from fleet.fleet import Fleet
from fleet.link.client import Item
from fleet.runs import launch, node_runs, read_logs, sample, sweep
from fleet.runs.pieces import FollowedFiles
from fleet.runs.sample import LARGEST
from tests.hostile.record.lying import LyingLink, compromise
from tests.runs.fleets import (
    collect,
    fleet_of,
    inventory,
    of,
    output,
    plan_of,
    project,
    rank_log,
    until,
    watched,
)
from tests.runs.test_sample import DRAWS, stand_in
from tests.support.memory import Allocations

FILE = ".dtui/runs/run-1/rank-1.log"


async def trained(fleet: Fleet) -> None:
    await collect(launch(fleet, plan_of(fleet.inventory)))
    await watched(fleet)


def body(**fields: Any) -> dict[str, Any]:
    return {"file": FILE, "offset": 0, "restarted": None, **fields}


WRONG: list[tuple[str, list[Item]]] = [
    ("nothing", [Item(None, b"x")]),
    ("a list", [Item([FILE, 0], b"x")]),
    ("no offset", [Item({"file": FILE, "restarted": None}, b"x")]),
    ("no file", [Item({"offset": 0, "restarted": None}, b"x")]),
    ("another file", [Item(body(file="/etc/passwd"), b"x")]),
    ("another rank's file", [Item(body(file=".dtui/runs/run-1/rank-0.log"), b"x")]),
    ("a file of another type", [Item(body(file=[FILE]), b"x")]),
    ("a negative offset", [Item(body(offset=-1), b"x")]),
    ("a huge offset", [Item(body(offset=10**400), b"x")]),
    ("an offset ahead", [Item(body(offset=1 << 40), b"x")]),
    ("a fraction", [Item(body(offset=0.5), b"x")]),
    ("an infinite offset", [Item(body(offset=float("inf")), b"x")]),
    ("a text for an offset", [Item(body(offset="0"), b"x")]),
    ("the same piece twice", [Item(body(), b"x"), Item(body(), b"x")]),
    ("an unknown restart", [Item(body(restarted="because"), b"")]),
    ("a restart of another type", [Item(body(restarted=[1]), b"")]),
    ("a huge piece", [Item(body(), bytes((1 << 20) + 1))]),
]


@pytest.mark.parametrize(("what", "items"), WRONG, ids=[what for what, _ in WRONG])
async def test_a_wrong_piece_is_the_error_of_its_node_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, items: list[Item]
) -> None:
    async with fleet_of(inventory(tmp_path, "say('from', RANK)", master=1, gpu1=1)) as fleet:
        await trained(fleet)
        compromise(monkeypatch, fleet, "gpu1", LyingLink(lambda op, args: items))
        events = await collect(read_logs(fleet, "run-1"))
    assert output(events, 0) == b"from 0\n"
    (notice,) = of(events, Notice)
    assert (notice.node, notice.level) == ("gpu1", "error")
    assert notice.text.startswith("the agent's answer to `follow` is not valid (")
    assert notice.remedy


async def test_any_exception_of_one_node_s_source_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(op: str, args: dict[str, Any]) -> Any:
        raise ZeroDivisionError("anything")
        yield

    async with fleet_of(inventory(tmp_path, "say('from', RANK)", master=1, gpu1=1)) as fleet:
        await trained(fleet)
        for result in (None, 7, [], {}, {"runs": 7}, {"runs": None}):
            compromise(monkeypatch, fleet, "gpu1", LyingLink(broken, result))
            events = await collect(read_logs(fleet, "run-1"))
            assert output(events, 0) == b"from 0\n"
            assert [notice.node for notice in of(events, Notice)] == ["gpu1"]
            for answers in (await node_runs(fleet, "run-1"), await sweep(fleet)):
                assert {answer.node: answer.error is not None for answer in answers} == {
                    "master": False, "gpu1": True,
                }, result  # fmt: skip
            monkeypatch.undo()


async def test_a_flood_of_one_node_costs_no_memory_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flood(op: str, args: dict[str, Any]) -> Any:
        piece = bytes(1 << 20)
        return (Item(body(offset=number << 20), piece) for number in itertools.count())

    async with fleet_of(inventory(tmp_path, "say('from', RANK)", master=1, gpu1=1)) as fleet:
        await trained(fleet)
        link = LyingLink(flood)
        compromise(monkeypatch, fleet, "gpu1", link)
        monkeypatch.setattr("fleet.runs.read._MOST", 200 << 20)
        count = 0
        text = b""
        notices = []
        with Allocations() as memory:
            async for event in read_logs(fleet, "run-1"):
                count += isinstance(event, LogChunk)
                if isinstance(event, LogChunk) and event.rank == 0:
                    text += event.data
                notices += of([event], Notice)
    assert text == b"from 0\n"
    assert [notice.text for notice in notices] == [
        f"the agent's answer to `follow` is not valid ({FILE} does not end)"
    ]
    assert link.taken == 201
    assert memory.peak < 20 << 20


async def test_a_status_that_ends_without_one_is_the_error_of_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet_of(inventory(tmp_path, "say('from', RANK)", master=1, gpu1=1)) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await until(lambda: rank_log(fleet, "master", 0).read_bytes())
        compromise(monkeypatch, fleet, "gpu1", LyingLink(lambda op, args: [], {"time": 1.0}))
        events = await watched(fleet)
    assert output(events, 0) == b"from 0\n"
    (notice,) = [notice for notice in of(events, Notice) if "is not valid" in notice.text]
    assert notice.node == "gpu1"
    assert "the agent's answer to `status` is not valid (it ends without a status)" in notice.text
    assert not [notice for notice in of(events, Notice) if "internal error" in notice.text]


def test_a_file_that_begins_anew_without_end_is_rejected() -> None:
    followed = FollowedFiles("gpu1", {FILE: 5})
    for _ in range(100):
        followed.piece(Item(body(restarted="truncated"), b""))
    with pytest.raises(InvalidAnswer, match="started again more than 100 times"):
        followed.piece(Item(body(restarted="truncated"), b""))


def test_nothing_more_of_an_abandoned_file_is_accepted() -> None:
    followed = FollowedFiles("gpu1", {FILE: 5})
    assert followed.piece(Item(body(restarted="abandoned"), b"")).restarted == "abandoned"
    with pytest.raises(InvalidAnswer, match="a file that was not requested"):
        followed.piece(Item(body(), b"more"))


# ---- sample


def picture(size: int = 100) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08".ljust(size, b"\0")


PAYLOAD = {"text": None, "quiet": None}
TALK = {"text": "x" * 99_999, "quiet": None}
SILENT = {"text": None, "quiet": 1.0}
DONE = {"status": 0, "tail": [], "size": 100}


@pytest.mark.parametrize(
    ("items", "result", "told"),
    [
        (lambda: (Item(PAYLOAD, bytes(1 << 20)) for _ in itertools.count()), DONE, "sent more than 64.0 MiB"),
        (lambda: (Item(TALK, b"") for _ in itertools.count()), DONE, "does not stop printing"),
        (lambda: (Item(SILENT, b"") for _ in itertools.count()), DONE, "does not stop printing"),
        (lambda: [Item(PAYLOAD, picture(99))], DONE, "99 of 100 bytes arrived"),
        (lambda: [Item(PAYLOAD, b"x" * 100)], DONE, "is not a PNG image"),
        (list, None, "is not valid"),
        (list, {"status": "0", "tail": [], "size": 1}, "is not valid"),
        (list, {"status": 1, "tail": [1], "size": 1}, "is not valid"),
        (list, {"status": 1, "tail": "x", "size": 1}, "is not valid"),
        (list, {"status": 0, "tail": [], "size": -1}, "0 of -1 bytes arrived"),
        (list, {"status": 0, "tail": [], "size": 1 << 70}, "is not valid"),
        (list, {"status": 10**50, "tail": [], "size": 1}, "is not valid"),
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: Any, result: Any, told: str
) -> None:
    out = tmp_path / "plan.png"
    async with fleet_of(stand_in(tmp_path, DRAWS)) as fleet:
        await trained(fleet)
        link = LyingLink(lambda op, args: items(), result)
        compromise(monkeypatch, fleet, "master", link)
        with pytest.raises(FleetError, match=told) as raised:
            await collect(sample(fleet, "run-1", "a kitchen", out))
        assert raised.value.node
        assert link.taken <= 100_001
    assert not out.exists()
    assert list(tmp_path.glob("*.png*")) == []
    assert LARGEST == 64 << 20


@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d/step-1", "../../other/step-1", "a/../../b/step-1", "C:/x/step-1", "C:x/step-1",
        "\\\\host\\share\\step-1",
        "..\\..\\x\\step-1", "--out=/tmp/x/step-1", "~/x/step-1", "a\nb/step-1", "x" * 5000 + "/step-1",
        "a:b/step-1", "\x1b]52;c;eA==\x07/step-1",
    ],
)  # fmt: skip
async def test_a_checkpoint_outside_the_project_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    events = await drawn_with(tmp_path, monkeypatch, [(0, "made/here/step-1"), (0, path)])
    assert of(events, Notice)[0].text == "drawing a plan with the newest checkpoint of made/here"


async def test_only_rank_0_says_where_the_checkpoints_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await drawn_with(tmp_path, monkeypatch, [(0, "made/here/step-1"), (1, "made/elsewhere/step-9")])
    assert of(events, Notice)[0].text == "drawing a plan with the newest checkpoint of made/here"


async def drawn_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[tuple[int, str]]
) -> list[Any]:
    """Draw a plan for a run whose ranks reported these paths of checkpoints."""
    from fleet.events import MetricsSeen
    from fleet.metrics_record import MetricsRecord
    from fleet.runs.recorder import Recorder
    from fleet.runs.store import RunStore

    async with fleet_of(stand_in(tmp_path, DRAWS)) as fleet:
        store = RunStore(fleet.home, "run-1")
        store.create(plan_of(fleet.inventory))
        with Recorder(store) as recorder:
            for end, (rank, path) in enumerate(records, 1):
                record = MetricsRecord(kind="ckpt", step=1, path=path, numbers={})
                recorder.write(MetricsSeen(run="run-1", rank=rank, record=record, end=end))
        link = LyingLink(lambda op, args: [Item(PAYLOAD, picture())], DONE)
        compromise(monkeypatch, fleet, "master", link)
        assert project(fleet, "master")
        return await collect(sample(fleet, "run-1", "a kitchen", tmp_path / "plan.png"))
