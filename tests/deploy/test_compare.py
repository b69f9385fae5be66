"""What a node answers to a manifest, and what it refuses to take from a console that means no good."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent.tree.compare import Answer, compare
from agent.tree.format import block_digest, pack
from agent.tree.places import Tree
from agent.tree.record import Recorded
from agent.tree.staging import Staging
from agent.wire.operations import OPERATIONS
from fleet.errors import OperationFailed
from fleet.link.client import AgentClient
from tests.deploy.conftest import Site


def answer(
    root: Path, entries: list[list[Any]], record: dict[str, Recorded] | None = None, **options: Any
) -> Answer:
    return compare(Tree(str(root), **options), entries, record or {}, Staging(str(root)))


def test_a_file_that_keeps_coarse_times_is_known_by_the_record(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12345")
    os.utime(tmp_path / "a", ns=(2_000_000_000, 2_000_000_000))  # two seconds are all that FAT can tell apart
    record = {"a": Recorded(5, 2_900_000_001, 2_000_000_000, "digest", True)}
    same = answer(tmp_path, [["a", 5, 2_900_000_001, 0]], record)
    assert (same.need, same.verify) == ([], [])
    newer = answer(tmp_path, [["a", 5, 3_000_000_000, 0]], record)
    assert newer.verify == [(0, "digest")]  # without reading it


def test_a_name_that_differs_in_case_is_another_file_but_is_not_deleted_where_it_is_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / "Readme").write_text("x")
    mtime = (tmp_path / "Readme").stat().st_mtime_ns
    record = {"Readme": Recorded(1, 5, mtime, "digest", True)}
    folded = answer(tmp_path, [["README", 1, 5, 0]], record, fold=str.casefold)
    assert folded.need == [0]
    assert folded.delete == []
    assert answer(tmp_path, [["README", 1, 5, 0]], record).delete == [("Readme", 1)]


def test_a_link_where_a_file_belongs_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("12345")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "outside")
    found = answer(root, [["a", 5, (tmp_path / "outside").stat().st_mtime_ns, 0]])
    assert (found.need, found.exists) == ([0], [0])


def test_every_fault_of_a_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a user's")
    (tmp_path / "link").symlink_to("/")
    os.mkfifo(tmp_path / "pipe")
    entries = [[path, 1, 1, 0] for path in ("../x", "/etc/x", "file/x", "link/x", "pipe", "fine")]
    found = answer(tmp_path, entries)
    assert [path for path, _ in found.faults] == ["../x", "/etc/x", "file/x", "link/x", "pipe"]
    assert [reason.id for _, reason in found.faults] == [
        "path.dot-part", "path.absolute", "path.file-in-the-way", "path.through-link", "path.special-file",
    ]  # fmt: skip
    assert found.faults[2][1] == "'file/x' needs a folder where the node has the file 'file'"
    assert found.faults[2][1].args == {"path": "file/x", "file": "file"}
    assert found.need == [5]


def contents(segments: list[Any], compressed: bool = False) -> Any:
    return {"step": "contents", "compressed": compressed, "segments": segments}


async def receive(link: AgentClient, project: str, plan: Any, body: Any, payload: bytes) -> None:
    """Send a plan and one piece as a deploy does."""
    async with link.request(OPERATIONS["receive"], {"project": project, "deploy": "x"}) as request:
        for piece in pack(plan):
            await request.send({"step": "plan", "compressed": True, "segments": []}, piece)
        await request.send(body, payload)
        await request.send({"step": "commit", "compressed": False, "segments": []})
        await request.end()
        async for _ in request:
            pass


EVIL = ["../evil", "/evil", "a/../../evil", ".dtui/deployed.json", "link/evil", "a//evil", ""]


@pytest.mark.parametrize("part", ["files", "adjust", "delete"])
async def test_a_plan_that_leads_out_of_the_project_is_refused(site: Site, part: str) -> None:
    site.write({"a.py": "1"})
    await site.deploy()
    outside = site.path / "evil"
    outside.write_text("untouched")
    (site.path / "node1/link").symlink_to(site.path)
    before = set(site.path.rglob("*"))
    node, refused = site.node(), []
    async with site.fleet(node) as fleet:
        link = await fleet.link(node)
        for path in EVIL:
            row = {"files": [path, 4, 1, 1, 0, ""], "adjust": [path, 4, 1, 1, "d"], "delete": path}[part]
            plan: dict[str, Any] = {"files": [], "adjust": [], "delete": [], "forget": [], part: [row]}
            segments = [[0, 4, block_digest(b"evil")]] if part == "files" else []
            try:
                await receive(link, node.project, plan, contents(segments), b"evil" if segments else b"")
            except OperationFailed as error:
                assert error.code == "path"
                assert repr(path) in error.what
                refused.append(path)
    assert refused == EVIL
    assert outside.read_text() == "untouched"
    assert outside.stat().st_mtime_ns != 1
    assert site.files()["a.py"] == b"1"
    assert before <= set(site.path.rglob("*"))


LIES: list[tuple[list[Any], bytes, bool]] = [
    ([[0, 4, block_digest(b"good")]], b"evil", False),
    ([[0, 4, block_digest(b"good")]], b"goo", False),
    ([[0, 4, block_digest(b"good")]], b"good", True),
    ([[0, 5, block_digest(b"longe")]], b"longe", False),
    ([[0, 3, block_digest(b"goo")]], b"goo", False),
    ([], b"", False),
]


async def test_contents_that_are_not_what_was_announced_change_nothing(site: Site) -> None:
    site.write({"a.py": "1"})
    await site.deploy()
    plan = {"files": [["a.py", 4, 1, 1, 0, ""]], "adjust": [], "delete": [], "forget": []}
    node = site.node()
    async with site.fleet(node) as fleet:
        link = await fleet.link(node)
        for segments, payload, compressed in LIES:
            with pytest.raises(OperationFailed) as caught:
                await receive(link, node.project, plan, contents(segments, compressed), payload)
            assert caught.value.code == "damaged"
            assert site.files() == {"a.py": b"1"}
        await receive(link, node.project, plan, contents([[0, 4, block_digest(b"good")]]), b"good")
    assert site.files() == {"a.py": b"good"}
